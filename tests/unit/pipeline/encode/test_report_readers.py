"""What validators and readers of others make of our reports."""

import json
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from highdicom.sr import Comprehensive3DSR, MeasurementReport, srread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from pipeline.encode import ResultContext, part10_bytes
from pipeline.findings import LabelMap
from pipeline.volume import Volume
from tests.support.encoding import encode
from tests.support.reports import expected_ml
from tests.support.tools import pixelmed_says, require

ErrorsOf = Callable[..., list[str]]
ReportOf = Callable[[LabelMap, Volume, ResultContext], Dataset]
Write = Callable[..., list[Path]]

GROUPS = 3
"""Right lung, left lung, both."""


def drop_optional(dataset: Dataset, _index: int) -> None:
    for keyword in ("Manufacturer", "BodyPartExamined", "SliceThickness", "PatientPosition"):
        del dataset[keyword]


def fill_optional(dataset: Dataset, _index: int) -> None:
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "R1", "R2"
    dataset.RequestAttributesSequence = [request]
    dataset.LossyImageCompression = "01"
    dataset.TimezoneOffsetFromUTC = "+0530"
    dataset.BurnedInAnnotation = "YES"
    dataset.PatientAge, dataset.PatientWeight = "064Y", "70"
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize("edit", [lambda *_: None, drop_optional, fill_optional])
def test_dciodvfy_finds_no_error(
    *,
    edit: Callable[[Dataset, int], None],
    make_volume: Callable[..., Volume],
    label_map: LabelMap,
    context: ResultContext,
    report_of: ReportOf,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    (path,) = write("sr", [report_of(label_map, make_volume(edit), context)])
    assert errors_of("dciodvfy", [path]) == []


def test_broken_report_is_found(report: Dataset, write: Write, errors_of: ErrorsOf) -> None:
    del report.CompletionFlag
    (path,) = write("broken", [report])
    assert any("CompletionFlag" in line for line in errors_of("dciodvfy", [path]))


def test_source_segmentation_and_report_agree(
    *,
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    report: Dataset,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    paths = write("results", [*encode(label_map, volume, context), report])
    assert errors_of("dcentvfy", [source.instance.path for source in volume.sources] + paths) == []


@pytest.mark.peers
def test_dsrdump_prints_the_whole_tree(report: Dataset, write: Write) -> None:
    """DCMTK reads it without a word of complaint."""
    (path,) = write("sr", [report])
    command = [require("dsrdump"), "--print-all-codes", "--number-nested-items", str(path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stderr == ""
    assert answer.stdout.count('"Measurement Group"') == GROUPS
    assert answer.stdout.count("Referenced Segment") == 4
    assert answer.stdout.count("Attenuation Coefficient") == 2 * GROUPS


@pytest.mark.peers
def test_pixelmed_finds_the_templates_followed(report: Dataset, write: Write) -> None:
    (path,) = write("sr", [report])
    said = pixelmed_says(path)
    assert "Found Root Template TID_1500" in said
    assert "IOD validation complete" in said
    assert "Error" not in said
    assert "Warning" not in said


def test_dcmqi_reads_our_volumes(
    *,
    volume: Volume,
    label_map: LabelMap,
    report: Dataset,
    write: Write,
    tool: Callable[[str], str],
    tmp_path: Path,
) -> None:
    (path,) = write("sr", [report])
    out = tmp_path / "read.json"
    command = [tool("tid1500reader"), "--inputDICOM", str(path), "--outputMetadata", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    read = json.loads(out.read_text())["Measurements"]
    volumes = [float(group["measurementItems"][0]["value"]) for group in read]
    assert volumes == pytest.approx(expected_ml(label_map, volume), rel=1e-12)
    assert [group["Laterality"]["CodeMeaning"] for group in read] == ["Right", "Left", "Bilateral"]
    assert [group["ReferencedSegment"] for group in read[:2]] == [1, 2]
    assert read[0]["measurementItems"][1]["derivationModifier"]["CodeMeaning"] == "Mean"


def test_highdicom_reads_our_volumes(volume: Volume, label_map: LabelMap, report: Dataset) -> None:
    read = srread(BytesIO(part10_bytes(report)))
    assert isinstance(read, Comprehensive3DSR)
    content = read.content
    assert isinstance(content, MeasurementReport)
    groups = content.get_volumetric_roi_measurement_groups(tracking_uid=None)
    found = [
        measurement.value
        for group in groups
        for measurement in group.get_measurements(name=codes.SCT.Volume)
    ]
    assert found == pytest.approx(expected_ml(label_map, volume), rel=1e-12)
