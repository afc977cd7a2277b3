"""A label map as a Segmentation: binary, one object per series, empty frames left out.

Source: PS3.3 A.51 (Segmentation IOD), C.8.20.2 (Segmentation Image), C.8.20.4 (Segment
Description Macro).
"""

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from pipeline.encode.attributes import REQUIRED_OF_PATIENT_AND_STUDY
from pipeline.encode.codes import SEGMENTATION, code_item
from pipeline.encode.context import MANUFACTURER, ResultContext, uid_from
from pipeline.encode.header import result_header
from pipeline.encode.part10 import set_file_meta
from pipeline.encode.references import instance_reference, source_reference
from pipeline.encode.values import decimal_string, own_text
from pipeline.errors import EncodingError
from pipeline.findings import Code, LabelMap, Segment
from pipeline.volume import Volume


def encode_label_map(
    finding: LabelMap, volume: Volume, context: ResultContext
) -> tuple[Dataset, ...]:
    """Say a label map as one Segmentation.

    Raises
    ------
    EncodingError
        The labels are not on the source's grid, are all background, or have a value without a
        segment.
    """
    _check(finding, volume)
    header = result_header(finding, volume, context)
    segmentation = _segmentation(finding, volume, context, header)
    _refer_to_sources(segmentation, volume)
    segmentation.update(header)
    _set_dimension_organization(segmentation, context.dimension_organization_uid(finding.name))
    set_file_meta(segmentation)
    return (segmentation,)


def _check(finding: LabelMap, volume: Volume) -> None:
    labels = finding.labels
    if labels.dtype != np.uint8 or labels.shape != volume.voxels.shape:
        raise EncodingError(
            f"Finding {finding.name!r} is {labels.dtype} {labels.shape}; it must be uint8 "
            f"{volume.voxels.shape}, on the source's grid."
        )
    if [segment.number for segment in finding.segments] != list(
        range(1, len(finding.segments) + 1)
    ):
        raise EncodingError(f"The segments of finding {finding.name!r} are not numbered 1, 2, ...")
    highest = int(labels.max())
    if highest == 0:
        raise EncodingError(
            f"Finding {finding.name!r} is empty: no voxel belongs to any segment, so there is no "
            "segmentation to store."
        )
    if highest > len(finding.segments):
        raise EncodingError(
            f"Finding {finding.name!r} uses label {highest}, but describes "
            f"{len(finding.segments)} segments."
        )


def _segmentation(
    finding: LabelMap, volume: Volume, context: ResultContext, header: Dataset
) -> Segmentation:
    """The Segmentation with its frames; patient, study and series are yet to be set.

    Raises
    ------
    EncodingError
        highdicom cannot refer to the source.
    """
    try:
        return Segmentation(
            source_images=_plain_sources(volume, header),
            pixel_array=finding.labels,
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[
                _description(finding, segment, context) for segment in finding.segments
            ],
            series_instance_uid=header.SeriesInstanceUID,
            series_number=context.series_number,
            sop_instance_uid=context.instance_uid(finding.name, 1),
            instance_number=1,
            manufacturer=header.Manufacturer,
            manufacturer_model_name=header.ManufacturerModelName,
            software_versions=header.SoftwareVersions,
            device_serial_number=header.DeviceSerialNumber,
            content_label="SEGMENTATION",
            content_description=own_text(finding.description),
            transfer_syntax_uid=ExplicitVRLittleEndian,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EncodingError(
            f"No segmentation can refer to series {volume.series_instance_uid}: {error}"
        ) from error


def _plain_sources(volume: Volume, header: Dataset) -> list[Dataset]:
    """A single-frame CT header for each source slice: its geometry under a stand-in's identity.

    highdicom refuses patient and study values that the standard or a hospital allows, and slices
    that share an instance; it is shown empty values and an instance for each slice, and the
    source's own go in afterwards.
    """
    first = volume.sources[0].header
    shared = Dataset()
    for keyword in REQUIRED_OF_PATIENT_AND_STUDY:
        setattr(shared, keyword, "")
    shared.SeriesInstanceUID = volume.series_instance_uid
    shared.Modality = volume.modality
    shared.Rows, shared.Columns = volume.voxels.shape[1:]
    for keyword in ("PixelSpacing", "ImageOrientationPatient"):
        shared.add(first[keyword])
    for keyword in (
        "StudyInstanceUID",
        "FrameOfReferenceUID",
        "PositionReferenceIndicator",
        "LossyImageCompression",
        "LossyImageCompressionRatio",
        "LossyImageCompressionMethod",
    ):
        if keyword in header:
            shared.add(header[keyword])
    spacing = decimal_string(volume.geometry.spacing.slice_mm)
    shared.SliceThickness = first.get("SliceThickness") or spacing
    shared.SpacingBetweenSlices = spacing
    return [
        _plain_source(shared, source.header, index) for index, source in enumerate(volume.sources)
    ]


def _plain_source(shared: Dataset, header: Dataset, index: int) -> Dataset:
    plain = Dataset()
    plain.update(shared)
    plain.add(header["ImagePositionPatient"])
    plain.SOPClassUID = CTImageStorage
    plain.SOPInstanceUID = _stand_in(index)
    return plain


def _stand_in(index: int) -> str:
    return uid_from("stand-in for slice", index)


def _refer_to_sources(segmentation: Segmentation, volume: Volume) -> None:
    """Point every reference from a slice's stand-in to the instance and frame it stands for."""
    references = {
        _stand_in(index): source_reference(source) for index, source in enumerate(volume.sources)
    }
    # Frames of several segments share the items of a slice, so each is met more than once.
    items = {
        id(item): item
        for frame in segmentation.PerFrameFunctionalGroupsSequence
        for derivation in frame.DerivationImageSequence
        for item in derivation.SourceImageSequence
    }
    for item in items.values():
        item.update(references[item.ReferencedSOPInstanceUID])
    instances = {source.sop_instance_uid: source for source in volume.sources}.values()
    (series,) = segmentation.ReferencedSeriesSequence
    series.ReferencedInstanceSequence = [instance_reference(source) for source in instances]
    segmentation.SourceImageSequence = [instance_reference(source) for source in instances]


def _description(finding: LabelMap, segment: Segment, context: ResultContext) -> SegmentDescription:
    description = SegmentDescription(
        segment_number=segment.number,
        segment_label=own_text(segment.label),
        segmented_property_category=_concept(segment.category),
        segmented_property_type=_concept(segment.type),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=own_text(f"{MANUFACTURER} {context.algorithm}"),
            family=_concept(SEGMENTATION),
            version=own_text(context.algorithm_version),
            source=MANUFACTURER,
        ),
        tracking_id=own_text(f"{context.algorithm} {finding.name} {segment.label}"),
        tracking_uid=context.tracking_uid(finding.name, segment.number),
        display_color=CIELabColor.from_rgb(*segment.rgb),
    )
    if segment.laterality is not None:
        # PS3.3 C.8.20.4.1: modifiers sit inside the item of the property's type.
        property_type = description.SegmentedPropertyTypeCodeSequence[0]
        property_type.SegmentedPropertyTypeModifierCodeSequence = [code_item(segment.laterality)]
    return description


def _concept(code: Code) -> CodedConcept:
    return CodedConcept(code.value, code.scheme, code.meaning)


def _set_dimension_organization(segmentation: Segmentation, uid: str) -> None:
    """Replace the random UID that highdicom gives its frame dimensions."""
    for item in (*segmentation.DimensionOrganizationSequence, *segmentation.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid
