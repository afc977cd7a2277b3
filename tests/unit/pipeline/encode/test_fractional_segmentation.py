"""Probabilities as a Segmentation of fractions."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from pydicom.uid import RLELossless, SegmentationStorage

from pipeline.encode import ResultContext
from pipeline.encode.fractional_segmentation import encode_probability_map
from pipeline.errors import EncodingError
from pipeline.findings import LabelMap
from pipeline.volume import Volume
from tests.support.masks import probabilities_on, read_back, shown, volume_in_memory


def test_fractions_are_probabilities_in_255_steps(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    found = probabilities_on(label_map)
    (result,) = encode_probability_map(found, volume, context)
    read = read_back(result)
    assert read.SOPClassUID == SegmentationStorage
    assert read.file_meta.TransferSyntaxUID == RLELossless
    assert (read.SegmentationType, read.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    assert (read.MaximumFractionalValue, read.BitsStored, read.BitsAllocated) == (255, 8, 8)
    frames = list(shown(read))
    assert [segment for _, segment, _ in frames] == [1, 1, 2, 2, 2]
    wanted = np.rint(found.probabilities[0, 2] * 255)
    np.testing.assert_array_equal(frames[0][2], wanted)


def test_frames_that_round_to_nothing_are_left_out(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    found = probabilities_on(label_map)
    found.probabilities[0, 0] = 0.0019
    (result,) = encode_probability_map(found, volume, context)
    assert result.NumberOfFrames == 2 + 3
    found.probabilities[0, 0] = 0.002
    (result,) = encode_probability_map(found, volume, context)
    assert result.NumberOfFrames == 3 + 3


def test_whether_segments_overlap_is_said_for_one_segment_only(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    found = probabilities_on(label_map)
    alone = replace(
        found, probabilities=found.probabilities[:1].copy(), segments=found.segments[:1]
    )
    (both,) = encode_probability_map(found, volume, context)
    (one,) = encode_probability_map(alone, volume, context)
    assert (both.SegmentsOverlap, one.SegmentsOverlap) == ("UNDEFINED", "NO")


@pytest.mark.parametrize("odd", [-0.01, 1.01, float("nan"), float("inf")])
def test_probability_that_is_none_is_refused(
    odd: float, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    found = probabilities_on(label_map)
    found.probabilities[1, 3, 4, 5] = odd
    with pytest.raises(EncodingError, match="must be a number from 0 to 1"):
        encode_probability_map(found, volume, context)


def test_probabilities_off_the_grid_are_refused(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    found = probabilities_on(label_map)
    for probabilities in (
        found.probabilities[:1],
        found.probabilities[:, 1:],
        found.probabilities.astype(np.float64),
    ):
        with pytest.raises(EncodingError, match="must be float32"):
            encode_probability_map(replace(found, probabilities=probabilities), volume, context)
    with pytest.raises(EncodingError, match="not numbered"):
        encode_probability_map(replace(found, segments=found.segments[::-1]), volume, context)


def test_memory_is_that_of_the_compressed_frames(
    label_map: LabelMap, context: ResultContext
) -> None:
    """Not of another array of the size of the probabilities."""
    labels = np.zeros((24, 192, 160), np.uint8)
    labels[2:20, 20:150, 30:140] = 1
    labels[4:22, 60:120, 100:150] = 2
    found = probabilities_on(replace(label_map, labels=labels))
    found.probabilities[found.probabilities > 0.5] = 1
    volume = volume_in_memory(labels.shape)
    encode_probability_map(found, volume, context)
    tracemalloc.start()
    try:
        encode_probability_map(found, volume, context)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < found.probabilities.nbytes / 4
