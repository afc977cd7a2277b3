"""Rebuilding volumes from slices, and refusing what makes none."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from pipeline.errors import NotAnImageError, PixelDecodeError, SeriesGeometryError
from pipeline.instance import Instance, read_instance
from pipeline.phantom import ChestPhantom, chest_phantom, phantom_instances
from pipeline.volume import VolumeResult, build_volume

SLICES = 6
PHANTOM: ChestPhantom = chest_phantom(slices=SLICES, size=32, slice_mm=2.5)

Change = Callable[[list[Dataset]], object]


def slices() -> list[Dataset]:
    """The phantom's data sets, fresh."""
    return list(phantom_instances(PHANTOM))


def read_all(folder: Path, datasets: list[Dataset]) -> list[Instance]:
    """The instances of data sets, through files."""
    paths = []
    for number, dataset in enumerate(datasets):
        path = folder / f"{number}.dcm"
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        paths.append(path)
    return [read_instance(path) for path in paths]


def build(folder: Path, datasets: list[Dataset]) -> VolumeResult:
    """The volume of data sets."""
    return build_volume(read_all(folder, datasets))


def turn(datasets: list[Dataset], row: list[float], column: list[float]) -> None:
    """Give slices another orientation, stacked along its normal 2.5 mm apart."""
    normal = np.cross(row, column)
    for number, dataset in enumerate(datasets):
        dataset.ImageOrientationPatient = [*row, *column]
        dataset.ImagePositionPatient = [float(value) for value in 10 + number * 2.5 * normal]


@pytest.mark.parametrize("order", [range(SLICES), reversed(range(SLICES)), (3, 0, 5, 1, 4, 2)])
def test_any_file_order_gives_the_true_volume(tmp_path: Path, order: range) -> None:
    """Slices are sorted by position; voxels, spacing and origin are the phantom's."""
    datasets = slices()
    volume = build(tmp_path, [datasets[index] for index in order]).volume
    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels, PHANTOM.voxels_hu)
    assert volume.geometry.spacing.slice_mm == pytest.approx(2.5)
    assert volume.geometry.origin_mm == pytest.approx(PHANTOM.origin_mm, abs=1e-3)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ([0.0, 1.0, 0.0], [0.0, 0.0, -1.0]),
        ([1.0, 0.0, 0.0], [0.0, 0.0, -1.0]),
        ([-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
        ([0.8, 0.6, 0.0], [0.0, 0.0, -1.0]),
    ],
    ids=["sagittal", "coronal", "feet first", "oblique"],
)
def test_any_orientation_puts_voxels_where_their_slice_says(
    tmp_path: Path, row: list[float], column: list[float]
) -> None:
    """The affine sends each slice's first voxel to its Image Position (Patient)."""
    datasets = slices()
    turn(datasets, row, column)
    volume = build(tmp_path, datasets).volume
    for index, source in enumerate(volume.sources):
        place = volume.geometry.to_patient([index, 0, 0])
        assert place == pytest.approx([float(v) for v in source.header.ImagePositionPatient])
    corner = volume.geometry.to_patient([0, 1, 0]) - volume.geometry.to_patient([0, 0, 0])
    assert corner == pytest.approx(np.array(column) * volume.geometry.spacing.row_mm)


def test_a_second_pass_is_dropped_by_instance_number(tmp_path: Path) -> None:
    """All positions doubled: the first half by Instance Number is kept, and the receipt says so."""
    first, second = slices(), slices()
    for number, dataset in enumerate(second, start=SLICES + 1):
        dataset.InstanceNumber = number
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(number)])
        dataset.PixelData = bytes(len(dataset.PixelData))
    result = build(tmp_path, [*second, *first])
    assert np.array_equal(result.volume.voxels, PHANTOM.voxels_hu)
    assert set(result.receipt.dropped) == {str(dataset.SOPInstanceUID) for dataset in second}
    assert "2 times" in result.receipt.duplicate_rule


def drop_attribute(keyword: str) -> Change:
    """A change that removes an attribute from every slice."""

    def change(datasets: list[Dataset]) -> None:
        for dataset in datasets:
            delattr(dataset, keyword)

    return change


def set_attribute(index: int, keyword: str, value: object) -> Change:
    """A change that sets an attribute of one slice."""
    return lambda datasets: setattr(datasets[index], keyword, value)


def double_first(datasets: list[Dataset]) -> None:
    """Send the first position a second time, under another UID."""
    copy = slices()[0]
    copy.SOPInstanceUID = generate_uid(entropy_srcs=["copy"])
    datasets.append(copy)


def tilt(datasets: list[Dataset]) -> None:
    """Shift each slice by 1 mm against the one before, as a tilted gantry does."""
    for number, dataset in enumerate(datasets):
        x, y, z = (float(value) for value in dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, y + number, z]


