"""Runs and their components against scipy's labels, voxel for voxel."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.kernels.components import Connectivity, contacts, join, label
from pipeline.kernels.runs import background, encode, paint

IN_SLICE = [np.zeros((3, 3), bool), np.ones((3, 3), bool), np.zeros((3, 3), bool)]
STRUCTURES = {
    Connectivity.FOUR_IN_SLICE: ndimage.generate_binary_structure(3, 1) & np.array(IN_SLICE),
    Connectivity.EIGHT_IN_SLICE: np.array(IN_SLICE),
    Connectivity.SIX: ndimage.generate_binary_structure(3, 1),
    Connectivity.EIGHTEEN: ndimage.generate_binary_structure(3, 2),
    Connectivity.TWENTY_SIX: ndimage.generate_binary_structure(3, 3),
}
SHAPES = [
    (1, 1, 1),
    (1, 1, 40),
    (1, 40, 1),
    (40, 1, 1),
    (1, 12, 13),
    (12, 1, 13),
    (12, 13, 1),
    (5, 9, 8),
    (4, 7, 64),
    (3, 5, 67),
]


def masks(shape):
    """Sparse, dense, empty, full and blotchy masks."""
    random = np.random.default_rng(sum(shape))
    yield np.zeros(shape, dtype=bool)
    yield np.ones(shape, dtype=bool)
    for share in (0.05, 0.3, 0.5, 0.7, 0.95):
        yield random.random(shape) < share
    yield ndimage.uniform_filter(random.random(shape), 3) < 0.5


def painted_labels(components):
    """The component of each voxel, put together from one mask for each."""
    numbers = np.zeros(components.runs.shape, dtype=np.int64)
    for number in range(1, components.count + 1):
        numbers[components.mask(np.arange(components.count + 1) == number)] = number
    return numbers


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_runs_say_where_voxels_are_set(shape):
    for mask in masks(shape):
        runs = encode(mask)

        lines = mask.reshape(-1, shape[-1])
        rebuilt = np.zeros_like(lines)
        for row in range(len(lines)):
            for run in range(runs.offsets[row], runs.offsets[row + 1]):
                assert not rebuilt[row, max(0, runs.starts[run] - 1) : runs.stops[run] + 1].any()
                rebuilt[row, runs.starts[run] : runs.stops[run]] = True
        np.testing.assert_array_equal(rebuilt, lines)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_runs_of_the_background_are_those_of_the_inverse(shape):
    for mask in masks(shape):
        gaps, expected = background(encode(mask)), encode(~mask)

        np.testing.assert_array_equal(gaps.offsets, expected.offsets)
        np.testing.assert_array_equal(gaps.starts, expected.starts)
        np.testing.assert_array_equal(gaps.stops, expected.stops)


@pytest.mark.parametrize("connectivity", Connectivity)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_components_are_numbered_as_scipy_numbers_them(shape, connectivity):
    for mask in masks(shape):
        expected, count = ndimage.label(mask, STRUCTURES[connectivity])

        components = label(encode(mask), connectivity)

        assert components.count == count
        np.testing.assert_array_equal(painted_labels(components), expected)
        sizes = np.bincount(expected.ravel(), minlength=count + 1)
        np.testing.assert_array_equal(components.voxels()[1:], sizes[1:])


@pytest.mark.parametrize("connectivity", Connectivity)
def test_components_of_a_large_random_stack_are_those_of_scipy(connectivity):
    """Large enough to be shared between threads, dense enough for deep trees of runs."""
    mask = np.random.default_rng(3).random((20, 330, 333)) < 0.35
    expected, count = ndimage.label(mask, STRUCTURES[connectivity])

    components = label(encode(mask), connectivity)

    assert components.count == count
    np.testing.assert_array_equal(
        components.voxels()[1:], np.bincount(expected.ravel(), minlength=count + 1)[1:]
    )
    odd = np.arange(count + 1) % 2 == 1
    np.testing.assert_array_equal(components.mask(odd), odd[expected])


def test_component_of_a_voxel_is_found():
    mask = np.random.default_rng(5).random((4, 6, 9)) < 0.4
    expected, _count = ndimage.label(mask)

    components = label(encode(mask), Connectivity.SIX)

    for index in np.ndindex(mask.shape):
        assert components.at(*index) == expected[index]
    assert components.at(-1, -1, -1) == expected[-1, -1, -1]


def test_last_component_of_each_slice_is_known():
    mask = np.random.default_rng(6).random((6, 5, 8)) < 0.5
    mask[[0, 3]] = False
    expected, _count = ndimage.label(mask, STRUCTURES[Connectivity.FOUR_IN_SLICE])

    last = label(encode(mask), Connectivity.FOUR_IN_SLICE).last_of_slices()

    highest = np.maximum.accumulate(expected.max(axis=(1, 2)))
    np.testing.assert_array_equal(last, highest)


def test_single_slice_is_a_stack_of_one():
    plane = np.random.default_rng(7).random((14, 21)) < 0.5
    expected, count = ndimage.label(plane, np.ones((3, 3)))

    components = label(encode(plane[np.newaxis]), Connectivity.EIGHT_IN_SLICE)

    assert components.count == count
    np.testing.assert_array_equal(painted_labels(components)[0], expected)


@pytest.mark.parametrize("offset", range(9))
def test_mask_that_begins_between_words_is_read_right(offset):
    line = np.random.default_rng(8).random(4 * 5 * 24 + 9) < 0.5
    mask = line[offset : offset + 480].reshape(4, 5, 24)
    runs = encode(mask)

    np.testing.assert_array_equal(paint(runs, np.ones(runs.starts.size, dtype=bool)), mask)


def test_view_that_is_not_contiguous_is_read_right_and_left_as_it_was():
    whole = np.random.default_rng(9).random((8, 9, 20)) < 0.5
    before = whole.copy()
    for view in (whole[::-1, 1:, ::-1], whole[:, :, 3:17], whole.transpose(2, 0, 1)):
        runs = encode(view)
        np.testing.assert_array_equal(paint(runs, np.ones(runs.starts.size, dtype=bool)), view)
    np.testing.assert_array_equal(whole, before)


def test_mask_that_may_not_be_written_is_read():
    mask = np.ones((2, 3, 4), dtype=bool)
    mask.setflags(write=False)

    assert label(encode(mask), Connectivity.SIX).voxels()[1] == mask.size


@pytest.mark.parametrize("slices", range(1, 7))
def test_contacts_join_the_lowest_slices_as_labels_of_these_slices_do(slices):
    mask = np.random.default_rng(10).random((6, 14, 15)) < 0.35
    parts = label(encode(mask), Connectivity.FOUR_IN_SLICE)
    count = int(parts.last_of_slices()[slices - 1])
    pairs = contacts(parts)

    sets = join(pairs[pairs[:, 1] <= count], count)

    expected, _count = ndimage.label(mask[:slices])
    flat = painted_labels(parts)[:slices]
    np.testing.assert_array_equal(sets[flat], expected)
    assert len(pairs) < parts.count
