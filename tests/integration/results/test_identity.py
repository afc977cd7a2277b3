"""UIDs and bytes: the same for the same job, others for any other; and all references lead on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pydicom
import pytest
from pydicom.dataset import Dataset

from pipeline.encode import context
from pipeline.plan import Step
from pipeline.products import Dialect, Form, Product
from pipeline.results import ResultSeries
from tests.integration.results.conftest import ResultsOn
from tests.support.every_kind import KINDS, Source, body, digests, made_of, steps_on
from tests.support.own_algorithm import SHAPES, ShapesParameters

ROOT = Path(__file__).parents[3]
ZONES_AND_LOCALES = [
    {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"},
    {"TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONHASHSEED": "8"},
]
SHAPES_ONLY = steps_on("CT", views=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A CT."""
    return Source(tmp_path_factory.mktemp("identity") / "source").write()


def uids(series: tuple[ResultSeries, ...]) -> list[str]:
    """Of every series and instance."""
    return [
        str(uid)
        for each in series
        for uid in (
            each.instances[0].SeriesInstanceUID,
            *(instance.SOPInstanceUID for instance in each.instances),
        )
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_same_job_gives_the_same_bytes(kind: str, results_on: ResultsOn) -> None:
    results = results_on(kind)
    again = made_of(results.sources, steps_on(kind))
    assert digests(again) == digests(results.series)


@pytest.mark.parametrize("surroundings", ZONES_AND_LOCALES, ids=["Kathmandu", "St. John's"])
def test_another_process_zone_and_locale_give_the_same_bytes(
    surroundings: dict[str, str], results_on: ResultsOn
) -> None:
    """Of every kind, on every kind of source."""
    made = {kind: results_on(kind) for kind in KINDS}
    arguments = [f"{kind}={results.sources[0].parent}" for kind, results in made.items()]
    there = subprocess.run(
        [sys.executable, "-m", "tests.support.every_kind", *arguments],
        cwd=ROOT,
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        check=True,
    )
    here = [line for results in made.values() for line in digests(results.series)]
    assert there.stdout.splitlines() == here
    assert {line.partition(" ")[0] for line in here} == set(Product)


@pytest.mark.parametrize("kind", KINDS)
def test_uids_are_unique_and_study_and_frame_of_reference_the_sources(
    kind: str, results_on: ResultsOn
) -> None:
    results = results_on(kind)
    sources = [pydicom.dcmread(path) for path in results.sources]
    made = uids(results.series)
    assert len(set(made)) == len(made)
    assert not set(made) & {str(item.SOPInstanceUID) for item in sources}
    assert sources[0].SeriesInstanceUID not in made
    for path in results.files:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert header.StudyInstanceUID == sources[0].StudyInstanceUID
        assert header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID
        on_voxels = header.Modality not in {"SR", "OT"} and "ConversionType" not in header
        if on_voxels:
            assert frame_of_reference(header) == sources[0].FrameOfReferenceUID


def frame_of_reference(header: Dataset) -> str:
    """An RT Structure Set has its own below Structure Set."""
    if header.Modality == "RTSTRUCT":
        (reference,) = header.ReferencedFrameOfReferenceSequence
        return str(reference.FrameOfReferenceUID)
    return str(header.FrameOfReferenceUID)


def references(dataset: Dataset) -> Iterator[str]:
    """UIDs of the series, and SOP Class and Instance, that an object refers to at any depth."""
    for element in dataset:
        for item in element.value if element.VR == "SQ" else ():
            yield from references(item)
            if "SeriesInstanceUID" in item:
                yield str(item.SeriesInstanceUID)
    if "ReferencedSOPInstanceUID" in dataset:
        yield f"{dataset.ReferencedSOPClassUID} {dataset.ReferencedSOPInstanceUID}"


# Detached Study Management, which an RT Structure Set names the study's "instance" by.
STUDY = "1.2.840.10008.3.1.2.3.1"

READERS = [
    frozenset({Product.SEG, Product.SERIES, Product.SR, Product.PICTURE}),
    frozenset({Product.LABELMAP, Product.SERIES, Product.SR_ON_LABELMAP}),
    frozenset({Product.RTSTRUCT, Product.SERIES, Product.SR_ALONE, Product.NOTE}),
    frozenset({Product.FRACTIONAL}),
]


@pytest.mark.parametrize("kinds", READERS, ids=lambda kinds: "+".join(sorted(kinds)))
def test_whatever_is_referred_to_is_there(kinds: frozenset[Product], results_on: ResultsOn) -> None:
    """In what a destination gets: the source, and results of its own kinds."""
    results = results_on("CT")
    read = [item for kind in kinds for item in results.read(kind)]
    sources = [pydicom.dcmread(path) for path in results.sources]
    there = {f"{item.SOPClassUID} {item.SOPInstanceUID}" for item in (*read, *sources)}
    there |= {str(item.SeriesInstanceUID) for item in (*read, *sources)}
    there.add(f"{STUDY} {sources[0].StudyInstanceUID}")
    for item in read:
        referred = set(references(item))
        assert referred - there == set(), item.SeriesDescription
        # Of reformats and turned views, which are made of all slices, the first one names them.
        assert referred or item.InstanceNumber > 1


@pytest.fixture(scope="module")
def first(source: list[Path]) -> set[str]:
    """The UIDs of everything that is made of it."""
    return set(uids(made_of(source, SHAPES_ONLY)))


def test_another_input_gives_other_uids(first: set[str], tmp_path: Path) -> None:
    """One voxel of one slice is enough."""
    values = body()
    values[0, 0, 0] += 1
    other = Source(tmp_path / "source", values=values).write()
    assert not first & set(uids(made_of(other, SHAPES_ONLY)))


def test_another_element_of_a_header_gives_other_uids(first: set[str], tmp_path: Path) -> None:
    def edit(dataset: Dataset, index: int) -> None:
        if index == 3:
            dataset.PatientWeight = "71"

    other = Source(tmp_path / "source", edit=edit).write()
    assert not first & set(uids(made_of(other, SHAPES_ONLY)))


def test_another_setting_gives_other_uids(first: set[str], source: list[Path]) -> None:
    steps = (Step("shapes", ShapesParameters(-124.0, 476.5)),)
    assert not first & set(uids(made_of(source, steps)))


def test_another_version_of_an_algorithm_gives_other_uids(
    first: set[str], source: list[Path]
) -> None:
    newer = replace(SHAPES, version="2")
    assert not first & set(uids(made_of(source, SHAPES_ONLY, algorithm=newer)))


def test_another_version_of_the_software_gives_other_uids(
    first: set[str], source: list[Path]
) -> None:
    with patch.object(context, "IMPLEMENTATION_VERSION_NAME", "HOUNSFIELD_99"):
        assert not first & set(uids(made_of(source, SHAPES_ONLY)))


@pytest.mark.parametrize(
    "form",
    [
        Form(first_series_number=700),
        Form(series_number_offsets=(("shapes", 50),)),
        Form(unicode=True),
    ],
    ids=["first series number", "block", "character set"],
)
def test_another_form_gives_other_uids(form: Form, first: set[str], source: list[Path]) -> None:
    moved = Dialect(frozenset(Product), form)
    assert not first & set(uids(made_of(source, SHAPES_ONLY, (moved,))))


@pytest.mark.parametrize("product", Product)
def test_other_kinds_beside_it_change_no_object(product: Product, results_on: ResultsOn) -> None:
    """What a report goes with is asked for too."""
    masks = {Product.SR: Product.SEG, Product.SR_ON_LABELMAP: Product.LABELMAP}
    few = frozenset({product, masks.get(product, product)})
    results = results_on("CT")
    made = made_of(results.sources, steps_on("CT"), (Dialect(few),))
    assert digests(of(product, made)) == digests(of(product, results.series))


def of(product: Product, series: tuple[ResultSeries, ...]) -> list[ResultSeries]:
    return [each for each in series if each.product is product]
