"""A label map as a Label Map Segmentation: one frame a slice, each pixel the number of its segment.

It is a tenth of the size of a binary Segmentation, and overlapping segments cannot be said in it.
Readers from before 2024 do not know its SOP Class.

Source: PS3.3 A.51 (Label Map Segmentation IOD), C.8.20.2.3 (Segmentation Type LABELMAP).
"""

from pydicom.dataset import Dataset
from pydicom.uid import UID, RLELossless

from pipeline.encode.context import ResultContext
from pipeline.encode.rle import encapsulated, rle_frame
from pipeline.encode.segmentation_frames import SegmentFrame, slices_in_frame_order
from pipeline.encode.segmentation_object import (
    SegmentationContent,
    SegmentationForm,
    segmentation_object,
)
from pipeline.encode.segments import background_item, check_label_map, segment_items
from pipeline.findings import LabelMap
from pipeline.volume import Volume

# pydicom 3.0 does not know it yet.
LABELMAP_STORAGE = UID("1.2.840.10008.5.1.4.1.1.66.7")
_LABELMAP = SegmentationForm(LABELMAP_STORAGE, "LABELMAP", 8, RLELossless)
_BACKGROUND = 0


def encode_labelmap_segmentation(
    finding: LabelMap, volume: Volume, context: ResultContext
) -> tuple[Dataset, ...]:
    """Say a label map as one Label Map Segmentation, slices without a voxel left out.

    Segment 0 is the background. The others are numbered and tracked as in the Segmentation of
    the same finding; UIDs of series and instance are its own.

    Returns
    -------
    The one instance of a series; none where no voxel belongs to any segment.

    Raises
    ------
    EncodingError
        The labels are not on the source's grid, or have a value without a segment.
    """
    check_label_map(finding, volume)
    order = slices_in_frame_order(volume.geometry, len(finding.labels))
    used = [index for index in order if finding.labels[index].any()]
    if not used:
        return ()
    segments = segment_items(finding.name, finding.segments, context)
    content = SegmentationContent(
        name=f"{finding.name} labelmap",
        description=finding.description,
        segments=(background_item(context), *segments),
        frames=[SegmentFrame(index) for index in used],
        pixel_data=encapsulated(rle_frame(finding.labels[index]) for index in used),
    )
    result = segmentation_object(content, _LABELMAP, volume, context)
    result.PixelPaddingValue = _BACKGROUND
    return (result,)
