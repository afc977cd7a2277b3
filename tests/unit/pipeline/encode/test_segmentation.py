"""A label map as a Segmentation."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.encode import ResultContext, encode
from pipeline.errors import EncodingError
from pipeline.findings import LabelMap
from pipeline.volume import Volume

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
FEET_UP = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def patient_positions(segmentation: Dataset, segment: int) -> np.ndarray:
    """LPS mm of each voxel of a segment, from the frames' own attributes (PS3.3 C.7.6.2.1.1)."""
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    orientation = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    row_mm, column_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    points = []
    for frame, groups in zip(
        segmentation.pixel_array, segmentation.PerFrameFunctionalGroupsSequence, strict=True
    ):
        if groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber != segment:
            continue
        origin = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        rows, columns = np.nonzero(frame)
        points.append(
            origin
            + np.outer(columns * column_mm, orientation[:3])
            + np.outer(rows * row_mm, orientation[3:])
        )
    return sorted_points(np.concatenate(points))


def sorted_points(points: np.ndarray) -> np.ndarray:
    rounded = np.round(points, 4) + 0.0
    return rounded[np.lexsort(rounded.T)]


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, OBLIQUE, FEET_UP])
@pytest.mark.parametrize("reverse", [False, True])
def test_each_voxel_lies_where_the_label_map_has_it_in_the_patient(
    orientation: tuple[float, ...],
    reverse: bool,
    make_volume: Callable[..., Volume],
    label_map: LabelMap,
    context: ResultContext,
) -> None:
    volume = make_volume(orientation=orientation, reverse=reverse)
    (segmentation,) = encode(label_map, volume, context)
    for number in (1, 2):
        expected = volume.geometry.to_patient(np.argwhere(label_map.labels == number))
        np.testing.assert_allclose(
            patient_positions(segmentation, number), sorted_points(expected), atol=2e-4
        )


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


def test_dcmqi_reads_the_same_voxels(
    *,
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    write: Callable[..., list[Path]],
    tool: Callable[[str], str],
    tmp_path: Path,
) -> None:
    itk = pytest.importorskip("SimpleITK")
    (path,) = write("seg", encode(label_map, volume, context))
    command = [tool("segimage2itkimage"), "--inputDICOM", str(path), "-t", "nii"]
    subprocess.run([*command, "--outputDirectory", str(tmp_path)], check=True, capture_output=True)
    for number in (1, 2):
        image = itk.ReadImage(str(tmp_path / f"{number}.nii.gz"))
        indices = np.argwhere(itk.GetArrayFromImage(image))[:, ::-1].tolist()
        found = np.array([image.TransformIndexToPhysicalPoint(index) for index in indices])
        expected = volume.geometry.to_patient(np.argwhere(label_map.labels == number))
        np.testing.assert_allclose(sorted_points(found), sorted_points(expected), atol=2e-3)


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
        (np.zeros((6, 14, 19), np.uint8), "empty"),
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
