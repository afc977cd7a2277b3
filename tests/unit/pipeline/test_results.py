"""Findings become the series that destinations want, in the forms that they want."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from pipeline.algorithms.lung import LungParameters
from pipeline.algorithms.mip import SlidingMipParameters
from pipeline.encode import part10_bytes
from pipeline.errors import EncodingError, UnreadableInstanceError
from pipeline.findings import Finding
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.plan import Pipeline, Step
from pipeline.products import Dialect, Form, Product
from pipeline.results import ResultSeries
from pipeline.run import notes_on, run_pipeline
from pipeline.volume import Volume
from tests.support.own_algorithm import SHAPES, ShapesParameters, installed_with

TIME = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
LUNGS = Step("lungs", LungParameters())
EVERYTHING = frozenset(set(Product) - {Product.NOTE, Product.FRACTIONAL})


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of a small chest phantom."""
    folder = tmp_path_factory.mktemp("chest")
    paths = []
    for number, dataset in enumerate(phantom_instances(chest_phantom(slices=24, size=96))):
        paths.append(folder / f"{number:03}.dcm")
        paths[-1].write_bytes(part10_bytes(dataset))
    return paths


def results(
    paths: Sequence[Path], *dialects: Dialect, steps: tuple[Step, ...] = (LUNGS,)
) -> tuple[ResultSeries, ...]:
    pipeline = Pipeline("test", steps)
    return run_pipeline(paths, pipeline, content_time=TIME, dialects=dialects).series


def uids(series: Sequence[ResultSeries]) -> list[str]:
    return [str(item.SOPInstanceUID) for each in series for item in each.instances]


def test_only_what_is_wanted_is_made(chest: list[Path]) -> None:
    made = results(chest, Dialect(frozenset({Product.RTSTRUCT, Product.PICTURE})))
    assert [series.product for series in made] == [Product.RTSTRUCT, Product.PICTURE]
    assert made[0].instances[0].Modality == "RTSTRUCT"


def test_an_object_is_the_same_whatever_else_is_wanted(chest: list[Path]) -> None:
    """A destination that is added changes nothing for those that are there."""
    few = {series.product: series for series in results(chest)}
    many = {series.product: series for series in results(chest, Dialect(EVERYTHING))}
    assert many.keys() == EVERYTHING - {Product.SERIES}
    for product in (Product.SEG, Product.SR):
        assert part10_bytes(many[product].instances[0]) == part10_bytes(few[product].instances[0])


def test_reports_refer_to_the_masks_that_their_readers_have(chest: list[Path]) -> None:
    made = {series.product: series.instances[0] for series in results(chest, Dialect(EVERYTHING))}

    def referred(report: Dataset) -> set[str]:
        evidence = report.CurrentRequestedProcedureEvidenceSequence[0]
        return {
            str(item.ReferencedSOPInstanceUID)
            for series in evidence.ReferencedSeriesSequence
            for item in series.ReferencedSOPSequence
        }

    seg, labelmap = (str(made[mask].SOPInstanceUID) for mask in (Product.SEG, Product.LABELMAP))
    assert seg in referred(made[Product.SR])
    assert labelmap in referred(made[Product.SR_ON_LABELMAP])
    assert not {seg, labelmap} & referred(made[Product.SR_ALONE])
    assert len(set(uids(results(chest, Dialect(EVERYTHING))))) == len(made)


def test_another_form_has_uids_of_its_own(chest: list[Path]) -> None:
    """A destination with its own series numbers never gets other bytes under a known UID."""
    moved = Dialect(form=Form(first_series_number=700))
    both = results(chest, Dialect(), moved)
    assert len(set(uids(both))) == 4
    numbers = {series.form: series.instances[0].SeriesNumber for series in both[::2]}
    assert numbers == {Form().key: 9100, moved.form.key: 800}


def test_two_steps_of_one_algorithm_give_different_objects(chest: list[Path]) -> None:
    """Slabs of two thicknesses are two results."""
    steps = tuple(Step("sliding-mip", SlidingMipParameters(window=width)) for width in (1, 3))
    first, second = results(chest, steps=steps)
    assert not set(uids([first])) & set(uids([second]))
    assert first.instances[0].SeriesInstanceUID != second.instances[0].SeriesInstanceUID
    assert (first.instances[0].SeriesNumber, second.instances[0].SeriesNumber) == (9300, 9302)


def test_text_is_said_in_unicode_where_a_form_wants_it(chest: list[Path], tmp_path: Path) -> None:
    paths = []
    for path in chest:
        dataset = pydicom.dcmread(path)
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.PatientName = "Müller^Jürgen"
        paths.append(tmp_path / path.name)
        paths[-1].write_bytes(part10_bytes(dataset))
    form = Form(unicode=True)
    seg, _ = results(paths, Dialect(form=form))
    result = tmp_path / "result.dcm"
    result.write_bytes(part10_bytes(seg.instances[0]))
    read = pydicom.dcmread(result)
    assert read.SpecificCharacterSet == "ISO_IR 192"
    assert str(read.PatientName) == "Müller^Jürgen"


def test_findings_of_one_name_are_refused(chest: list[Path]) -> None:
    """UIDs follow from names: of two objects with the same ones, an archive keeps one."""

    def twice(volume: Volume, parameters: ShapesParameters) -> tuple[Finding, ...]:
        (first, *_) = SHAPES.analyse(volume, parameters)
        return (first, first)

    step = Step(SHAPES.name, ShapesParameters())
    with (
        installed_with(replace(SHAPES, analyse=twice)),
        pytest.raises(EncodingError, match="several findings named 'shapes'"),
    ):
        results(chest, steps=(step,))


def test_a_note_is_made_where_one_is_wanted(chest: list[Path]) -> None:
    """Of the refused series' patient and study, the same bytes every time."""
    pipeline = Pipeline("test", (LUNGS,))
    noting = Dialect(frozenset({Product.NOTE}))

    def notes(reason: str) -> tuple[ResultSeries, ...]:
        return notes_on(chest, pipeline, reason, content_time=TIME, dialects=(Dialect(), noting))

    (note,) = notes("Slices are missing.")
    (image,) = note.instances
    assert note.product is Product.NOTE
    assert image.StudyInstanceUID == pydicom.dcmread(chest[0]).StudyInstanceUID
    assert image.SeriesNumber == 9001
    assert part10_bytes(image) == part10_bytes(notes("Slices are missing.")[0].instances[0])
    assert uids(notes("Another reason.")) != uids([note])


def test_no_note_is_made_where_nobody_wants_one(chest: list[Path]) -> None:
    pipeline = Pipeline("test", (LUNGS,))
    assert notes_on(chest, pipeline, "Why.", content_time=TIME, dialects=(Dialect(),)) == ()


def test_a_note_is_made_of_what_can_be_read(chest: list[Path], tmp_path: Path) -> None:
    """One damaged file of many does not keep people from being told."""
    damaged = tmp_path / "damaged.dcm"
    damaged.write_bytes(b"nothing")
    pipeline = Pipeline("test", (LUNGS,))
    noting = Dialect(frozenset({Product.NOTE}))
    (note,) = notes_on([damaged, *chest], pipeline, "Why.", content_time=TIME, dialects=(noting,))
    assert len(note.instances) == 1
    with pytest.raises(UnreadableInstanceError):
        notes_on([damaged], pipeline, "Why.", content_time=TIME, dialects=(noting,))
