"""Which mask a report refers to, and what it says where there is none."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.algorithms.measure import MEAN, VOLUME, measure_lungs
from pipeline.encode import (
    EncodedLabelMap,
    ReportName,
    ResultContext,
    encode_as,
    encode_measurements,
)
from pipeline.errors import EncodingError
from pipeline.findings import LabelMap
from pipeline.products import Product
from pipeline.volume import Volume
from tests.support.reports import everything, expected_ml, groups_of, items, number, only
from tests.support.tools import pixelmed_says, require

ErrorsOf = Callable[..., list[str]]
Write = Callable[..., list[Path]]
MASKS = {
    ReportName.ON_SEGMENTATIONS: Product.SEG,
    ReportName.ON_LABEL_MAP_SEGMENTATIONS: Product.LABELMAP,
    ReportName.ALONE: None,
}


def mask_of(
    name: ReportName, label_map: LabelMap, volume: Volume, context: ResultContext
) -> Dataset | None:
    form = MASKS[name]
    return next(iter(encode_as(form, label_map, volume, context)), None) if form else None


def report_on(
    name: ReportName, label_map: LabelMap, volume: Volume, context: ResultContext
) -> Dataset:
    """The measurements of a label map of lungs, for readers that have this mask of it."""
    groups = measure_lungs(label_map, volume.voxels, volume.geometry.spacing)
    encoded = EncodedLabelMap(label_map, mask_of(name, label_map, volume, context))
    (report,) = encode_measurements(groups, [encoded], volume, context, name)
    return report


def with_labels(label_map: LabelMap, *numbers: int) -> LabelMap:
    """Only the voxels of these segments."""
    labels = label_map.labels
    return replace(label_map, labels=np.where(np.isin(labels, numbers), labels, 0).astype(np.uint8))


def evidence_of(report: Dataset) -> list[str]:
    """The instances besides the source's."""
    _, *series = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    return [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in series]


def templates_of(report: Dataset) -> set[str]:
    return {group.ContentTemplateSequence[0].TemplateIdentifier for group in groups_of(report)}


def comments_of(report: Dataset) -> list[str]:
    return [
        str(item.TextValue) for item in items(only(report, "Qualitative Evaluations"), "Comment")
    ]


