"""Erosion of packed masks, against that of scipy."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.kernels.erosion import erode
from tests.support.packing import packed, unpacked


@pytest.mark.parametrize("columns", [1, 2, 5, 63, 64, 65, 130])
def test_erosion_is_that_of_scipy_whatever_the_shape(columns):
    random = np.random.default_rng(columns)
    for _ in range(20):
        shape = (*random.integers(1, 9, 2), columns)
        mask = random.random(shape) < random.choice([0.8, 0.95, 1.0])

        eroded = erode(packed(mask))

        np.testing.assert_array_equal(unpacked(eroded, columns), ndimage.binary_erosion(mask))


def test_repeated_erosion_leaves_nothing_in_the_end():
    mask = np.ones((9, 9, 70), dtype=bool)
    words = packed(mask)

    for layers in range(1, 6):
        words = erode(words)
        expected = ndimage.binary_erosion(mask, iterations=layers)
        np.testing.assert_array_equal(unpacked(words, 70), expected)
    assert not words.any()
