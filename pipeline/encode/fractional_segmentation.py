"""Probabilities as a Segmentation of fractions: one frame for each segment and slice, 8 bits.

Fractions are written as RLE: most of their pixels are certain, and uncompressed they would take a
byte for each voxel of each segment.

Source: PS3.3 C.8.20.2.3 (Segmentation Type FRACTIONAL, Segmentation Fractional Type PROBABILITY).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless, SegmentationStorage

from pipeline.encode.context import ResultContext
from pipeline.encode.rle import encapsulated, rle_frame
from pipeline.encode.segmentation_frames import SegmentFrame, slices_in_frame_order
from pipeline.encode.segmentation_object import (
    SegmentationContent,
    SegmentationForm,
    segmentation_object,
)
from pipeline.encode.segments import check_segments, segment_items
from pipeline.errors import EncodingError
from pipeline.findings import ProbabilityMap, check_probabilities
from pipeline.volume import Volume

_FRACTIONAL = SegmentationForm(SegmentationStorage, "FRACTIONAL", 8, RLELossless)
_CERTAIN = 255


def encode_probability_map(
    finding: ProbabilityMap, volume: Volume, context: ResultContext
) -> tuple[Dataset, ...]:
    """Say probabilities as one Segmentation, in steps of 1/255; frames of nothing but 0 left out.

    Segments are numbered and tracked as in the Segmentation of its label map; UIDs of series and
    instance are its own.

    Returns
    -------
    The one instance of a series; none where no voxel has a probability of half a step or more.

    Raises
    ------
    EncodingError
        The probabilities are not on the source's grid, or not from 0 to 1.
    """
    _check(finding, volume)
    shown = list(_frames(finding, volume))
    if not shown:
        return ()
    content = SegmentationContent(
        name=f"{finding.name} fractional",
        description=finding.description,
        segments=segment_items(finding.name, finding.segments, context),
        frames=[frame for frame, _ in shown],
        pixel_data=encapsulated(compressed for _, compressed in shown),
    )
    result = segmentation_object(content, _FRACTIONAL, volume, context)
    result.SegmentationFractionalType = "PROBABILITY"
    result.MaximumFractionalValue = _CERTAIN
    # PS3.3 C.8.20.2: fractions of several segments may add up to more than the whole.
    result.SegmentsOverlap = "NO" if len(finding.segments) == 1 else "UNDEFINED"
    return (result,)


def _check(finding: ProbabilityMap, volume: Volume) -> None:
    probabilities = finding.probabilities
    wanted = (len(finding.segments), *volume.voxels.shape)
    if probabilities.dtype != np.float32 or probabilities.shape != wanted:
        raise EncodingError(
            f"Finding {finding.name!r} is {probabilities.dtype} {probabilities.shape}; it must be "
            f"float32 {wanted}: its segments, each on the source's grid."
        )
    check_segments(finding.name, finding.segments)


def _frames(finding: ProbabilityMap, volume: Volume) -> Iterator[tuple[SegmentFrame, bytes]]:
    """Each segment on each slice that has something of it, compressed one after the other."""
    order = slices_in_frame_order(volume.geometry, len(volume.voxels))
    for segment in finding.segments:
        for index in order:
            plane = finding.probabilities[segment.number - 1, index]
            fractions = _fractions(plane, finding.name)
            if fractions.any():
                yield SegmentFrame(index, segment.number), rle_frame(fractions)


def _fractions(plane: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.uint8]:
    """(row, column): probabilities in steps of 1/255, rounded to the nearest."""
    check_probabilities(name, plane)
    fractions: npt.NDArray[np.uint8] = np.rint(plane * np.float32(_CERTAIN)).astype(np.uint8)
    return fractions
