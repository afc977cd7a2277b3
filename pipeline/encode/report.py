"""What was measured as a structured report: one Comprehensive 3D SR for each step of a pipeline.

The tree is a Measurement Report (TID 1500) with one group of measurements (TID 1411 or 1501) for
each segment and each total. There is no image library: nobody needs a copy of 300 slices' headers
to read a volume.

Source: PS3.3 A.35.13 (Comprehensive 3D SR IOD), C.17.2 (SR Document General); PS3.16 TID 1500,
1204, 1002, 1004 and 4019.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from pipeline.encode import report_codes as codes
from pipeline.encode.content_items import (
    Relationship,
    coded_item,
    container_item,
    text_item,
    uid_item,
)
from pipeline.encode.context import ResultContext
from pipeline.encode.header import document_header
from pipeline.encode.part10 import set_file_meta
from pipeline.encode.references import instance_reference
from pipeline.encode.report_comments import comments
from pipeline.encode.report_groups import EncodedLabelMap, Subject, group_item, subject_of
from pipeline.findings import MeasurementGroup
from pipeline.volume import Volume

_MODIFIER = Relationship.HAS_CONCEPT_MODIFIER
_CONTEXT = Relationship.HAS_OBSERVATION_CONTEXT


class ReportName(StrEnum):
    """What the UIDs of a report are made of: which mask objects its readers have."""

    ON_SEGMENTATIONS = "measurements"
    ON_LABEL_MAP_SEGMENTATIONS = "measurements labelmap"
    ALONE = "measurements alone"


@dataclass(frozen=True, slots=True)
class _Named:
    """What UIDs and the series list call a report; a step gives no more than one of a name."""

    name: str
    description: str = "Measurements"


def encode_measurements(
    groups: Sequence[MeasurementGroup],
    label_maps: Sequence[EncodedLabelMap],
    volume: Volume,
    context: ResultContext,
    name: ReportName = ReportName.ON_SEGMENTATIONS,
) -> tuple[Dataset, ...]:
    """Say in one report what a step measured.

    What was measured of a label map without a voxel is said in words: there is no segment to
    refer to.

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
    name
        Which masks the label maps come with; reports of different names are different objects.

    Returns
    -------
    The one instance of a new series in the source's study. The same arguments give the same
    object.

    Raises
    ------
    EncodingError
        A group names a label map or segment that is not there, or a value is no number though
        its segments have voxels.
    """
    named = {item.finding.name: item for item in label_maps}
    subjects = [subject_of(group, named, context) for group in groups]
    in_words = [subject for subject in subjects if subject.encoded.finding.is_empty]
    in_groups = [subject for subject in subjects if not subject.encoded.finding.is_empty]
    report = document_header(_Named(name), volume.sources[0].header, context)
    _add_document(report, context.instance_uid(name, 1))
    report.CurrentRequestedProcedureEvidenceSequence = [_evidence(report, in_groups, volume)]
    content = [
        *_preamble(report, volume, context),
        *_measurements(report, in_groups, volume, context),
        *comments(label_maps, in_words, context),
    ]
    report.update(
        container_item(codes.MEASUREMENT_REPORT, content, relationship=None, template="1500")
    )
    set_file_meta(report)
    return (report,)


def _add_document(report: Dataset, sop_instance_uid: str) -> None:
    """SOP Class, SR Document Series and SR Document General: complete, and seen by no person."""
    report.SOPClassUID = Comprehensive3DSRStorage
    report.SOPInstanceUID = sop_instance_uid
    report.Modality = "SR"
    report.ReferencedPerformedProcedureStepSequence = []
    report.InstanceNumber = 1
    report.CompletionFlag = "COMPLETE"
    report.VerificationFlag = "UNVERIFIED"
    report.PreliminaryFlag = "PRELIMINARY"
    report.PerformedProcedureCodeSequence = []


def _evidence(report: Dataset, subjects: Sequence[Subject], volume: Volume) -> Dataset:
    """The source series and the Segmentations, all in the study of the report."""
    sources = {source.sop_instance_uid: source for source in volume.sources}.values()
    segmentations = {
        str(segmentation.SOPInstanceUID): segmentation
        for subject in subjects
        if (segmentation := subject.encoded.segmentation) is not None
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
    report: Dataset, subjects: Sequence[Subject], volume: Volume, context: ResultContext
) -> Iterator[Dataset]:
    """All groups, below the algorithm that gave them; none where there is no group."""
    if not subjects:
        return
    content = [
        text_item(_MODIFIER, codes.ALGORITHM_NAME, report.ManufacturerModelName),
        text_item(_MODIFIER, codes.ALGORITHM_VERSION, context.algorithm_version),
        *(group_item(subject, volume.series_instance_uid, context) for subject in subjects),
    ]
    yield container_item(codes.IMAGING_MEASUREMENTS, content)
