"""A label map as a binary Segmentation. What it shares with other forms is tested beside."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.encode import ResultContext, encode_as
from pipeline.encode.segments import slices_of_segments
from pipeline.errors import EncodingError
from pipeline.findings import LabelMap
from pipeline.products import Product
from pipeline.volume import Volume
from tests.support.encoding import encode
from tests.unit.pipeline.encode.conftest import MakeVolume


def test_frames_name_the_source_slice_they_lie_on(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    (segmentation,) = encode(label_map, volume, context)
    positions = {
        source.sop_instance_uid: list(source.header.ImagePositionPatient)
        for source in volume.sources
    }
    for groups in segmentation.PerFrameFunctionalGroupsSequence:
        (source,) = groups.DerivationImageSequence[0].SourceImageSequence
        position = list(groups.PlanePositionSequence[0].ImagePositionPatient)
        assert positions[source.ReferencedSOPInstanceUID] == position


def test_empty_frames_are_left_out(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    (segmentation,) = encode(label_map, volume, context)
    assert segmentation.NumberOfFrames == 2 + 3


def test_segments_are_coded_with_their_side_and_colour(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    (segmentation,) = encode(label_map, volume, context)
    right, left = segmentation.SegmentSequence
    for item, side in ((right, "24028007"), (left, "7771000")):
        kind = item.SegmentedPropertyTypeCodeSequence[0]
        assert kind.CodeValue == "39607008"
        assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == side
        assert item.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
        assert item.SegmentAlgorithmType == "AUTOMATIC"
        assert item.SegmentAlgorithmName == "Hounsfield lungs"
    assert right.TrackingUID != left.TrackingUID
    assert right.RecommendedDisplayCIELabValue != left.RecommendedDisplayCIELabValue


def test_the_side_of_the_source_is_not_said_of_the_series(
    make_volume: MakeVolume, label_map: LabelMap, context: ResultContext
) -> None:
    """Scanners send Laterality, often empty; each segment has a side of its own."""

    def one_sided(dataset: Dataset, _index: int) -> None:
        dataset.Laterality = "L"

    (segmentation,) = encode(label_map, make_volume(one_sided), context)
    assert "Laterality" not in segmentation
    assert segmentation.BodyPartExamined == "CHEST"


def test_series_names_algorithm_and_source(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    (segmentation,) = encode(label_map, volume, context)
    assert segmentation.SeriesDescription == "Lungs (lungs 1.2)"
    assert segmentation.SeriesNumber == context.series_number
    (series,) = segmentation.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == volume.series_instance_uid
    assert len(series.ReferencedInstanceSequence) == len(volume.sources)


def test_segment_without_voxels_is_still_described(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    one = replace(label_map, labels=np.where(label_map.labels == 1, 1, 0).astype(np.uint8))
    (segmentation,) = encode(one, volume, context)
    assert segmentation.NumberOfFrames == 2
    assert len(segmentation.SegmentSequence) == 2


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.full((6, 14, 19), 3, np.uint8), "uses label 3"),
        (np.ones((6, 14, 19), np.int16), "must be uint8"),
        (np.ones((5, 14, 19), np.uint8), "on the source's grid"),
    ],
)
def test_label_map_that_fits_no_segmentation_is_refused(
    labels: np.ndarray,
    reason: str,
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
) -> None:
    with pytest.raises(EncodingError, match=reason):
        encode(replace(label_map, labels=labels), volume, context)


def test_segments_out_of_order_are_refused(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    with pytest.raises(EncodingError, match="not numbered"):
        encode(replace(label_map, segments=label_map.segments[::-1]), volume, context)


@pytest.mark.parametrize("label", ["", " "])
@pytest.mark.parametrize("product", [Product.SEG, Product.LABELMAP, Product.RTSTRUCT])
def test_segment_without_a_label_is_refused(
    product: Product, label: str, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    first, second = label_map.segments
    nameless = replace(label_map, segments=(first, replace(second, label=label)))
    with pytest.raises(EncodingError, match=r"Segment 2 .*has no label"):
        encode_as(product, nameless, volume, context)


def test_slices_of_each_segment_are_found(label_map: LabelMap) -> None:
    labels = np.zeros((4, 3, 5), np.uint8)
    labels[1, 2, 4] = labels[3, 0, 0] = 2
    labels[3, 1] = 1
    assert slices_of_segments(replace(label_map, labels=labels)) == {1: [3], 2: [1, 3]}
    nothing = replace(label_map, labels=np.zeros_like(labels))
    assert slices_of_segments(nothing) == {1: [], 2: []}


def test_source_without_frame_of_reference_gets_one_for_all_results(
    make_volume: Callable[..., Volume], label_map: LabelMap, context: ResultContext
) -> None:
    def drop(dataset: Dataset, _index: int) -> None:
        del dataset.FrameOfReferenceUID

    volume = make_volume(drop)
    (one,) = encode(label_map, volume, context)
    (other,) = encode(label_map, volume, replace(context, algorithm="other"))
    assert one.FrameOfReferenceUID == other.FrameOfReferenceUID
    assert one.FrameOfReferenceUID.startswith("2.25.")
