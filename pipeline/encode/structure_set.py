"""A label map as an RT Structure Set: closed planar contours on the source's slices.

For destinations that take no Segmentation, radiotherapy planning before all. Each segment with a
voxel is a region of interest (ROI). One without is left out, as many readers stumble over a ROI
that has no contours. A hole is joined with the contour around it by a channel without width, as
there are readers that leave out contours of the type CLOSEDPLANAR_XOR (docs/decisions/0010).

Source: PS3.3 A.19 (RT Structure Set IOD), C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour), C.8.8.8
(RT ROI Observations), C.8.8.16 (Approval).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydicom.charset import default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import RTStructureSetStorage

from pipeline.encode.context import ResultContext
from pipeline.encode.contours import contour_form, contours_of, in_patient
from pipeline.encode.header import add_frame_of_reference, document_header
from pipeline.encode.part10 import set_file_meta
from pipeline.encode.references import instance_reference, source_reference
from pipeline.encode.segments import check_label_map, segment_items, slices_of_segments
from pipeline.encode.values import own_text
from pipeline.findings import LabelMap
from pipeline.geometry import PlaneGeometry, VolumeGeometry
from pipeline.volume import Frame, Volume

_ANATOMICAL_STRUCTURE = ("123037004", "SCT")
_DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
_SHORT_STRING = 16
_OF_SOURCE = ("RequestAttributesSequence", "PositionReferenceIndicator")


def encode_structure_set(
    finding: LabelMap, volume: Volume, context: ResultContext
) -> tuple[Dataset, ...]:
    """Say a label map as one RT Structure Set.

    Returns
    -------
    The one instance of a series; none where no voxel belongs to any segment.

    Raises
    ------
    EncodingError
        The labels are not on the source's grid, or have a value without a segment.
    """
    check_label_map(finding, volume)
    regions = _regions(finding, volume, context)
    if not regions:
        return ()
    named = replace(
        finding, name=f"{finding.name} rtstruct", description=f"{finding.description} contours"
    )
    result = document_header(named, volume.sources[0].header, context, _OF_SOURCE)
    add_frame_of_reference(result, volume)
    _add_structure_set(result, finding, volume)
    result.SOPInstanceUID = context.instance_uid(named.name, 1)
    frame_of_reference = str(result.FrameOfReferenceUID)
    result.StructureSetROISequence = [region.definition(frame_of_reference) for region in regions]
    result.ROIContourSequence = [region.drawing() for region in regions]
    result.RTROIObservationsSequence = [region.observation() for region in regions]
    set_file_meta(result)
    return (result,)


@dataclass(frozen=True, eq=False, slots=True)
class _Region:
    """A region of interest.

    Parameters
    ----------
    number
        Of the ROI and of its observation: the segment's.
    rgb
        0 to 255 each.
    segment
        Its item in the Segment Sequence of a Segmentation, whose words and codes a ROI shares.
    contours
        The items of its Contour Sequence.
    """

    number: int
    rgb: tuple[int, int, int]
    segment: Dataset
    contours: list[Dataset]

    def definition(self, frame_of_reference_uid: str) -> Dataset:
        """Its item of Structure Set ROI Sequence (3006,0020)."""
        item = Dataset()
        item.ROINumber = self.number
        item.ReferencedFrameOfReferenceUID = frame_of_reference_uid
        item.ROIName = self.segment.SegmentLabel
        item.ROIGenerationAlgorithm = "AUTOMATIC"
        item.ROIGenerationDescription = self.segment.SegmentAlgorithmName
        item.ROIDerivationAlgorithmIdentificationSequence = (
            self.segment.SegmentationAlgorithmIdentificationSequence
        )
        return item

    def drawing(self) -> Dataset:
        """Its item of ROI Contour Sequence (3006,0039)."""
        item = Dataset()
        item.ReferencedROINumber = self.number
        item.ROIDisplayColor = list(self.rgb)
        item.ContourSequence = self.contours
        return item

    def observation(self) -> Dataset:
        """Its item of RT ROI Observations Sequence (3006,0080)."""
        (category,) = self.segment.SegmentedPropertyCategoryCodeSequence
        anatomical = (category.get("CodeValue"), category.CodingSchemeDesignator)
        item = Dataset()
        item.ObservationNumber = item.ReferencedROINumber = self.number
        item.ROIObservationLabel = own_text(self.segment.SegmentLabel, _SHORT_STRING)
        item.SegmentedPropertyCategoryCodeSequence = (
            self.segment.SegmentedPropertyCategoryCodeSequence
        )
        item.RTROIIdentificationCodeSequence = self.segment.SegmentedPropertyTypeCodeSequence
        item.RTROIInterpretedType = "ORGAN" if anatomical == _ANATOMICAL_STRUCTURE else ""
        item.ROIInterpreter = ""
        return item


def _regions(finding: LabelMap, volume: Volume, context: ResultContext) -> list[_Region]:
    """The segments that have a voxel."""
    items = segment_items(finding.name, finding.segments, context)
    images = list(_contour_images(volume.sources))
    slices = slices_of_segments(finding)
    return [
        _Region(
            number=segment.number,
            rgb=segment.rgb,
            segment=item,
            contours=_contours(finding, segment.number, slices[segment.number], volume, images),
        )
        for segment, item in zip(finding.segments, items, strict=True)
        if slices[segment.number]
    ]


def _contours(
    finding: LabelMap,
    number: int,
    slices: Sequence[int],
    volume: Volume,
    images: Sequence[list[Dataset]],
) -> list[Dataset]:
    """The items of Contour Sequence (3006,0040) of a segment on its slices."""
    form = contour_form(volume.geometry, finding.labels.shape)
    items: list[Dataset] = []
    for index in slices:
        plane = _plane(volume.sources[index], volume.geometry)
        for corners in contours_of(finding.labels[index], number, form.most_corners):
            text = form.text(in_patient(corners, plane))
            item = _contour(text, len(corners), images[index])
            item.ContourNumber = len(items) + 1
            items.append(item)
    return items


def _contour(data: bytes, points: int, image: list[Dataset]) -> Dataset:
    """An item of Contour Sequence.

    Contour Data stays the text that it is: of numbers, pydicom would make an object each.
    """
    item = Dataset()
    # so that pydicom writes the text as it is
    item.set_original_encoding(
        is_implicit_vr=False, is_little_endian=True, character_encoding=default_encoding
    )
    if image:
        item.ContourImageSequence = image
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = points
    tag = Tag("ContourData")
    item[tag] = RawDataElement(
        tag, "DS", len(data), data, value_tell=0, is_implicit_VR=False, is_little_endian=True
    )
    return item


def _contour_images(sources: Sequence[Frame]) -> Iterator[list[Dataset]]:
    """For each slice the reference to the image that shows it.

    An interpolated slice lies on no image: its source is that of the slice before.
    """
    before = ""
    for source in sources:
        yield [] if source.name == before else [source_reference(source)]
        before = source.name


def _plane(source: Frame, geometry: VolumeGeometry) -> PlaneGeometry:
    """Where a slice lies: at the position that its source says."""
    x, y, z = source.numbers_of("ImagePositionPatient")
    return PlaneGeometry(
        position_mm=(x, y, z),
        row_direction=geometry.row_direction,
        column_direction=geometry.column_direction,
        row_mm=geometry.spacing.row_mm,
        column_mm=geometry.spacing.column_mm,
    )


def _add_structure_set(result: Dataset, finding: LabelMap, volume: Volume) -> None:
    """SOP Class, RT Series, Structure Set but for its ROIs, and Approval: by no person."""
    result.SOPClassUID = RTStructureSetStorage
    result.Modality = "RTSTRUCT"
    result.OperatorsName = ""
    result.InstanceNumber = 1
    result.StructureSetLabel = own_text(finding.name, _SHORT_STRING)
    result.StructureSetName = result.SeriesDescription
    result.StructureSetDate, result.StructureSetTime = result.ContentDate, result.ContentTime
    # of other kinds of object
    del result.ContentDate, result.ContentTime
    result.ApprovalStatus = "UNAPPROVED"
    result.ReferencedFrameOfReferenceSequence = [_frame_of_reference(result, volume)]


def _frame_of_reference(result: Dataset, volume: Volume) -> Dataset:
    """The source series in its study and frame of reference."""
    instances = {source.sop_instance_uid: source for source in volume.sources}.values()
    series = Dataset()
    series.SeriesInstanceUID = volume.series_instance_uid
    series.ContourImageSequence = [instance_reference(source) for source in instances]
    study = Dataset()
    study.ReferencedSOPClassUID = _DETACHED_STUDY_MANAGEMENT
    study.ReferencedSOPInstanceUID = result.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    item = Dataset()
    item.FrameOfReferenceUID = result.FrameOfReferenceUID
    item.RTReferencedStudySequence = [study]
    return item
