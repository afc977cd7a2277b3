"""The whole way of one series in one call: instances, volume, findings, DICOM objects."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from pipeline.algorithms import registry
from pipeline.encode import EncodedLabelMap, ResultContext, encode, encode_measurements
from pipeline.errors import NotApplicableError
from pipeline.findings import Finding, ImageFinding, LabelMap, MeasurementGroup
from pipeline.instance import Instance, instance_digest, read_instance
from pipeline.kernels.compiled import threads
from pipeline.volume import RebuildPolicy, Volume, VolumeResult, build_volumes
from pipeline.volume.pixels import PlaneDecoder
from pipeline.volume_report import VolumeReport, report_on


@dataclass(frozen=True, slots=True)
class Step:
    """One algorithm of a pipeline with its parameters (the algorithm's own frozen dataclass)."""

    algorithm: str
    parameters: Any


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What is done to a series.

    Parameters
    ----------
    name
        As routes name it.
    steps
        Run one after the other on the same volume.
    first_series_number
        Series Number (0020,0011) of the first result; each further result takes the next.
    content_qualification
        Content Qualification (0018,9004) of the results: RESEARCH, PRODUCT or SERVICE.
    rebuild
        What is done with a series that is no plain stack of slices.
    """

    name: str
    steps: tuple[Step, ...]
    first_series_number: int = 9000
    content_qualification: str = "RESEARCH"
    rebuild: RebuildPolicy = field(default_factory=RebuildPolicy)

    @property
    def settings_digest(self) -> str:
        """SHA-256 (hex) of everything here that changes a result, algorithm versions included.

        The pipeline's name is a label of the site's and is left out.
        """
        content = {
            "steps": [
                [step.algorithm, registry.find(step.algorithm).version, asdict(step.parameters)]
                for step in self.steps
            ],
            "first_series_number": self.first_series_number,
            "content_qualification": self.content_qualification,
            "rebuild": asdict(self.rebuild),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ``done`` of ``total`` parts of the stage named ``stage``."""

    stage: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """What a pipeline made of a series.

    Parameters
    ----------
    series
        DICOM objects, series by series.
    volumes
        What there is to say of each volume that they came from.
    """

    series: tuple[tuple[Dataset, ...], ...]
    volumes: tuple[VolumeReport, ...]


def run_pipeline(
    paths: Sequence[Path],
    pipeline: Pipeline,
    *,
    content_time: datetime,
    decoder: PlaneDecoder | None = None,
    on_progress: OnProgress = lambda _progress: None,
) -> Outcome:
    """Run a pipeline on the instances of one series.

    Parameters
    ----------
    paths
        Part 10 files of one series, in any order.
    pipeline
        What to do.
    content_time
        Written into the results (time zone aware). The same inputs, settings and time give the
        same bytes.
    decoder
        Who decodes compressed pixels; this process by default.
    on_progress
        Told of each stage.

    Raises
    ------
    PipelineError
        The series gives no result; the message says why.
    """
    instances = _read(paths, on_progress)
    series: list[tuple[Dataset, ...]] = []
    volumes = []
    for result in build_volumes(
        instances,
        pipeline.rebuild,
        decoder=decoder,
        on_slice=lambda done, of: on_progress(Progress("rebuild", done, of)),
    ):
        _check_modality(result.volume, pipeline)
        run = _Run(pipeline, result, content_time, pipeline.first_series_number + len(series))
        steps = run.findings(on_progress)
        series += run.series_of(steps, on_progress)
        findings = [finding for step in steps for finding in step.findings]
        volumes.append(report_on(result.receipt, findings))
    return Outcome(tuple(series), tuple(volumes))


def _read(paths: Sequence[Path], on_progress: OnProgress) -> list[Instance]:
    instances = []
    for done, path in enumerate(paths, start=1):
        instances.append(read_instance(path))
        on_progress(Progress("read headers", done, len(paths)))
    return instances


def _check_modality(volume: Volume, pipeline: Pipeline) -> None:
    """Raise before any work where one step is not meant for the series."""
    for step in pipeline.steps:
        wanted = registry.find(step.algorithm).modalities
        if volume.modality not in wanted:
            raise NotApplicableError(
                f"Pipeline {pipeline.name!r} runs {step.algorithm!r}, which takes "
                f"{', '.join(sorted(wanted))}; the series is "
                f"{volume.modality or 'of no modality'}. Narrow the route's match."
            )


@dataclass(frozen=True, eq=False, slots=True)
class _StepFindings:
    """What one step found."""

    algorithm: registry.Algorithm
    findings: tuple[Finding, ...]

    @property
    def images(self) -> list[ImageFinding]:
        """What is said in images."""
        return [item for item in self.findings if not isinstance(item, MeasurementGroup)]

    @property
    def measurements(self) -> list[MeasurementGroup]:
        """What is said in a report."""
        return [item for item in self.findings if isinstance(item, MeasurementGroup)]


@dataclass(frozen=True, eq=False, slots=True)
class _Run:
    """A pipeline on one volume; its results take series numbers from the first one up."""

    pipeline: Pipeline
    result: VolumeResult
    content_time: datetime
    first_series_number: int

    def findings(self, on_progress: OnProgress) -> list[_StepFindings]:
        """Run every step."""
        found = []
        for step in self.pipeline.steps:
            on_progress(Progress(f"run {step.algorithm}", 0, 1))
            algorithm = registry.find(step.algorithm)
            findings = algorithm.analyse(self.result.volume, step.parameters)
            found.append(_StepFindings(algorithm, findings))
            on_progress(Progress(f"run {step.algorithm}", 1, 1))
        return found

    def series_of(
        self, steps: Sequence[_StepFindings], on_progress: OnProgress
    ) -> list[tuple[Dataset, ...]]:
        """Say findings in DICOM, series by series: the images of all steps, then their reports.

        So the series number of an image does not depend on what was measured.
        """
        volume = self.result.volume
        total = sum(len(step.images) + bool(step.measurements) for step in steps)
        digests = _digests(volume)

        def begin(algorithm: registry.Algorithm, number: int) -> ResultContext:
            on_progress(Progress("encode", number, total))
            return self._context(algorithm, digests, number)

        images = _encode_images(steps, volume, begin)
        reports = list(_encode_reports(steps, images, volume, begin))
        on_progress(Progress("encode", total, total))
        return [*images.values(), *reports]

    def _context(
        self, algorithm: registry.Algorithm, digests: tuple[str, ...], number: int
    ) -> ResultContext:
        return ResultContext(
            algorithm=algorithm.name,
            algorithm_version=algorithm.version,
            settings_digest=self.pipeline.settings_digest,
            input_digests=digests,
            content_time=self.content_time,
            series_number=self.first_series_number + number,
            content_qualification=self.pipeline.content_qualification,
            receipt=self.result.receipt,
        )


_Begin = Callable[[registry.Algorithm, int], ResultContext]
"""Tells of the series of this number, from 0, and gives its context."""


def _encode_images(
    steps: Sequence[_StepFindings], volume: Volume, begin: _Begin
) -> dict[ImageFinding, tuple[Dataset, ...]]:
    images: dict[ImageFinding, tuple[Dataset, ...]] = {}
    for step in steps:
        for finding in step.images:
            images[finding] = encode(finding, volume, begin(step.algorithm, len(images)))
    return images


def _encode_reports(
    steps: Sequence[_StepFindings],
    images: Mapping[ImageFinding, tuple[Dataset, ...]],
    volume: Volume,
    begin: _Begin,
) -> Iterator[tuple[Dataset, ...]]:
    measured = [step for step in steps if step.measurements]
    for number, step in enumerate(measured, start=len(images)):
        label_maps = [
            EncodedLabelMap(finding, images[finding][0])
            for finding in step.images
            if isinstance(finding, LabelMap)
        ]
        context = begin(step.algorithm, number)
        yield encode_measurements(step.measurements, label_maps, volume, context)


def _digests(volume: Volume) -> tuple[str, ...]:
    """The digest of each instance that the volume was made of, sorted."""
    instances = {source.sop_instance_uid: source.instance for source in volume.sources}
    with ThreadPoolExecutor(threads()) as pool:
        return tuple(sorted(pool.map(instance_digest, instances.values())))
