"""Dilation of packed masks, against that of scipy."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.kernels.dilation import PackedMask, dilate, set_span

SIX_NEIGHBOURS = ndimage.generate_binary_structure(3, 1)


def packed(mask, steps):
    """The mask, set run by run."""
    result = PackedMask.empty(mask.shape, steps)
    edges = np.diff(mask.astype(np.int8), axis=2, prepend=0, append=0)
    starts, stops = np.argwhere(edges == 1), np.argwhere(edges == -1)
    for (index, row, start), (_, _, stop) in zip(starts, stops, strict=True):
        set_span(result.words[1 + index, 1 + row], start, stop)
    return result


def unpacked(mask):
    return np.stack([mask.slice_mask(index) for index in range(mask.shape[0])])


# Around one and two words, with and without room for the steps.
@pytest.mark.parametrize("columns", [1, 53, 54, 55, 63, 64, 65, 118, 119, 128, 150])
def test_dilation_is_that_of_scipy(columns):
    random = np.random.default_rng(columns)
    for share in (0.5, 0.01, 0.001):
        mask = random.random((*random.integers(1, 24, 2), columns)) < share
        mask[0, 0, [0, -1]] = True
        for steps in (1, 10):
            grown = unpacked(dilate(packed(mask, steps)))

            expected = ndimage.binary_dilation(mask, SIX_NEIGHBOURS, iterations=steps)
            np.testing.assert_array_equal(grown, expected)


def test_no_step_changes_nothing():
    mask = np.random.default_rng(2).random((3, 4, 64)) < 0.5

    np.testing.assert_array_equal(unpacked(dilate(packed(mask, 0))), mask)


@pytest.mark.parametrize(
    ("first", "stop"), [(0, 1), (63, 64), (63, 65), (64, 128), (5, 190), (7, 7), (64, 64), (9, 3)]
)
def test_span_sets_its_columns_and_no_other(first, stop):
    mask = PackedMask.empty((1, 1, 192), 0)
    set_span(mask.words[1, 1], 100, 101)

    set_span(mask.words[1, 1], first, stop)

    columns = np.arange(192)
    expected = (columns >= first) & (columns < stop) | (columns == 100)
    np.testing.assert_array_equal(mask.slice_mask(0)[0], expected)
