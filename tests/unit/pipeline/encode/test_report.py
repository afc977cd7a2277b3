"""Measurements as a structured report."""

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage, PositronEmissionTomographyImageStorage

import pipeline
from pipeline.algorithms.measure import EMPHYSEMA_INDEX, VOLUME, measure_brain, measure_lungs
from pipeline.encode import (
    EncodedLabelMap,
    ResultContext,
    encode_measurements,
    part10_bytes,
)
from pipeline.errors import EncodingError
from pipeline.findings import LabelMap, MeasurementGroup
from pipeline.instance import read_instance
from pipeline.volume import Receipt, Volume, build_volume
from tests.support.encoding import encode
from tests.support.reports import everything, expected_ml, groups_of, items, number, only, value

ErrorsOf = Callable[..., list[str]]
MakeVolume = Callable[..., Volume]
ReportOf = Callable[[LabelMap, Volume, ResultContext], Dataset]
Write = Callable[..., list[Path]]

AGAIN = """
import hashlib, pickle, sys
from pipeline.encode import EncodedLabelMap, encode_measurements, part10_bytes
from tests.support.encoding import encode
groups, label_map, volume, context = pickle.loads(sys.stdin.buffer.read())
encoded = EncodedLabelMap(label_map, encode(label_map, volume, context)[0])
(report,) = encode_measurements(groups, [encoded], volume, context)
print(hashlib.sha256(part10_bytes(report)).hexdigest())
"""


def test_segments_are_tracked_and_referred_to_as_in_the_segmentation(
    volume: Volume, label_map: LabelMap, context: ResultContext, report: Dataset
) -> None:
    (segmentation,) = encode(label_map, volume, context)
    for group, segment in zip(groups_of(report), segmentation.SegmentSequence, strict=False):
        assert only(group, "Tracking Identifier").TextValue == segment.TrackingID
        assert segment.TrackingUID == only(group, "Tracking Unique Identifier").UID
        (reference,) = only(group, "Referenced Segment").ReferencedSOPSequence
        assert reference.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        assert reference.ReferencedSegmentNumber == segment.SegmentNumber
        source = only(group, "Source series for segmentation")
        assert volume.series_instance_uid == source.UID


def test_total_refers_to_each_segment_and_is_tracked_by_itself(report: Dataset) -> None:
    right, left, both = groups_of(report)
    numbers = [
        item.ReferencedSOPSequence[0].ReferencedSegmentNumber
        for item in items(both, "Referenced Segment")
    ]
    assert numbers == [1, 2]
    uids = {only(group, "Tracking Unique Identifier").UID for group in (right, left, both)}
    assert len(uids) == 3
    assert only(both, "Tracking Identifier").TextValue == "lungs lungs Both lungs"


