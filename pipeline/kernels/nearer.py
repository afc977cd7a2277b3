"""Which of two masks each voxel of a third is nearer to, decided as scipy's distances decide it.

Most voxels are told by bounds on the distance from whole blocks. For the others the two distances
are worked out slice by slice, in as much of the volume as can matter. That gives every distance,
but where several voxels are equally near not always the last bit that scipy gives it: a slice in
which two distances come out next to equal is done again in full.

All masks are packed as `pipeline.kernels.packed` lays them out.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.coarse_distance import BLOCK, least_and_most, used_blocks
from pipeline.kernels.compiled import kernel, threads
from pipeline.kernels.envelope import add_axis
from pipeline.kernels.packed import WORD_BITS, lowest_bit

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
WordArray = npt.NDArray[np.uint64]

_MARGIN = 1e-9
"""Share of a squared distance: far more than rounding makes, far less than a voxel does."""


class _Contest(NamedTuple):
    """Two masks, what was given to each so far, and what is still open.

    Parameters
    ----------
    first, second
        The masks.
    to_first, to_second
        What each was given. It grows.
    still_open
        What the bounds did not give to either.
    reach_mm
        (slice,): no open voxel of the slice is farther from the mask it is nearer to.
    steps_mm
        (3,): the spacing.
    """

    first: WordArray
    second: WordArray
    to_first: WordArray
    to_second: WordArray
    still_open: WordArray
    reach_mm: FloatArray
    steps_mm: FloatArray


class _Window(NamedTuple):
    """A part of a slice: from one row and column up to others."""

    top: int
    bottom: int
    left: int
    right: int


class _View(NamedTuple):
    """Which distances are to be worked out.

    Parameters
    ----------
    slice_index
        In which slice.
    used
        Where in it.
    around
        All that is within reach of that.
    reach_mm
        No distance above this one matters.
    steps_mm
        (3,): the spacing.
    """

    slice_index: int
    used: _Window
    around: _Window
    reach_mm: float
    steps_mm: FloatArray


def nearer(
    where: WordArray, first: WordArray, second: WordArray, spacing_mm: npt.NDArray[np.float32]
) -> tuple[WordArray, WordArray]:
    """Give each voxel to the nearer of two masks, and to none if it is as far from both.

    Parameters
    ----------
    where
        The voxels to give away.
    first, second
        The masks: part of ``where``, not empty, without a voxel in common.
    spacing_mm
        (3,): of slice, row and column.

    Returns
    -------
    What ``first`` gets and what ``second`` gets.

    Source: ``<`` and ``>`` on ``scipy.ndimage.distance_transform_edt`` of what is not in ``first``
    and of what is not in ``second``, with this sampling.
    """
    contest = _told_by_blocks(where, first, second, spacing_mm.astype(np.float64))
    with ThreadPoolExecutor(threads()) as pool:
        for _ in pool.map(partial(_settle_slice, contest), _open_slices(contest)):
            pass
    return contest.to_first, contest.to_second


def _told_by_blocks(
    where: WordArray, first: WordArray, second: WordArray, steps_mm: FloatArray
) -> _Contest:
    """Give away what bounds on the distance tell, block by block."""
    least_first, most_first = least_and_most(first, steps_mm)
    least_second, most_second = least_and_most(second, steps_mm)
    to_first = _in_blocks(where, most_first < least_second * (1 - _MARGIN))
    to_second = _in_blocks(where, most_second < least_first * (1 - _MARGIN))
    to_first |= first
    to_second |= second
    still_open = where & ~(to_first | to_second)
    most = np.where(used_blocks(still_open), np.minimum(most_first, most_second), 0.0)
    reach_mm = np.sqrt(most.max(axis=(1, 2))).repeat(BLOCK)
    return _Contest(first, second, to_first, to_second, still_open, reach_mm, steps_mm)


def _in_blocks(words: WordArray, blocks: BoolArray) -> WordArray:
    """A packed mask without the voxels outside of some blocks."""
    slices, rows = words.shape[0] - 2, words.shape[1] - 2
    chosen = np.where(blocks, np.uint8(0xFF), np.uint8(0)).view("<u8")
    kept = np.zeros_like(words)
    by_row = chosen.repeat(BLOCK, axis=1)[:, :rows]
    kept[1:-1, 1:-1] = words[1:-1, 1:-1] & by_row.repeat(BLOCK, axis=0)[:slices]
    return kept


def _open_slices(contest: _Contest) -> list[int]:
    used: list[int] = np.flatnonzero(contest.still_open[1:-1].any(axis=(1, 2))).tolist()
    return used


def _settle_slice(contest: _Contest, index: int) -> None:
    """Give away the open voxels of a slice."""
    if not _settle(contest, index, contest.reach_mm[index], _MARGIN):
        _settle(contest, index, np.inf, 0.0)


@kernel
def _settle(contest: _Contest, index: int, reach_mm: float, margin: float) -> bool:
    """Give away open voxels of a slice by their distances; whether all could be told apart.

    Squared distances that differ by no more than the share ``margin`` cannot. Without a margin
    the distances decide as they are, and equal ones give to none.
    """
    still_open = contest.still_open[1 + index]
    used = _window(still_open)
    around = _widened(used, still_open.shape, contest.steps_mm, reach_mm)
    view = _View(index, used, around, reach_mm, contest.steps_mm)
    first_mm2, second_mm2 = _squares(contest.first, view), _squares(contest.second, view)
    all_told = True
    for row in range(used.top, used.bottom):
        for column in range(used.left, used.right):
            word, bit = column // WORD_BITS, np.uint64(1) << np.uint64(column % WORD_BITS)
            if still_open[1 + row, word] & bit:
                first = first_mm2[row - used.top, column - around.left]
                second = second_mm2[row - used.top, column - around.left]
                if margin > 0.0 and abs(first - second) <= margin * min(first, second):
                    all_told = False
                elif np.sqrt(first) < np.sqrt(second):
                    contest.to_first[1 + index, 1 + row, word] |= bit
                elif np.sqrt(first) > np.sqrt(second):
                    contest.to_second[1 + index, 1 + row, word] |= bit
    return all_told


@kernel
def _window(plane: WordArray) -> _Window:
    """The rows and columns of a packed plane that have a set voxel."""
    top, bottom = plane.shape[0], 0
    joined = np.zeros(plane.shape[1], np.uint64)
    for row in range(plane.shape[0] - 2):
        if plane[1 + row].any():
            top, bottom = min(top, row), row + 1
            joined |= plane[1 + row]
    left, right = joined.size * WORD_BITS, 0
    for column in range(joined.size * WORD_BITS):
        if joined[column // WORD_BITS] >> np.uint64(column % WORD_BITS) & np.uint64(1):
            left, right = min(left, column), column + 1
    return _Window(top, bottom, left, right)


@kernel
def _widened(
    used: _Window, shape: tuple[int, int], steps_mm: FloatArray, reach_mm: float
) -> _Window:
    """A window of a packed plane with all around it that is within reach."""
    rows, columns = shape[0] - 2, shape[1] * WORD_BITS
    rows_within = int(min(reach_mm / steps_mm[1] + 1, rows))
    columns_within = int(min(reach_mm / steps_mm[2] + 1, columns))
    return _Window(
        max(used.top - rows_within, 0),
        min(used.bottom + rows_within, rows),
        max(used.left - columns_within, 0),
        min(used.right + columns_within, columns),
    )


@kernel
def _squares(mask: WordArray, view: _View) -> FloatArray:
    """Squared distances, mm2, to what a mask holds in, over and under the view.

    (row, column): of the rows that are used and the columns around.
    """
    used, around = view.used, view.around
    rows, columns = around.bottom - around.top, around.right - around.left
    room, line = np.empty(max(rows, columns), np.int64), np.empty(rows)
    across_slices = _across_slices(mask, view)
    across_rows = np.empty((used.bottom - used.top, columns))
    for column in range(columns):
        add_axis(across_slices[column], view.steps_mm[1], room, line)
        across_rows[:, column] = line[used.top - around.top : used.bottom - around.top]
    squares = np.empty_like(across_rows)
    for row in range(used.bottom - used.top):
        add_axis(across_rows[row], view.steps_mm[2], room, squares[row])
    return squares


@kernel
def _across_slices(mask: WordArray, view: _View) -> FloatArray:
    """(column, row) around: the squared way straight to the nearest slice of the mask."""
    around, step_mm = view.around, view.steps_mm[0]
    slices = mask.shape[0] - 2
    squares = np.full((around.right - around.left, around.bottom - around.top), np.inf)
    seen = np.zeros((around.bottom - around.top, mask.shape[2]), np.uint64)
    for apart in range(int(min(view.reach_mm / step_mm + 1, slices)) + 1):
        way_mm = apart * step_mm
        for other in (view.slice_index - apart, view.slice_index + apart):
            if 0 <= other < slices:
                plane = mask[1 + other, 1 + around.top : 1 + around.bottom]
                _set_new(plane, seen, around, way_mm * way_mm, squares)
    return squares


@kernel
def _set_new(
    plane: WordArray, seen: WordArray, around: _Window, value: float, squares: FloatArray
) -> None:
    """Write a value where a plane has voxels, in the columns around, that were not seen before."""
    words = range(around.left // WORD_BITS, (around.right + WORD_BITS - 1) // WORD_BITS)
    for row in range(plane.shape[0]):
        for word in words:
            new = plane[row, word] & ~seen[row, word]
            seen[row, word] |= new
            while new:
                column = word * WORD_BITS + lowest_bit(new)
                new &= new - np.uint64(1)
                if around.left <= column < around.right:
                    squares[column - around.left, row] = value
