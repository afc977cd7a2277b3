"""What dicom3tools says of every kind of result on every kind of source."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pipeline.encode import part10_bytes
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.products import Product
from tests.integration.results.conftest import ResultsOn
from tests.support.enhanced import enhanced_ct, enhanced_mr, enhanced_pet
from tests.support.every_kind import (
    KINDS,
    SAGITTAL,
    Source,
    results_of,
    results_on_files,
    steps_on,
)
from tests.support.tools import validator_lines
from tests.support.validators import (
    KNOWN_DISAGREEMENTS,
    KNOWN_WARNINGS,
    ends_of,
    verdicts,
    without,
)


@pytest.fixture(scope="module")
def verdicts_on(results_on: ResultsOn) -> dict[str, list[str]]:
    """By kind of source."""
    return {kind: verdicts(ends_of(results_on(kind))) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_no_error_and_known_warnings_only(
    kind: str, results_on: ResultsOn, verdicts_on: dict[str, list[str]]
) -> None:
    assert results_on(kind).paths.keys() == set(Product)
    assert without(KNOWN_WARNINGS, verdicts_on[kind]) == []


def test_each_known_warning_is_still_given(verdicts_on: dict[str, list[str]]) -> None:
    """One that is not could hide something else some day."""
    lines = [line for said in verdicts_on.values() for line in said]
    for known in KNOWN_WARNINGS:
        assert any(re.match(known, line) for line in lines)


def test_sagittal_source_has_no_error(tmp_path: Path) -> None:
    source = Source(tmp_path / "source", "MR", SAGITTAL)
    results = results_of(source, tmp_path / "results", views=False)
    assert without(KNOWN_WARNINGS, verdicts(ends_of(results))) == []


@pytest.mark.parametrize(
    ("make", "kind"), [(enhanced_ct, "CT"), (enhanced_mr, "MR"), (enhanced_pet, "PT")]
)
def test_no_kind_has_an_error_on_a_multi_frame_source(
    make: Callable[..., Dataset], kind: str, tmp_path: Path
) -> None:
    image = make(list(phantom_instances(chest_phantom(slices=6, size=32))))
    path = tmp_path / "source.dcm"
    path.write_bytes(part10_bytes(image))
    results = results_on_files([path], tmp_path / "results", steps_on(kind))
    assert results.paths.keys() == set(Product)
    assert without(KNOWN_WARNINGS, verdicts(ends_of(results))) == []


def no_label(dataset: Dataset) -> None:
    del dataset.SegmentSequence[0].SegmentLabel


def no_name(dataset: Dataset) -> None:
    del dataset.StructureSetROISequence[0].ROIName


def without_element(keyword: str) -> Callable[[Dataset], None]:
    return lambda dataset: delattr(dataset, keyword)


BREAK = {
    Product.SEG: (no_label, "SegmentLabel"),
    Product.LABELMAP: (no_label, "SegmentLabel"),
    Product.FRACTIONAL: (without_element("MaximumFractionalValue"), "MaximumFractionalValue"),
    Product.RTSTRUCT: (no_name, "ROIName"),
    Product.SERIES: (without_element("ImagePositionPatient"), "ImagePositionPatient"),
    Product.SR: (without_element("CompletionFlag"), "CompletionFlag"),
    Product.SR_ON_LABELMAP: (without_element("CompletionFlag"), "CompletionFlag"),
    Product.SR_ALONE: (without_element("CompletionFlag"), "CompletionFlag"),
    Product.PICTURE: (without_element("ConversionType"), "ConversionType"),
    Product.NOTE: (without_element("ConversionType"), "ConversionType"),
}


@pytest.mark.parametrize("product", Product)
def test_broken_object_of_each_kind_is_found(
    product: Product, results_on: ResultsOn, tmp_path: Path
) -> None:
    instance = results_on("CT").read(product)[0]
    spoil, keyword = BREAK[product]
    spoil(instance)
    path = tmp_path / "broken.dcm"
    path.write_bytes(part10_bytes(instance))
    assert any("Error" in line and keyword in line for line in verdicts([path]))


@pytest.mark.parametrize("kind", KINDS)
def test_source_and_all_results_agree_with_each_other(kind: str, results_on: ResultsOn) -> None:
    results = results_on(kind)
    lines = validator_lines("dcentvfy", [*results.sources, *results.files])
    assert without(KNOWN_DISAGREEMENTS, lines) == []


@pytest.mark.parametrize("product", Product)
def test_result_of_another_patient_is_found(
    product: Product, results_on: ResultsOn, tmp_path: Path
) -> None:
    results = results_on("CT")
    instance = results.read(product)[0]
    instance.PatientBirthDate = "19500101"
    path = tmp_path / "other.dcm"
    path.write_bytes(part10_bytes(instance))
    lines = without(KNOWN_DISAGREEMENTS, validator_lines("dcentvfy", [*results.sources, path]))
    assert any("PatientBirthDate" in line for line in lines)
