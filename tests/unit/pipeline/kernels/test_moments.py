"""Moments of components against sums over their pixels."""

import numpy as np

from pipeline.kernels.components import Connectivity, label
from pipeline.kernels.moments import moments
from pipeline.kernels.runs import encode


def test_moments_are_sums_over_the_pixels():
    plane = np.random.default_rng(1).random((60, 77)) < 0.45
    components = label(encode(plane[np.newaxis]), Connectivity.EIGHT_IN_SLICE)

    sums = moments(components)

    assert sums[0].tolist() == [0] * 6
    for number in range(1, components.count + 1):
        _, row, column = np.nonzero(components.mask(np.arange(components.count + 1) == number))
        powers = (np.ones_like(row), row, column, row * row, column * column, row * column)
        assert sums[number].tolist() == [power.sum() for power in powers]


def test_moments_of_the_largest_slice_are_whole():
    """Sums that float64 would round."""
    size = 4096
    whole = label(encode(np.ones((1, size, size), dtype=bool)), Connectivity.EIGHT_IN_SLICE)

    ((pixels, row, column, row_squares, column_squares, products),) = moments(whole)[1:].tolist()

    first, second = size * (size - 1) // 2, (size - 1) * size * (2 * size - 1) // 6
    assert (pixels, row, column) == (size * size, size * first, size * first)
    assert (row_squares, column_squares, products) == (size * second, size * second, first * first)
