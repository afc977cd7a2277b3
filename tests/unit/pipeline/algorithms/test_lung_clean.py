"""What the networks see of a voxel, and where."""

import numpy as np
import pytest

from pipeline.algorithms.lung_clean import Lung, clean

PADDING = 170
SHAPE = (25, 40, 60)


def cleaned(voxels_hu, first, second=None):
    second = np.zeros_like(first) if second is None else second
    region = tuple(slice(0, size) for size in first.shape)
    return clean(voxels_hu, (Lung.find(first), Lung.find(second)), region)


@pytest.fixture
def lung():
    """A block, whose convex hull is itself."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[11:14, 15:25, 20:40] = True
    return mask


@pytest.mark.parametrize(
    ("hounsfield", "seen"),
    [
        (-3000, 0),
        (-1200, 0),
        (-1193, 0),
        (-1192, 1),
        (-300, 127),
        (0, 170),
        (600, 255),
        (9999, 255),
    ],
)
def test_window_is_cut_off_not_rounded(lung, hounsfield, seen):
    assert cleaned(np.full(SHAPE, hounsfield, dtype=np.int16), lung)[12, 20, 30] == seen


def test_ten_steps_around_a_lung_are_kept_and_the_rest_is_padding(lung):
    voxels = cleaned(np.full(SHAPE, -1200, dtype=np.int16), lung)

    slices, rows, columns = np.indices(SHAPE)
    steps = np.maximum(0, np.maximum(11 - slices, slices - 13))
    steps += np.maximum(0, np.maximum(15 - rows, rows - 24))
    steps += np.maximum(0, np.maximum(20 - columns, columns - 39))
    np.testing.assert_array_equal(voxels, np.where(steps <= 10, 0, PADDING))


def test_bone_is_padding_outside_of_the_lungs_only(lung):
    hard, soft = 290, 285  # 211 and 210 in the window
    voxels_hu = np.full(SHAPE, hard, dtype=np.int16)
    voxels_hu[:, :, ::2] = soft

    voxels = cleaned(voxels_hu, lung)

    assert set(voxels[lung]) == {210, 211}
    assert set(voxels[12, 14]) == {210, PADDING}


@pytest.mark.parametrize(("gap", "between"), [(20, 0), (21, PADDING)])
def test_hull_is_taken_unless_it_more_than_doubles_the_area(gap, between):
    """Two pillars; what lies midway, beyond ten steps of either, tells whether they are joined."""
    mask = np.zeros((3, 40, 60), dtype=bool)
    mask[:, 5:15, 5:15] = mask[:, 5:15, 15 + gap : 25 + gap] = True

    voxels = cleaned(np.full(mask.shape, -1200, dtype=np.int16), mask)

    assert voxels[1, 10, 10] == 0
    assert voxels[1, 24, 25] == between


def test_hull_is_that_of_each_lung_not_of_both():
    first, second = np.zeros((2, 3, 40, 60), dtype=bool)
    first[:, 5:15, 3:8] = True
    second[:, 5:15, 50:55] = True

    voxels = cleaned(np.full(first.shape, -1200, dtype=np.int16), first, second)

    assert voxels[1, 10, 5] == voxels[1, 10, 52] == 0
    assert voxels[1, 10, 30] == PADDING


def test_region_is_the_same_as_in_the_whole(lung):
    voxels_hu = np.random.default_rng(31).integers(-1300, 700, SHAPE).astype(np.int16)
    region = slice(9, 20), slice(10, 30), slice(20, 60)

    part = clean(voxels_hu, (Lung.find(lung), Lung.find(lung)), region)

    np.testing.assert_array_equal(part, cleaned(voxels_hu, lung)[region])
