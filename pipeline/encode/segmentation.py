"""A label map as a Segmentation with a bit for each voxel of each segment: what most readers take.

Source: PS3.3 C.8.20.2.3 (Segmentation Type BINARY); PS3.5 8.1.1 (pixels of one bit are packed
across frames, the first in the lowest bit).
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from pipeline.encode.context import ResultContext
from pipeline.encode.segmentation_frames import SegmentFrame, slices_in_frame_order
from pipeline.encode.segmentation_object import (
    SegmentationContent,
    SegmentationForm,
    segmentation_object,
)
from pipeline.encode.segments import check_label_map, segment_items, slices_of_segments
from pipeline.findings import LabelMap
from pipeline.volume import Volume

_BITS_OF_BYTE, _BITS_OF_TWO_BYTES = 8, 16
_BINARY = SegmentationForm(SegmentationStorage, "BINARY", 1, ExplicitVRLittleEndian)


def encode_label_map(
    finding: LabelMap, volume: Volume, context: ResultContext
) -> tuple[Dataset, ...]:
    """Say a label map as one Segmentation: binary, frames without a voxel left out.

    A segment without any voxel is described and has no frame.

    Returns
    -------
    The one instance of a series; none where no voxel belongs to any segment.

    Raises
    ------
    EncodingError
        The labels are not on the source's grid, or have a value without a segment.
    """
    check_label_map(finding, volume)
    frames = _frames(finding, volume)
    if not frames:
        return ()
    content = SegmentationContent(
        name=finding.name,
        description=finding.description,
        segments=segment_items(finding.name, finding.segments, context),
        frames=frames,
        pixel_data=_packed(finding.labels, frames),
    )
    return (segmentation_object(content, _BINARY, volume, context),)


def _frames(finding: LabelMap, volume: Volume) -> list[SegmentFrame]:
    """Each segment on each slice that has a voxel of it."""
    order = slices_in_frame_order(volume.geometry, len(finding.labels))
    place = {index: number for number, index in enumerate(order)}
    return [
        SegmentFrame(index, segment)
        for segment, slices in slices_of_segments(finding).items()
        for index in sorted(slices, key=place.__getitem__)
    ]


def _packed(labels: npt.NDArray[np.uint8], frames: Sequence[SegmentFrame]) -> bytes:
    """The masks of all frames, eight pixels a byte; frames do not begin at a byte.

    Eight frames do, so as many are packed at a time. A value has an even number of bytes.
    """
    rows, columns = labels.shape[1:]
    pixels = len(frames) * rows * columns
    packed = np.zeros(2 * math.ceil(pixels / _BITS_OF_TWO_BYTES), np.uint8)
    for first in range(0, len(frames), _BITS_OF_BYTE):
        together = frames[first : first + _BITS_OF_BYTE]
        masks = np.stack([labels[frame.slice_index] == frame.segment for frame in together])
        start = first * rows * columns // _BITS_OF_BYTE
        bits = np.packbits(masks, bitorder="little")
        packed[start : start + len(bits)] = bits
    return packed.tobytes()
