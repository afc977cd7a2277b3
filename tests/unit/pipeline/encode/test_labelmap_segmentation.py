"""A label map as a Label Map Segmentation."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import RLELossless

from pipeline.encode import ResultContext, part10_bytes
from pipeline.encode.labelmap_segmentation import encode_labelmap_segmentation
from pipeline.encode.segmentation import encode_label_map
from pipeline.errors import EncodingError
from pipeline.findings import LabelMap
from pipeline.volume import Volume
from tests.support.masks import read_back


def test_one_frame_a_slice_holds_all_segments(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """Slices without a voxel are left out; frames go against the slice normal."""
    (result,) = encode_labelmap_segmentation(label_map, volume, context)
    read = read_back(result)
    assert read.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    assert (read.SegmentationType, read.SegmentsOverlap) == ("LABELMAP", "NO")
    assert read.file_meta.TransferSyntaxUID == RLELossless
    np.testing.assert_array_equal(read.pixel_array, label_map.labels[4:0:-1])
    assert "SegmentIdentificationSequence" not in read.PerFrameFunctionalGroupsSequence[0]
    assert read.DimensionOrganizationType == "3D"


def test_background_is_segment_nought(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    (result,) = encode_labelmap_segmentation(label_map, volume, context)
    (binary,) = encode_label_map(label_map, volume, context)
    background, *segments = result.SegmentSequence
    assert (background.SegmentNumber, result.PixelPaddingValue) == (0, 0)
    assert background.SegmentedPropertyTypeCodeSequence[0].CodeValue == "125040"
    assert "TrackingUID" not in background
    assert segments == list(binary.SegmentSequence)


def test_slices_with_a_gap_are_no_stack(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    labels = label_map.labels.copy()
    labels[3] = 0
    (result,) = encode_labelmap_segmentation(replace(label_map, labels=labels), volume, context)
    assert "DimensionOrganizationType" not in result


def test_it_is_a_fraction_of_the_binary_one(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """Of its pixels; what is beside them is not larger either."""
    (result,) = encode_labelmap_segmentation(label_map, volume, context)
    (binary,) = encode_label_map(label_map, volume, context)
    beside = len(part10_bytes(result)) - len(result.PixelData)
    assert beside <= len(part10_bytes(binary)) - len(binary.PixelData)


def test_labels_off_the_grid_or_without_a_segment_are_refused(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    for labels, reason in (
        (label_map.labels[1:], "on the source's grid"),
        (label_map.labels * np.uint8(2), "uses label 4"),
    ):
        with pytest.raises(EncodingError, match=reason):
            encode_labelmap_segmentation(replace(label_map, labels=labels), volume, context)


def test_broken_object_is_reported(
    *,
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    write: Callable[..., list[Path]],
    errors_of: Callable[..., list[str]],
) -> None:
    """The validator knows the class: it misses what is taken away."""
    (result,) = encode_labelmap_segmentation(label_map, volume, context)
    del result.SegmentSequence[1].SegmentAlgorithmName
    (path,) = write("broken", [result])
    assert any("SegmentAlgorithmName" in line for line in errors_of("dciodvfy", [path]))
