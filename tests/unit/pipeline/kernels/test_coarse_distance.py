"""Bounds on distances, against the distances."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.kernels.coarse_distance import BLOCK, least_and_most, used_blocks
from tests.support.packing import packed


def by_voxel(blocks, shape):
    for axis in range(3):
        blocks = blocks.repeat(BLOCK, axis=axis)
    return blocks[tuple(slice(size) for size in shape)]


@pytest.mark.parametrize("voxels", [1, 3, 40, 3000])
def test_no_distance_is_beyond_its_bounds(voxels):
    random = np.random.default_rng(voxels)
    for shape in ((30, 50, 70), (1, 20, 9), (17, 1, 64)):
        mask = np.zeros(shape, dtype=bool)
        mask.flat[random.integers(0, mask.size, voxels)] = True
        spacing_mm = random.uniform(0.4, 6, 3)
        square_mm2 = ndimage.distance_transform_edt(~mask, sampling=spacing_mm) ** 2

        least, most = least_and_most(packed(mask), spacing_mm)

        assert (by_voxel(least, shape) <= square_mm2 * (1 + 1e-12)).all()
        assert (by_voxel(most, shape) >= square_mm2 * (1 - 1e-12)).all()


def test_bounds_are_close_enough_to_be_of_use():
    mask = np.zeros((8, 8, 64), dtype=bool)
    mask[:, :, 3] = True

    least, most = least_and_most(packed(mask), np.ones(3))

    assert np.sqrt(least[0, 0, 1:8]).tolist() == [1, 9, 17, 25, 33, 41, 49]
    assert np.sqrt(most[0, 0, 0]) < 13


def test_used_blocks_hold_a_voxel():
    mask = np.zeros((20, 17, 70), dtype=bool)
    mask[19, 16, 69] = mask[0, 8, 7] = True

    used = used_blocks(packed(mask))

    assert np.argwhere(used).tolist() == [[0, 1, 0], [2, 2, 8]]
