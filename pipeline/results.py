"""From what was found on a volume to result series, in each form that is asked for."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset

from pipeline.algorithms.registry import Algorithm
from pipeline.encode import (
    EncodedLabelMap,
    PictureContent,
    ReportName,
    ResultContext,
    encode_as,
    encode_measurements,
    encode_note,
    encode_picture,
)
from pipeline.errors import EncodingError
from pipeline.findings import Finding, ImageFinding, LabelMap, MeasurementGroup, ProbabilityMap
from pipeline.implementation import VERSION
from pipeline.plan import Pipeline
from pipeline.products import Form, Product
from pipeline.series_numbers import NOTE_OFFSET, PICTURE_OFFSET, Block, Place, page_number
from pipeline.volume import VolumeResult

_MASK_PRODUCTS = (Product.SEG, Product.LABELMAP, Product.RTSTRUCT)
_SUMMARY = "summary"
_NOTE = "note"


@dataclass(frozen=True, slots=True)
class _Report:
    """A report for readers of one kind of mask object, or of none."""

    product: Product
    name: ReportName
    mask: Product | None


_REPORTS = (
    _Report(Product.SR, ReportName.ON_SEGMENTATIONS, Product.SEG),
    _Report(Product.SR_ON_LABELMAP, ReportName.ON_LABEL_MAP_SEGMENTATIONS, Product.LABELMAP),
    _Report(Product.SR_ALONE, ReportName.ALONE, None),
)


@dataclass(frozen=True, eq=False, slots=True)
class ResultSeries:
    """The DICOM objects of one new series in the source's study.

    Parameters
    ----------
    product
        What they are.
    form
        Key of the form that they are said in.
    instances
        In the order of Instance Number, with their file meta information. They may be made anew
        at each access: go through them once.
    """

    product: Product
    form: str
    instances: Sequence[Dataset]


@dataclass(frozen=True, eq=False, slots=True)
class StepFindings:
    """What one step found, and where it is numbered.

    Parameters
    ----------
    repeat
        How many steps of the same algorithm stand before it.
    images
        What is said in objects of its own, with its place.
    label_maps
        The masks among them by name; of probabilities those of the likeliest segments.
    measurements
        What is said in a report, at ``report_place``.
    """

    algorithm: Algorithm
    repeat: int
    images: tuple[tuple[ImageFinding, Place], ...]
    label_maps: Mapping[str, LabelMap]
    measurements: tuple[MeasurementGroup, ...]
    report_place: Place

    @property
    def is_reported(self) -> bool:
        """Whether there is something to say in words: a number, or that nothing was found."""
        return bool(self.measurements) or any(item.is_empty for item in self.label_maps.values())


@dataclass(frozen=True, eq=False, slots=True)
class AnalysedVolume:
    """A volume of a series and what the steps of a pipeline found on it.

    Parameters
    ----------
    ordinal
        Which volume of the series, from 0.
    input_digests
        Hex SHA-256 of each instance it was made of, sorted.
    content_time
        Written into the results.
    """

    pipeline: Pipeline
    result: VolumeResult
    ordinal: int
    steps: tuple[StepFindings, ...]
    input_digests: tuple[str, ...]
    content_time: datetime


def number_findings(
    found: Sequence[tuple[Algorithm, tuple[Finding, ...]]],
) -> tuple[StepFindings, ...]:
    """Give each finding of a pipeline's steps its place in its algorithm's block.

    Raises
    ------
    EncodingError
        Two findings of a step have the same name.
    """
    blocks: dict[str, Block] = {}
    repeats: Counter[str] = Counter()
    steps = []
    for algorithm, findings in found:
        block = blocks.setdefault(algorithm.name, Block(algorithm))
        images = [item for item in findings if not isinstance(item, MeasurementGroup)]
        _check_names(algorithm, images)
        steps.append(
            StepFindings(
                algorithm,
                repeats[algorithm.name],
                tuple((item, block.place_of(item)) for item in images),
                {item.name: item for item in _label_maps(images)},
                tuple(item for item in findings if isinstance(item, MeasurementGroup)),
                block.place_of_report(),
            )
        )
        repeats[algorithm.name] += 1
    return tuple(steps)


def _check_names(algorithm: Algorithm, findings: Sequence[ImageFinding]) -> None:
    names = Counter(finding.name for finding in findings)
    doubled = [name for name, count in names.items() if count > 1]
    if doubled:
        raise EncodingError(
            f"{algorithm.name} {algorithm.version} gave several findings named {doubled[0]!r}, and "
            "UIDs follow from the name. Give each a name of its own in the algorithm."
        )


def _label_maps(findings: Sequence[ImageFinding]) -> Iterator[LabelMap]:
    for finding in findings:
        match finding:
            case LabelMap():
                yield finding
            case ProbabilityMap():
                yield finding.label_map()


def say(analysed: AnalysedVolume, form: Form, wanted: frozenset[Product]) -> Iterator[ResultSeries]:
    """Everything that is wanted of a volume in one form, series by series."""
    saying = _Saying(analysed, form, wanted)
    for step in analysed.steps:
        yield from saying.of_step(step)
    if Product.PICTURE in wanted:
        yield saying.picture()


@dataclass(frozen=True, slots=True)
class _Author:
    """Who made an object: an algorithm, in the how-manieth of its steps."""

    name: str
    version: str
    repeat: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class _Saying:
    """Makes the objects of one volume in one form."""

    analysed: AnalysedVolume
    form: Form
    wanted: frozenset[Product]

    def of_step(self, step: StepFindings) -> Iterator[ResultSeries]:
        """The objects of each finding, then the reports on them."""
        masks: dict[tuple[str, Product], Dataset] = {}
        for finding, place in step.images:
            for product in self._products_of(finding):
                said = self._encode(finding, product, step, place)
                if said and finding.name in step.label_maps:
                    masks[finding.name, product] = said[0]
                if said:
                    yield ResultSeries(product, self.form.key, said)
        if step.is_reported:
            yield from self._reports(step, masks)

    def picture(self) -> ResultSeries:
        """The page for people with everything on it."""
        analysed = self.analysed
        findings: list[Finding] = []
        for step in analysed.steps:
            findings += [finding for finding, _ in step.images]
            findings += step.measurements
        content = PictureContent(analysed.pipeline.algorithms, tuple(findings))
        number = page_number(PICTURE_OFFSET, self.form, analysed.ordinal)
        context = self._context(_Author(_SUMMARY, VERSION), Product.PICTURE, number)
        page = encode_picture(content, analysed.result.volume, context)
        return ResultSeries(Product.PICTURE, self.form.key, page)

    def _products_of(self, finding: ImageFinding) -> list[Product]:
        products: tuple[Product, ...]
        match finding:
            case LabelMap():
                products = _MASK_PRODUCTS
            case ProbabilityMap():
                products = (*_MASK_PRODUCTS, Product.FRACTIONAL)
            case _:
                products = (Product.SERIES,)
        return [product for product in products if product in self.wanted]

    def _encode(
        self, finding: ImageFinding, product: Product, step: StepFindings, place: Place
    ) -> Sequence[Dataset]:
        context = self._step_context(step, product, place)
        said = step.label_maps[finding.name] if product in _MASK_PRODUCTS else finding
        return encode_as(product, said, self.analysed.result.volume, context)

    def _reports(
        self, step: StepFindings, masks: Mapping[tuple[str, Product], Dataset]
    ) -> Iterator[ResultSeries]:
        """What a step measured, for each kind of mask object that a reader may have."""
        for report in _REPORTS:
            if report.product not in self.wanted:
                continue
            label_maps = [
                EncodedLabelMap(item, masks.get((name, report.mask)) if report.mask else None)
                for name, item in step.label_maps.items()
            ]
            said = encode_measurements(
                step.measurements,
                label_maps,
                self.analysed.result.volume,
                self._step_context(step, report.product, step.report_place),
                name=report.name,
            )
            yield ResultSeries(report.product, self.form.key, said)

    def _step_context(self, step: StepFindings, product: Product, place: Place) -> ResultContext:
        author = _Author(step.algorithm.name, step.algorithm.version, step.repeat)
        return self._context(
            author, product, place.number(product, self.form, self.analysed.ordinal)
        )

    def _context(self, author: _Author, product: Product, series_number: int) -> ResultContext:
        analysed = self.analysed
        return ResultContext(
            algorithm=author.name,
            algorithm_version=author.version,
            settings_digest=analysed.pipeline.digest_in(self.form),
            input_digests=analysed.input_digests,
            content_time=analysed.content_time,
            series_number=series_number,
            content_qualification=analysed.pipeline.content_qualification,
            notice=analysed.pipeline.notice,
            unicode=self.form.unicode,
            receipt=analysed.result.receipt,
            repeat=author.repeat,
            product=product,
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A series that gives no result.

    Parameters
    ----------
    reason
        Why, in a sentence or a few; names no patient.
    source
        The header of one of its instances.
    input_digests
        Hex SHA-256 of each of them, sorted.
    """

    reason: str
    source: Dataset
    input_digests: tuple[str, ...]


def note_on(
    refusal: Refusal, pipeline: Pipeline, form: Form, content_time: datetime
) -> ResultSeries:
    """Say in one form that a pipeline gave no result, and why."""
    context = ResultContext(
        algorithm=_NOTE,
        algorithm_version=VERSION,
        settings_digest=pipeline.digest_in(form),
        input_digests=refusal.input_digests,
        content_time=content_time,
        series_number=page_number(NOTE_OFFSET, form),
        content_qualification=pipeline.content_qualification,
        notice=pipeline.notice,
        unicode=form.unicode,
        product=Product.NOTE,
    )
    note = encode_note(refusal.source, refusal.reason, context, algorithms=pipeline.algorithms)
    return ResultSeries(Product.NOTE, form.key, note)
