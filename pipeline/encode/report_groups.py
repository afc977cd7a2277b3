"""A group of measurements in a report: what was measured of a segment, or of several as one.

A group refers to the segments of a Segmentation (TID 1411). Where there is none for its readers it
says in codes what was measured (TID 1501). So it does of a Label Map Segmentation: readers that are
older than it, as DCMTK's, refuse a whole report with a content item that refers to one, and
validators find its segment number out of place. There the tracking UIDs, which are those of the
segments, and the report's evidence lead to the mask.

Source: PS3.16 TID 1411, 1419, 1501 and 300.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

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
from pipeline.encode.segments import tracking_id
from pipeline.errors import EncodingError
from pipeline.findings import Code, LabelMap, Measurement, MeasurementGroup, Segment

_CONTAINS = Relationship.CONTAINS
_MODIFIER = Relationship.HAS_CONCEPT_MODIFIER
_CONTEXT = Relationship.HAS_OBSERVATION_CONTEXT


@dataclass(frozen=True, eq=False, slots=True)
class EncodedLabelMap:
    """A label map and the object that says it.

    Parameters
    ----------
    finding
        The label map.
    segmentation
        Its Segmentation or Label Map Segmentation; None where there is none, or where the
        report's readers do not have it.
    """

    finding: LabelMap
    segmentation: Dataset | None

    @property
    def referable(self) -> Dataset | None:
        """The Segmentation whose segments a report can refer to."""
        mask = self.segmentation
        return mask if mask is not None and mask.SOPClassUID == SegmentationStorage else None


@dataclass(frozen=True, eq=False, slots=True)
class Subject:
    """A group of measurements and what they were taken of.

    Parameters
    ----------
    group
        The measurements.
    encoded
        The label map that its segments belong to.
    segments
        In the order of the group.
    """

    group: MeasurementGroup
    encoded: EncodedLabelMap
    segments: tuple[Segment, ...]


def subject_of(
    group: MeasurementGroup, label_maps: Mapping[str, EncodedLabelMap], context: ResultContext
) -> Subject:
    """Find what a group was measured of.

    Raises
    ------
    EncodingError
        It names a label map or segment that is not there.
    """
    found = label_maps.get(group.label_map)
    known = {segment.number: segment for segment in found.finding.segments} if found else {}
    if found is None or not group.segments or not known.keys() >= set(group.segments):
        raise EncodingError(
            f"The measurements {group.label!r} are of segments {group.segments} of the label map "
            f"{group.label_map!r}, which {context.author} did not give."
        )
    return Subject(group, found, tuple(known[number] for number in group.segments))


def group_item(subject: Subject, source_series_uid: str, context: ResultContext) -> Dataset:
    """A group of measurements as the report has it.

    Raises
    ------
    EncodingError
        A value of segments with voxels is no number.
    """
    kinds = tuple(dict.fromkeys(segment.type for segment in subject.segments))
    content = [
        *_tracking(subject, context),
        # A group has one finding at most, but any number of sites.
        *(coded_item(_CONTAINS, codes.FINDING, kind) for kind in kinds if len(kinds) == 1),
        *_references(subject, source_series_uid),
        *(_site(kind, subject.segments) for kind in kinds),
        *(_measurement(measurement) for measurement in _sayable(subject)),
    ]
    template = "1501" if subject.encoded.referable is None else "1411"
    return container_item(codes.MEASUREMENT_GROUP, content, template=template)


def _tracking(subject: Subject, context: ResultContext) -> list[Dataset]:
    """A segment is tracked as its Segmentation says; several taken together by themselves."""
    group = subject.group
    label = subject.segments[0].label if len(subject.segments) == 1 else group.label
    uid = context.tracking_uid(group.label_map, *group.segments)
    return [
        text_item(_CONTEXT, codes.TRACKING_ID, tracking_id(group.label_map, label, context)),
        uid_item(_CONTEXT, codes.TRACKING_UID, uid),
    ]


def _references(subject: Subject, source_series_uid: str) -> list[Dataset]:
    segmentation = subject.encoded.referable
    if segmentation is None:
        return []
    return [
        *(
            segment_item(_CONTAINS, codes.REFERENCED_SEGMENT, segmentation, segment.number)
            for segment in subject.segments
        ),
        uid_item(_CONTAINS, codes.SOURCE_SERIES, source_series_uid),
    ]


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


def _sayable(subject: Subject) -> list[Measurement]:
    """The measurements, but for those that segments without a voxel cannot have, as a mean."""
    measurements = subject.group.measurements
    if all(isfinite(measurement.value) for measurement in measurements):
        return list(measurements)
    finding = subject.encoded.finding
    empty = not any(finding.has_voxels_of(segment.number) for segment in subject.segments)
    return [item for item in measurements if isfinite(item.value) or not empty]


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
