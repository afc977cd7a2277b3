"""The filling of holes against scipy's, and by hand."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.kernels.holes import fill_holes
from pipeline.kernels.runs import encode, paint


def filled(mask):
    runs = fill_holes(encode(mask))
    return paint(runs, np.ones(runs.starts.size, dtype=bool))


@pytest.fixture
def shell():
    """A cube of 5 x 5 x 5 voxels with walls one voxel thick, away from the border."""
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[2:7, 2:7, 2:7] = True
    mask[3:6, 3:6, 3:6] = False
    return mask


def test_random_masks_are_filled_as_scipy_fills_them():
    random = np.random.default_rng(1)
    for _ in range(300):
        shape = random.integers(1, 12, 3)
        mask = random.random(shape) < random.choice([0.3, 0.6, 0.8, 0.95])
        np.testing.assert_array_equal(filled(mask), ndimage.binary_fill_holes(mask))


def test_inside_of_a_closed_shell_is_filled(shell):
    assert np.count_nonzero(filled(shell)) == 5**3


def test_shell_open_at_a_face_is_left_open(shell):
    shell[4, 4, 6] = False

    np.testing.assert_array_equal(filled(shell), shell)


def test_way_over_an_edge_does_not_open_a_shell(shell):
    """Only voxels that share a face are connected."""
    shell[3, 2, 2] = False

    assert filled(shell)[4, 4, 4]


def test_shell_cut_by_the_border_is_open_there(shell):
    cut = shell[:5]

    np.testing.assert_array_equal(filled(cut), cut)


@pytest.mark.parametrize("value", [False, True])
def test_empty_and_full_masks_stay_so(value):
    mask = np.full((3, 4, 5), value)

    np.testing.assert_array_equal(filled(mask), mask)
