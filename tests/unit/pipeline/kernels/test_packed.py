"""Masks with a bit a voxel: there and back, and what keeps kernels from asking for the border."""

import numpy as np
import pytest

from pipeline.kernels.packed import lowest_bit, nothing, pack, runs_of, set_span
from pipeline.kernels.runs import encode
from tests.support.packing import packed, unpacked


@pytest.mark.parametrize("columns", [1, 2, 63, 64, 65, 127, 128, 200])
def test_a_mask_comes_back_whatever_its_width(columns):
    random = np.random.default_rng(columns)
    for density in (0.0, 0.02, 0.5, 0.98, 1.0):
        mask = random.random((3, 5, columns)) < density

        words = packed(mask)

        np.testing.assert_array_equal(unpacked(words, columns), mask)


def test_runs_of_a_packed_mask_are_those_of_the_mask():
    mask = np.random.default_rng(1).random((4, 6, 150)) < 0.7

    runs, expected = runs_of(packed(mask), 150), encode(mask)

    assert runs.shape == expected.shape
    for found, known in zip(runs[1:], expected[1:], strict=True):
        np.testing.assert_array_equal(found, known)


def test_only_chosen_runs_are_set():
    mask = np.array([[[True, False, True], [True, True, False]]])
    runs = encode(mask)

    words = pack(runs, np.array([False, True, True]))

    expected = [[[False, False, True], [True, True, False]]]
    np.testing.assert_array_equal(unpacked(words, 3), expected)


@pytest.mark.parametrize("columns", [1, 64, 100])
def test_nothing_is_set_around_a_mask_nor_behind_a_row(columns):
    words = packed(np.ones((2, 3, columns), dtype=bool))

    frame = np.ones(words.shape[:2], dtype=bool)
    frame[1:-1, 1:-1] = False
    assert not words[frame].any()
    assert not (words[:, :, -1] >> np.uint64(63)).any()
    assert np.bitwise_count(words).sum() == 2 * 3 * columns


def test_every_span_of_a_row_can_be_set():
    for start in range(130):
        for stop in range(start + 1, 130):
            row = nothing((1, 1, 130))[1, 1]
            set_span(row, start, stop)
            value = sum(int(word) << (64 * index) for index, word in enumerate(row))
            assert value == (1 << stop) - (1 << start)


def test_lowest_bit_is_found():
    for number in range(64):
        for above in (0, 1 << 63, 0b1010 << 60):
            word = ((1 << number) | (above & ~((1 << number) - 1))) & (2**64 - 1)
            assert lowest_bit(np.uint64(word)) == number