def test_only_segments_of_a_segmentation_are_referred_to(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """The evidence names the mask that the reader has, of either class; or none."""
    for name, template, references in (
        (ReportName.ON_SEGMENTATIONS, "1411", 4),
        (ReportName.ON_LABEL_MAP_SEGMENTATIONS, "1501", 0),
        (ReportName.ALONE, "1501", 0),
    ):
        report = report_on(name, label_map, volume, context)
        mask = mask_of(name, label_map, volume, context)
        assert evidence_of(report) == ([mask.SOPInstanceUID] if mask else [])
        assert templates_of(report) == {template}
        images = [item for item in everything(report) if item.ValueType == "IMAGE"]
        assert len(images) == references
        sources = [item for item in everything(report) if item.ValueType == "UIDREF"]
        assert len(sources) == (7 if references else 4)


def test_each_is_tracked_as_the_segments_are(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """So a reader finds the mask of what was measured without a reference to it."""
    mask = mask_of(ReportName.ON_LABEL_MAP_SEGMENTATIONS, label_map, volume, context)
    assert mask is not None
    segments = [(item.TrackingID, item.TrackingUID) for item in mask.SegmentSequence[1:]]
    for name in ReportName:
        report = report_on(name, label_map, volume, context)
        tracked = [
            (
                only(group, "Tracking Identifier").TextValue,
                only(group, "Tracking Unique Identifier").UID,
            )
            for group in groups_of(report)
        ]
        assert tracked[:2] == segments
        assert [value for group in groups_of(report) for value in numbers_of(group)][0::4] == (
            pytest.approx(expected_ml(label_map, volume))
        )


def numbers_of(group: Dataset) -> list[float]:
    return [number(item) for item in group.ContentSequence if item.ValueType == "NUM"]


def test_reports_of_different_readers_are_different_objects(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    reports = [report_on(name, label_map, volume, context) for name in ReportName]
    assert len({report.SOPInstanceUID for report in reports}) == len(ReportName)
    assert len({report.SeriesInstanceUID for report in reports}) == len(ReportName)
    assert {report.SeriesDescription for report in reports} == {"Measurements (lungs 1.2)"}


@pytest.mark.parametrize("name", ReportName)
def test_nothing_found_is_said_in_words(
    name: ReportName, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """The label map is named, and what was measured of it; nothing is referred to."""
    nothing = replace(with_labels(label_map), remarks=("The scan was short.",))
    report = report_on(name, nothing, volume, context)
    assert items(report, "Imaging Measurements") == []
    first, *rest = comments_of(report)
    assert first.startswith("Lungs: nothing was found.")
    assert "'lungs' (Right lung, Left lung)" in first
    assert rest == [
        "Right lung: Volume 0.0 ml.",
        "Left lung: Volume 0.0 ml.",
        "Both lungs: Volume 0.0 ml.",
        "The scan was short.",
    ]
    assert evidence_of(report) == []
    assert not any(item.ValueType == "IMAGE" for item in everything(report))


def test_one_label_map_of_two_may_be_empty(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """Its groups are in words, the other's refer to its mask."""
    other = replace(with_labels(label_map), name="other", description="Other")
    spacing = volume.geometry.spacing
    groups = [
        *measure_lungs(label_map, volume.voxels, spacing),
        *measure_lungs(other, volume.voxels, spacing, total="Both others"),
    ]
    mask = mask_of(ReportName.ON_SEGMENTATIONS, label_map, volume, context)
    encoded = [EncodedLabelMap(label_map, mask), EncodedLabelMap(other, None)]
    (report,) = encode_measurements(groups, encoded, volume, context)
    assert len(groups_of(report)) == 3
    assert templates_of(report) == {"1411"}
    assert comments_of(report)[-1] == "Both others: Volume 0.0 ml."


@pytest.mark.parametrize("name", ReportName)
def test_segment_without_a_voxel_keeps_its_group(
    name: ReportName, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """Its volume is nothing; the reference is to a segment that is described."""
    half = with_labels(label_map, 1)
    report = report_on(name, half, volume, context)
    right, left, both = groups_of(report)
    assert [len(numbers_of(group)) for group in (right, left, both)] == [4, 1, 4]
    assert numbers_of(left) == [0]
    if name is ReportName.ON_SEGMENTATIONS:
        mask = mask_of(name, half, volume, context)
        assert mask is not None
        described = {item.SegmentNumber for item in mask.SegmentSequence}
        reference = only(left, "Referenced Segment").ReferencedSOPSequence[0]
        assert reference.ReferencedSegmentNumber in described


def test_mean_of_no_voxel_is_left_out(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """As numpy gives it, where an algorithm asks; of voxels it is refused."""
    half, nothing = with_labels(label_map, 1), with_labels(label_map)
    group = measure_lungs(half, volume.voxels, volume.geometry.spacing)[1]
    mean = replace(group.measurements[0], name=MEAN, value=float("nan"))
    asked = replace(group, measurements=(*group.measurements, mean))
    encoded = EncodedLabelMap(half, mask_of(ReportName.ON_SEGMENTATIONS, half, volume, context))
    (report,) = encode_measurements([asked], [encoded], volume, context)
    assert numbers_of(groups_of(report)[0]) == [0]
    (report,) = encode_measurements([asked], [EncodedLabelMap(nothing, None)], volume, context)
    assert comments_of(report)[-1] == "Left lung: Volume 0.0 ml."
    nameless = replace(asked, measurements=(mean,))
    (report,) = encode_measurements([nameless], [EncodedLabelMap(nothing, None)], volume, context)
    assert comments_of(report)[-1] == "Left lung: nothing to measure."
    with pytest.raises(EncodingError, match="Mean is nan"):
        encode_measurements([replace(asked, segments=(1,))], [encoded], volume, context)


@pytest.mark.parametrize("name", ReportName)
@pytest.mark.parametrize("present", [(1, 2), (1,), ()])
def test_validator_finds_no_error(
    *,
    name: ReportName,
    present: tuple[int, ...],
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    (path,) = write("sr", [report_on(name, with_labels(label_map, *present), volume, context)])
    assert errors_of("dciodvfy", [path]) == []


@pytest.mark.peers
@pytest.mark.parametrize("name", ReportName)
@pytest.mark.parametrize("present", [(1, 2), ()])
def test_dcmtk_reads_it_without_a_word(
    *,
    name: ReportName,
    present: tuple[int, ...],
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    write: Write,
) -> None:
    """It refuses a report with an item that refers to a class that it does not know."""
    (path,) = write("sr", [report_on(name, with_labels(label_map, *present), volume, context)])
    answer = subprocess.run(
        [require("dsrdump"), str(path)], capture_output=True, text=True, check=True
    )
    assert answer.stderr == ""
    assert answer.stdout.count('"Measurement Group"') == (3 if present else 0)
    assert answer.stdout.count("nothing was found") == (0 if present else 1)


@pytest.mark.peers
@pytest.mark.parametrize("present", [(1, 2), ()])
def test_pixelmed_finds_the_templates_followed(
    present: tuple[int, ...],
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    write: Write,
) -> None:
    """TID 1501 in place of 1411, and no measurements at all."""
    found = with_labels(label_map, *present)
    (path,) = write("sr", [report_on(ReportName.ALONE, found, volume, context)])
    said = pixelmed_says(path)
    assert "Root Template Validation Complete" in said
    assert "Error" not in said
    assert "Warning" not in said


def test_dcmqi_reads_volumes_without_a_mask(
    *,
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    write: Write,
    tool: Callable[[str], str],
    tmp_path: Path,
) -> None:
    (path,) = write("sr", [report_on(ReportName.ALONE, label_map, volume, context)])
    out = tmp_path / "read.json"
    command = [tool("tid1500reader"), "--inputDICOM", str(path), "--outputMetadata", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    read = json.loads(out.read_text())["Measurements"]
    volumes = [float(group["measurementItems"][0]["value"]) for group in read]
    assert volumes == pytest.approx(expected_ml(label_map, volume), rel=1e-12)
    assert read[0]["measurementItems"][0]["quantity"]["CodeValue"] == VOLUME.value