def test_references_resolve(
    volume: Volume, label_map: LabelMap, context: ResultContext, report: Dataset
) -> None:
    """The evidence is the source and the SEG, and nothing else is referred to."""
    (segmentation,) = encode(label_map, volume, context)
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    assert evidence.StudyInstanceUID == report.StudyInstanceUID == "1.2.3.1"
    listed = {
        (series.SeriesInstanceUID, item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID)
        for series in evidence.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    there = [*(source.header for source in volume.sources), segmentation]
    assert listed == {
        (item.SeriesInstanceUID, item.SOPClassUID, item.SOPInstanceUID) for item in there
    }
    referred = {
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in everything(report)
        if item.ValueType == "IMAGE"
    }
    assert referred == {segmentation.SOPInstanceUID}


def test_site_is_the_structure_with_its_side_or_both(report: Dataset) -> None:
    sites = [only(group, "Finding Site") for group in groups_of(report)]
    assert {value(site) for site in sites} == {"39607008"}
    sides = [value(only(site, "Laterality")) for site in sites]
    assert sides == ["24028007", "7771000", "51440002"]
    assert {value(only(group, "Finding")) for group in groups_of(report)} == {"39607008"}


def test_structures_of_several_kinds_are_sites_of_their_own(
    volume: Volume, label_map: LabelMap, context: ResultContext, report_of: ReportOf
) -> None:
    """Then the group has no finding: the template allows one."""
    right, left = label_map.segments
    trachea = replace(left.type, value="44567001", meaning="Trachea")
    mixed = replace(label_map, segments=(right, replace(left, type=trachea, laterality=None)))
    *_, both = groups_of(report_of(mixed, volume, context))
    lung, other = items(both, "Finding Site")
    assert (value(lung), value(other)) == ("39607008", "44567001")
    assert value(only(lung, "Laterality")) == "24028007"
    assert "ContentSequence" not in other
    assert items(both, "Finding") == []


def test_every_number_comes_back_to_the_last_bit(
    volume: Volume, label_map: LabelMap, report: Dataset
) -> None:
    measured = measure_lungs(label_map, volume.voxels, volume.geometry.spacing)
    read = pydicom.dcmread(BytesIO(part10_bytes(report)))
    for ours, group in zip(measured, groups_of(read), strict=True):
        numbers = [item for item in group.ContentSequence if item.ValueType == "NUM"]
        assert [number(item) for item in numbers] == [item.value for item in ours.measurements]
        units = [item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence for item in numbers]
        assert [unit[0].CodeValue for unit in units] == ["ml", "[hnsf'U]", "[hnsf'U]", "%"]


def test_statistics_of_hu_are_attenuation_with_a_derivation(report: Dataset) -> None:
    for group in groups_of(report):
        mean, spread = items(group, "Attenuation Coefficient")
        assert value(only(mean, "Derivation")) == "373098007"
        assert value(only(spread, "Derivation")) == "386136009"
        share = only(group, EMPHYSEMA_INDEX.meaning)
        assert share.ConceptNameCodeSequence[0].CodingSchemeDesignator == "99HOUNSFIELD"
        assert (
            only(share, "Equation").TextValue == "Share of the voxels below -950 Hounsfield Units"
        )


def test_observer_is_this_software_as_configured(
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    report: Dataset,
    report_of: ReportOf,
) -> None:
    assert value(only(report, "Observer Type")) == "121007"
    assert only(report, "Device Observer Name").TextValue == "lungs 1.2"
    assert only(report, "Device Observer Model Name").TextValue == "Hounsfield lungs"
    assert only(report, "Device Observer Serial Number").TextValue == context.settings_digest
    other = report_of(label_map, volume, replace(context, settings_digest="6f" * 32))
    later = report_of(label_map, volume, replace(context, input_digests=("cc" * 32,)))
    uid, other_uid, later_uid = (
        only(item, "Device Observer UID").UID for item in (report, other, later)
    )
    assert uid == later_uid != other_uid
    assert only(only(report, "Imaging Measurements"), "Algorithm Version").TextValue == "1.2"


def test_series_is_one_of_its_own(
    volume: Volume, label_map: LabelMap, context: ResultContext, report: Dataset
) -> None:
    """Complete, verified by nobody, marked as the other results are; no image's attributes."""
    (segmentation,) = encode(label_map, volume, context)
    assert report.SeriesInstanceUID != segmentation.SeriesInstanceUID
    assert report.SOPInstanceUID != segmentation.SOPInstanceUID
    assert report.SeriesDescription == "Measurements (lungs 1.2)"
    assert (report.Modality, report.InstanceNumber) == ("SR", 1)
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert report.ContentQualification == "RESEARCH"
    assert (report.ContentDate, report.ContentTime) == ("20240506", "220809.123456")
    assert "FrameOfReferenceUID" not in report
    assert "BodyPartExamined" not in report


@pytest.mark.parametrize(
    ("modality", "sop_class", "procedure"),
    [
        ("MR", MRImageStorage, "25056-3"),
        ("PT", PositronEmissionTomographyImageStorage, "44136-0"),
        ("OT", MRImageStorage, "363679005"),
    ],
)
def test_brain_of_another_modality_gives_its_volume_and_procedure(
    *,
    modality: str,
    sop_class: str,
    procedure: str,
    make_volume: MakeVolume,
    label_map: LabelMap,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        dataset.Modality, dataset.SOPClassUID = modality, sop_class

    volume = make_volume(edit)
    one = replace(label_map.segments[0], label="Brain", laterality=None)
    labels = np.where(label_map.labels == 1, 1, 0).astype(np.uint8)
    brain = replace(label_map, name="brain", labels=labels, segments=(one,))
    measured = measure_brain(brain, volume.voxels, volume.geometry.spacing, modality)
    encoded = EncodedLabelMap(brain, encode(brain, volume, context)[0])
    (report,) = encode_measurements([measured], [encoded], volume, context)
    assert value(only(report, "Procedure reported")) == procedure
    (group,) = groups_of(report)
    (found,) = [item for item in group.ContentSequence if item.ValueType == "NUM"]
    assert number(found) == expected_ml(label_map, volume)[0]
    assert "ContentSequence" not in only(group, "Finding Site")
    (path,) = write("sr", [report])
    assert errors_of("dciodvfy", [path]) == []


def test_what_a_reader_must_know_is_in_comments(
    *,
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    report_of: ReportOf,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    """The receipt's warnings, then the label map's remarks; any length."""
    remark = "The lungs are widely joined. " * 20
    receipt = replace(receipt_of(volume), warnings=("2 slice(s) are missing.",))
    remarked = replace(label_map, remarks=(remark,))
    report = report_of(remarked, volume, replace(context, receipt=receipt))
    comments = items(only(report, "Qualitative Evaluations"), "Comment")
    assert [item.TextValue for item in comments] == ["2 slice(s) are missing.", remark.strip()]
    (path,) = write("sr", [report])
    assert errors_of("dciodvfy", [path]) == []


def receipt_of(volume: Volume) -> Receipt:
    """How the volume was made: rebuilt once more."""
    paths = [source.instance.path for source in volume.sources]
    return build_volume([read_instance(path) for path in paths]).receipt


def test_nothing_to_know_gives_no_comments(report: Dataset) -> None:
    assert items(report, "Qualitative Evaluations") == []


def test_segment_without_voxels_has_a_volume_of_nothing(
    volume: Volume, label_map: LabelMap, context: ResultContext, report_of: ReportOf
) -> None:
    labels = np.where(label_map.labels == 1, 1, 0).astype(np.uint8)
    report = report_of(replace(label_map, labels=labels), volume, context)
    _, left, _ = groups_of(report)
    (found,) = [item for item in left.ContentSequence if item.ValueType == "NUM"]
    assert number(found) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label_map": "other"}, "'other', which lungs 1.2 did not give"),
        ({"segments": (1, 3)}, r"segments \(1, 3\) of the label map 'lungs'"),
        ({"segments": ()}, r"segments \(\) of"),
    ],
)
def test_measurements_of_what_is_not_there_are_refused(
    *,
    change: dict[str, object],
    reason: str,
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
) -> None:
    (group, *_) = measure_lungs(label_map, volume.voxels, volume.geometry.spacing)
    with pytest.raises(EncodingError, match=reason):
        encoded_with(replace(group, **change), label_map, volume, context)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_value_that_is_no_number_is_refused(
    odd: float, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    (group, *_) = measure_lungs(label_map, volume.voxels, volume.geometry.spacing)
    measured = replace(group.measurements[0], value=odd)
    with pytest.raises(EncodingError, match=f"{VOLUME.meaning} is {odd}"):
        encoded_with(replace(group, measurements=(measured,)), label_map, volume, context)


def test_measurement_without_definition_or_statistic_is_a_bare_number(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """As an algorithm of a site's own may give it; text may not be empty in a report."""
    (group, *_) = measure_lungs(label_map, volume.voxels, volume.geometry.spacing)
    bare = replace(group.measurements[0], definition="")
    report = encoded_with(replace(group, measurements=(bare,)), label_map, volume, context)
    (found,) = groups_of(report)
    assert "ContentSequence" not in only(found, "Volume")


def encoded_with(
    group: MeasurementGroup, label_map: LabelMap, volume: Volume, context: ResultContext
) -> Dataset:
    encoded = EncodedLabelMap(label_map, encode(label_map, volume, context)[0])
    (report,) = encode_measurements([group], [encoded], volume, context)
    return report


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns"])
def test_another_process_zone_and_locale_give_the_same_bytes(
    zone: str,
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    report: Dataset,
) -> None:
    groups = measure_lungs(label_map, volume.voxels, volume.geometry.spacing)
    there = subprocess.run(
        [sys.executable, "-c", AGAIN],
        input=pickle.dumps((groups, label_map, volume, context)),
        env={
            **os.environ,
            "TZ": zone,
            "LC_ALL": "de_DE.UTF-8",
            "PYTHONHASHSEED": "7",
            "PYTHONPATH": str(Path(pipeline.__file__).parents[1]),
        },
        capture_output=True,
        check=True,
    )
    assert there.stdout.decode().strip() == hashlib.sha256(part10_bytes(report)).hexdigest()
    assert b"highdicom" not in part10_bytes(report).lower()
