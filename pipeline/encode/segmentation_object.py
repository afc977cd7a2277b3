"""The one instance that holds a Segmentation, in whichever form its pixels are.

It is written here and not by highdicom, which refuses headers that hospitals send and slices that
share an instance, takes several times the memory of fractions, and draws UIDs by chance.

Source: PS3.3 A.51 (Segmentation IOD and Label Map Segmentation IOD), C.8.20.2 (Segmentation
Image).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID

from pipeline.encode.context import ResultContext
from pipeline.encode.header import result_header
from pipeline.encode.part10 import set_file_meta
from pipeline.encode.references import instance_reference
from pipeline.encode.segmentation_frames import SegmentFrame, add_frames
from pipeline.encode.values import own_text
from pipeline.volume import Volume


@dataclass(frozen=True, slots=True)
class SegmentationForm:
    """How a Segmentation holds its segments.

    Parameters
    ----------
    sop_class_uid
        SOP Class UID (0008,0016).
    segmentation_type
        Segmentation Type (0062,0001).
    bits
        Of a pixel.
    transfer_syntax_uid
        How its pixels are written.
    """

    sop_class_uid: UID
    segmentation_type: str
    bits: int
    transfer_syntax_uid: UID


@dataclass(frozen=True, eq=False, slots=True)
class SegmentationContent:
    """What a Segmentation is made of.

    Parameters
    ----------
    name
        Goes into its UIDs.
    description
        A few words for the series list.
    segments
        The items of Segment Sequence.
    frames
        What each frame shows; at least one.
    pixel_data
        Pixel Data (7FE0,0010) of these frames, as the form's transfer syntax has it.
    """

    name: str
    description: str
    segments: Sequence[Dataset]
    frames: Sequence[SegmentFrame]
    pixel_data: bytes


def segmentation_object(
    content: SegmentationContent, form: SegmentationForm, volume: Volume, context: ResultContext
) -> Dataset:
    """Make a Segmentation, the one instance of its series, with its file meta information.

    Raises
    ------
    EncodingError
        The source has no Study Instance UID.
    """
    result = result_header(content, volume, context)
    # Each segment says its side; dciodvfy takes one of the whole series for an error.
    result.pop("Laterality", None)
    result.SOPClassUID = form.sop_class_uid
    result.SOPInstanceUID = context.instance_uid(content.name, 1)
    result.Modality = "SEG"
    result.InstanceNumber = 1
    result.ContentLabel = "SEGMENTATION"
    result.ContentDescription = own_text(content.description)
    result.ContentCreatorName = ""
    _add_image(result, form, volume)
    _add_source_references(result, volume)
    result.SegmentSequence = list(content.segments)
    add_frames(result, content.frames, volume, context.dimension_organization_uid(content.name))
    result.add_new("PixelData", "OB", content.pixel_data)
    result["PixelData"].is_undefined_length = form.transfer_syntax_uid.is_encapsulated
    set_file_meta(result, form.transfer_syntax_uid)
    return result


def _add_image(result: Dataset, form: SegmentationForm, volume: Volume) -> None:
    """General Image, Image Pixel and Segmentation Image, but for the frames."""
    result.ImageType = ["DERIVED", "PRIMARY"]
    result.SegmentationType = form.segmentation_type
    result.SegmentsOverlap = "NO"
    result.Rows, result.Columns = volume.voxels.shape[1:]
    result.SamplesPerPixel = 1
    result.PhotometricInterpretation = "MONOCHROME2"
    result.PresentationLUTShape = "IDENTITY"
    result.BitsAllocated = result.BitsStored = form.bits
    result.HighBit = form.bits - 1
    result.PixelRepresentation = 0
    if "LossyImageCompression" not in result:
        result.LossyImageCompression = "00"


def _add_source_references(result: Dataset, volume: Volume) -> None:
    """The source series with its instances; viewers look for it at the top."""
    instances = {source.sop_instance_uid: source for source in volume.sources}.values()
    references = [instance_reference(source) for source in instances]
    series = Dataset()
    series.SeriesInstanceUID = volume.series_instance_uid
    series.ReferencedInstanceSequence = references
    result.ReferencedSeriesSequence = [series]
    result.SourceImageSequence = references
