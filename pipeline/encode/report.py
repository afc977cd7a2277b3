"""What was measured as a structured report: one Comprehensive 3D SR for each step of a pipeline.

The tree is a Measurement Report (TID 1500) with one group of measurements (TID 1411) for each
segment and each total. There is no image library: nobody needs a copy of 300 slices' headers to
read a volume.

Source: PS3.3 A.35.13 (Comprehensive 3D SR IOD), C.17.2 (SR Document General); PS3.16 TID 1500,
1204, 1002, 1004, 1411, 1419 and 4019.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from pipeline.encode import report_codes as codes
from pipeline.encode.content_items import (
    Relationship,
    coded_item,
    container_item,
    number_item,
    segment_item,
    text_item,
    uid_item,
)
from pipeline.encode.context import ResultContext
from pipeline.encode.header import document_header
from pipeline.encode.part10 import set_file_meta
from pipeline.encode.references import instance_reference
from pipeline.errors import EncodingError
from pipeline.findings import Code, LabelMap, Measurement, MeasurementGroup, Segment
from pipeline.volume import Volume

_CONTAINS = Relationship.CONTAINS
_MODIFIER = Relationship.HAS_CONCEPT_MODIFIER
_CONTEXT = Relationship.HAS_OBSERVATION_CONTEXT


@dataclass(frozen=True, eq=False, slots=True)
class EncodedLabelMap:
    """A label map and the Segmentation that says it."""

    finding: LabelMap
    segmentation: Dataset


@dataclass(frozen=True, slots=True)
class _Name:
    """What UIDs and the series list call a report; a step gives no more than one."""

    name: str = "measurements"
    description: str = "Measurements"


_NAME = _Name()


def encode_measurements(
    groups: Sequence[MeasurementGroup],
    label_maps: Sequence[EncodedLabelMap],
    volume: Volume,
    context: ResultContext,
) -> tuple[Dataset, ...]:
    """Say in one report what a step measured.

    Parameters
    ----------
    groups
        In the order of the report.
    label_maps
        Those of the same step, which the groups name.
    volume
        The rebuilt source series. Its headers are read, never changed.
    context
        Who measured, from what, and when; the same as of the label maps but for the series
        number.

    Returns
    -------
    The one instance of a new series in the source's study. The same arguments give the same
    object.

    Raises
    ------
    EncodingError
        A group names a label map or segment that is not there, or a value is no number.
    """
    named = {item.finding.name: item for item in label_maps}
    subjects = [_subject(group, named, context) for group in groups]
    report = document_header(_NAME, volume, context)
    _add_document(report, context)
    report.CurrentRequestedProcedureEvidenceSequence = [_evidence(report, subjects, volume)]
    content = [
        *_preamble(report, volume, context),
        _measurements(report, subjects, volume, context),
        *_comments(label_maps, context),
    ]
    report.update(
        container_item(codes.MEASUREMENT_REPORT, content, relationship=None, template="1500")
    )
    set_file_meta(report)
    return (report,)


@dataclass(frozen=True, eq=False, slots=True)
class _Subject:
    """A group of measurements and what they were taken of.

    Parameters
    ----------
    segments
        In the order of the group.
    tracking_id, tracking_uid
        Those of the segment; of their own where there are several.
    """

    group: MeasurementGroup
    segmentation: Dataset
    segments: tuple[Segment, ...]
    tracking_id: str
    tracking_uid: str


def _subject(
    group: MeasurementGroup, label_maps: dict[str, EncodedLabelMap], context: ResultContext
) -> _Subject:
    found = label_maps.get(group.label_map)
    known = {segment.number: segment for segment in found.finding.segments} if found else {}
    if found is None or not group.segments or not known.keys() >= set(group.segments):
        raise EncodingError(
            f"The measurements {group.label!r} are of segments {group.segments} of the label map "
            f"{group.label_map!r}, which {context.author} did not give."
        )
    # A segment is tracked as the Segmentation says. No segment stands for several taken together.
    tracking_id = f"{context.algorithm} {group.label_map} {group.label}"
    tracking_uid = context.tracking_uid(group.label_map, *group.segments)
    if len(group.segments) == 1:
        (described,) = (
            item
            for item in found.segmentation.SegmentSequence
            if item.SegmentNumber == group.segments[0]
        )
        tracking_id, tracking_uid = described.TrackingID, described.TrackingUID
    segments = tuple(known[number] for number in group.segments)
    return _Subject(group, found.segmentation, segments, str(tracking_id), str(tracking_uid))


def _add_document(report: Dataset, context: ResultContext) -> None:
    """SOP Class, SR Document Series and SR Document General: complete, and seen by no person."""
    report.SOPClassUID = Comprehensive3DSRStorage
    report.SOPInstanceUID = context.instance_uid(_NAME.name, 1)
    report.Modality = "SR"
    report.ReferencedPerformedProcedureStepSequence = []
    report.InstanceNumber = 1
    report.CompletionFlag = "COMPLETE"
    report.VerificationFlag = "UNVERIFIED"
    report.PreliminaryFlag = "PRELIMINARY"
    report.PerformedProcedureCodeSequence = []


def _evidence(report: Dataset, subjects: Sequence[_Subject], volume: Volume) -> Dataset:
    """The source series and the Segmentations, all in the study of the report."""
    sources = {source.sop_instance_uid: source for source in volume.sources}.values()
    segmentations = {
        str(subject.segmentation.SOPInstanceUID): subject.segmentation for subject in subjects
    }.values()
    evidence = Dataset()
    evidence.StudyInstanceUID = report.StudyInstanceUID
    evidence.ReferencedSeriesSequence = [
        _series(volume.series_instance_uid, [instance_reference(source) for source in sources]),
        *(_series(item.SeriesInstanceUID, [_reference(item)]) for item in segmentations),
    ]
    return evidence


def _series(series_instance_uid: str, instances: list[Dataset]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = series_instance_uid
    item.ReferencedSOPSequence = instances
    return item


def _reference(instance: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.SOPClassUID
    item.ReferencedSOPInstanceUID = instance.SOPInstanceUID
    return item


def _preamble(report: Dataset, volume: Volume, context: ResultContext) -> list[Dataset]:
    """Language, the observer, which is this software, and the procedure."""
    procedure = codes.PROCEDURES.get(volume.modality, codes.IMAGING_PROCEDURE)
    return [
        coded_item(_MODIFIER, codes.LANGUAGE, codes.ENGLISH),
        coded_item(_CONTEXT, codes.OBSERVER_TYPE, codes.DEVICE),
        uid_item(_CONTEXT, codes.DEVICE_UID, context.device_uid),
        text_item(_CONTEXT, codes.DEVICE_NAME, context.author),
        text_item(_CONTEXT, codes.DEVICE_MANUFACTURER, report.Manufacturer),
        text_item(_CONTEXT, codes.DEVICE_MODEL, report.ManufacturerModelName),
        text_item(_CONTEXT, codes.DEVICE_SERIAL_NUMBER, report.DeviceSerialNumber),
        coded_item(_MODIFIER, codes.PROCEDURE_REPORTED, procedure),
    ]


def _measurements(
    report: Dataset, subjects: Sequence[_Subject], volume: Volume, context: ResultContext
) -> Dataset:
    """All groups, below the algorithm that gave them."""
    content = [
        text_item(_MODIFIER, codes.ALGORITHM_NAME, report.ManufacturerModelName),
        text_item(_MODIFIER, codes.ALGORITHM_VERSION, context.algorithm_version),
        *(_group(subject, volume.series_instance_uid) for subject in subjects),
    ]
    return container_item(codes.IMAGING_MEASUREMENTS, content)


def _group(subject: _Subject, source_series_uid: str) -> Dataset:
    kinds = tuple(dict.fromkeys(segment.type for segment in subject.segments))
    content = [
        text_item(_CONTEXT, codes.TRACKING_ID, subject.tracking_id),
        uid_item(_CONTEXT, codes.TRACKING_UID, subject.tracking_uid),
        # A group has one finding at most, but any number of sites.
        *(coded_item(_CONTAINS, codes.FINDING, kind) for kind in kinds if len(kinds) == 1),
        *(
            segment_item(_CONTAINS, codes.REFERENCED_SEGMENT, subject.segmentation, segment.number)
            for segment in subject.segments
        ),
        uid_item(_CONTAINS, codes.SOURCE_SERIES, source_series_uid),
        *(_site(kind, subject.segments) for kind in kinds),
        *(_measurement(measurement) for measurement in subject.group.measurements),
    ]
    return container_item(codes.MEASUREMENT_GROUP, content, template="1411")


def _site(kind: Code, segments: Sequence[Segment]) -> Dataset:
    """A structure with its side, or with both where segments of both make it up."""
    sides = {
        segment.laterality
        for segment in segments
        if segment.type == kind and segment.laterality is not None
    }
    if len(sides) > 1:
        sides = {codes.BILATERAL}
    laterality = [coded_item(_MODIFIER, codes.LATERALITY, side) for side in sides]
    return coded_item(_MODIFIER, codes.FINDING_SITE, kind, laterality)


def _measurement(measurement: Measurement) -> Dataset:
    """A number; a statistic of voxel values is said as their quantity with its derivation."""
    name, details = measurement.name, []
    quantity = codes.QUANTITIES.get(measurement.unit.value)
    if quantity is not None and (name.value, name.scheme) in codes.STATISTICS:
        details.append(coded_item(_MODIFIER, codes.DERIVATION, name))
        name = quantity
    if measurement.definition:
        how = text_item(Relationship.INFERRED_FROM, codes.EQUATION, measurement.definition)
        details.append(how)
    return number_item(_CONTAINS, name, measurement.value, measurement.unit, details)


def _comments(label_maps: Sequence[EncodedLabelMap], context: ResultContext) -> Iterator[Dataset]:
    """What a reader must know, of the volume and of the label maps."""
    remarks = [
        *(context.receipt.warnings if context.receipt else ()),
        *(remark for item in label_maps for remark in item.finding.remarks),
    ]
    if remarks:
        comments = [text_item(_CONTAINS, codes.COMMENT, remark) for remark in remarks]
        yield container_item(codes.QUALITATIVE_EVALUATIONS, comments)