def interleave_passes(datasets: list[Dataset]) -> None:
    """Double every position with Instance Numbers that alternate between the passes."""
    copies = slices()
    for number, (dataset, copy) in enumerate(zip(datasets, copies, strict=True)):
        dataset.InstanceNumber, copy.InstanceNumber = 2 * number + 1, 2 * number + 2
        copy.SOPInstanceUID = generate_uid(entropy_srcs=["copy", str(number)])
    datasets.extend(copies)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda datasets: datasets.__delitem__(slice(1, None)), "one slice only"),
        (drop_attribute("ImagePositionPatient"), "ImagePositionPatient is missing in 6 of 6"),
        (drop_attribute("ImageOrientationPatient"), "ImageOrientationPatient is missing"),
        (drop_attribute("PixelSpacing"), "PixelSpacing is missing"),
        (lambda datasets: datasets.pop(2), "5.00 mm after"),
        (set_attribute(3, "ImageOrientationPatient", [0, 1, 0, 0, 0, -1]), "orientation"),
        (set_attribute(3, "PixelSpacing", [0.5, 0.5]), "pixel spacing"),
        (set_attribute(3, "PixelSpacing", [0.5, 0]), "no plane in space"),
        (set_attribute(3, "ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), "no plane in space"),
        (set_attribute(3, "FrameOfReferenceUID", "1.2.3"), "frame of reference"),
        (double_first, "7 instances lie at 6 positions"),
        (tilt, "shift sideways"),
        (interleave_passes, "12 instances lie at 6 positions"),
    ],
    ids=[
        "one slice",
        "no position",
        "no orientation",
        "no pixel spacing",
        "missing slice",
        "two orientations",
        "two pixel spacings",
        "pixel spacing of zero",
        "parallel rows and columns",
        "two frames of reference",
        "one position doubled",
        "gantry tilt",
        "interleaved passes",
    ],
)
def test_what_makes_no_volume_is_refused_with_the_reason(
    tmp_path: Path, change: Change, words: str
) -> None:
    """Each broken geometry is refused, naming the series and what is wrong."""
    datasets = slices()
    series = str(datasets[0].SeriesInstanceUID)
    change(datasets)
    with pytest.raises(SeriesGeometryError, match=words) as refused:
        build(tmp_path, datasets)
    assert series in str(refused.value)


def test_different_matrix_is_refused(tmp_path: Path) -> None:
    """A slice with other rows and columns is named with both sizes."""
    datasets = slices()
    small = list(phantom_instances(chest_phantom(slices=SLICES, size=16, slice_mm=2.5)))[3]
    small.SeriesInstanceUID = datasets[0].SeriesInstanceUID
    with pytest.raises(SeriesGeometryError, match="matrix"):
        build(tmp_path, [*datasets[:3], small])


def test_a_segmentation_is_no_image(tmp_path: Path) -> None:
    """A SEG has rows and columns and still is not the image."""
    datasets = slices()
    for dataset in datasets:
        dataset.SegmentSequence = [Dataset()]
    with pytest.raises(NotAnImageError, match="segmentation"):
        build(tmp_path, datasets)


def test_an_object_without_pixels_is_no_image(tmp_path: Path) -> None:
    """A report in place of slices is named by its SOP Class."""
    report = slices()[0]
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(report, keyword)
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.34"
    with pytest.raises(NotAnImageError, match="Comprehensive 3D SR"):
        build(tmp_path, [report])


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [("1", "-1024", 1976), ("1", "-1024.7", 1976), ("0.5", "-1024", 476), ("1.5", "0", 4500)],
)
def test_hounsfield_units_follow_the_reference(
    tmp_path: Path, slope: str, intercept: str, expected: int
) -> None:
    """The stored value 3000 becomes what get_pixels_hu of seed 003 makes of it."""
    datasets = slices()
    for dataset in datasets:
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        dataset.PixelData = np.full((32, 32), 3000, np.uint16).tobytes()
    assert np.unique(build(tmp_path, datasets).volume.voxels).tolist() == [expected]


def test_hounsfield_units_that_would_wrap_are_refused(tmp_path: Path) -> None:
    """40000 stored with intercept 0 exceeds int16: the reference wraps, ours refuses."""
    datasets = slices()
    for dataset in datasets:
        dataset.RescaleIntercept = "0"
        dataset.PixelData = np.full((32, 32), 40000, np.uint16).tobytes()
    with pytest.raises(PixelDecodeError, match="40000 Hounsfield Units"):
        build(tmp_path, datasets)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations(range(SLICES)), missing=st.sets(st.integers(0, SLICES - 1)))
def test_random_stacks_give_the_true_voxels_or_a_refusal(
    tmp_path: Path, order: list[int], missing: set[int]
) -> None:
    """Any order, any slices missing: a contiguous run comes back true, anything else is refused."""
    datasets = slices()
    kept = [index for index in order if index not in missing]
    if not kept:
        return
    present = sorted(kept)
    contiguous = len(present) > 1 and len({b - a for a, b in itertools.pairwise(present)}) == 1
    instances = read_all(tmp_path, [datasets[index] for index in kept])
    if contiguous:
        assert np.array_equal(build_volume(instances).volume.voxels, PHANTOM.voxels_hu[present])
    else:
        with pytest.raises(SeriesGeometryError):
            build_volume(instances)
