"""Masks as runs: the stretches of set voxels in every row.

A medical mask has a few runs in each row of hundreds of voxels, so what is done per run rather
than per voxel costs next to nothing. The way through::

    runs = encode(mask)                              # or background(runs): the voxels not set
    parts = label(runs, Connectivity.SIX)            # pipeline.kernels.components
    sizes = parts.voxels()                           # (count + 1,), entry 0 stands for none
    lungs = parts.mask(sizes > 1000)                 # back to a mask: chosen components only

Masks are stacks (slice, row, column); a single slice goes in as ``plane[np.newaxis]``. Large
stacks are worked on in several threads and small ones in the caller's, so that slices may also be
handed out to threads one by one. `Runs` is a named tuple, which kernels take as it is: see
`pipeline.kernels.components` for how they walk along it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel, threads

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
ByteArray = npt.NDArray[np.uint8]
WordArray = npt.NDArray[np.uint64]

_WORD = 8
_ALL_SET = np.uint64(0x0101010101010101)
_NONE_SET = np.uint64(0)
_WORTH_A_THREAD = 1 << 20


class Runs(NamedTuple):
    """The runs of a mask in raster order.

    Parameters
    ----------
    shape
        (slice, row, column): that of the mask.
    offsets
        (row + 1,), int64: the runs of row ``i`` are ``offsets[i]`` up to ``offsets[i + 1]``. Rows
        are counted through the whole stack: row ``r`` of slice ``s`` is ``s * shape[1] + r``.
    starts, stops
        (run,), int32: the first column of a run, and the column after its last. The runs of a row
        count upwards and are parted by at least one voxel.
    """

    shape: tuple[int, int, int]
    offsets: LongArray
    starts: IntArray
    stops: IntArray


def encode(mask: BoolArray) -> Runs:
    """Find the runs of set voxels.

    Parameters
    ----------
    mask
        (slice, row, column), at least one column. Not changed.
    """
    flat, words = _bytes_and_words(mask)
    slices, rows, columns = mask.shape
    counts = np.empty(slices * rows, dtype=np.int64)
    blocks = _row_blocks(counts.size, columns)
    _in_threads(lambda first, last: _count(flat, columns, counts, first, last), blocks)
    runs = _empty_runs((slices, rows, columns), counts)
    _in_threads(lambda first, last: _scan(flat, words, runs, first, last), blocks)
    return runs


def background(runs: Runs) -> Runs:
    """Find the runs of the voxels that are not set."""
    counts = np.empty(runs.offsets.size - 1, dtype=np.int64)
    _count_gaps(runs, counts)
    gaps = _empty_runs(runs.shape, counts)
    _write_gaps(runs, gaps)
    return gaps


def paint(runs: Runs, chosen: BoolArray) -> BoolArray:
    """Make a mask of some of the runs.

    Parameters
    ----------
    chosen
        (run,): which.

    Returns
    -------
    Of shape ``runs.shape``, newly made.
    """
    mask = np.empty(runs.shape, dtype=bool)
    flat = mask.reshape(-1)
    blocks = _row_blocks(runs.offsets.size - 1, runs.shape[2])
    _in_threads(lambda first, last: _paint(flat, runs, chosen, first, last), blocks)
    return mask


def _bytes_and_words(mask: BoolArray) -> tuple[ByteArray, WordArray]:
    """The mask in one line, voxel by voxel and in words of eight (an incomplete last one is cut).

    A mask that does not lie in one line, or not where words begin, is copied.
    """
    flat = np.ascontiguousarray(mask).reshape(-1).view(np.uint8)
    if flat.ctypes.data % _WORD:
        flat = flat.copy()
    return flat, flat[: flat.size // _WORD * _WORD].view(np.uint64)


def _empty_runs(shape: tuple[int, int, int], counts: LongArray) -> Runs:
    """Room for as many runs in each row as are counted."""
    offsets = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    count = int(offsets[-1])
    return Runs(shape, offsets, np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32))


def _row_blocks(rows: int, columns: int) -> list[tuple[int, int]]:
    """The rows in as many blocks as are worth threads: first row and the row after the last."""
    count = max(1, min(threads(), rows * columns // _WORTH_A_THREAD))
    return list(pairwise(np.linspace(0, rows, count + 1).astype(int).tolist()))


def _in_threads(work: Callable[[int, int], None], blocks: list[tuple[int, int]]) -> None:
    if len(blocks) == 1:
        work(*blocks[0])
        return
    with ThreadPoolExecutor(len(blocks)) as pool:
        for done in [pool.submit(work, *block) for block in blocks]:
            done.result()


@kernel
def _count(flat: ByteArray, columns: int, counts: LongArray, first: int, last: int) -> None:
    """Count the runs of each row from ``first`` up to ``last``."""
    for row in range(first, last):
        line = flat[row * columns : (row + 1) * columns]
        count = np.int64(line[0])
        for column in range(1, columns):
            count += line[column] > line[column - 1]
        counts[row] = count


@kernel
def _scan(flat: ByteArray, words: WordArray, runs: Runs, first: int, last: int) -> None:
    """Write the runs of each row from ``first`` up to ``last``."""
    columns = runs.shape[2]
    for row in range(first, last):
        begin, end = row * columns, (row + 1) * columns
        position = begin
        for run in range(runs.offsets[row], runs.offsets[row + 1]):
            position = _after(flat, words, position, end, _NONE_SET)
            runs.starts[run] = position - begin
            position = _after(flat, words, position, end, _ALL_SET)
            runs.stops[run] = position - begin


@kernel
def _after(flat: ByteArray, words: WordArray, position: int, end: int, same: np.uint64) -> int:
    """Step over voxels of one value, given eight times as a word; where they end, or ``end``."""
    value = same & np.uint64(1)
    while position < end:
        if flat[position] != value:
            return position
        position += 1
        while (
            position % _WORD == 0 and position + _WORD <= end and words[position // _WORD] == same
        ):
            position += _WORD
    return end


@kernel
def _count_gaps(runs: Runs, counts: LongArray) -> None:
    """Count the runs of voxels not set in each row."""
    for row in range(counts.size):
        begin, end = runs.offsets[row], runs.offsets[row + 1]
        counts[row] = end - begin + 1
        if end > begin:
            counts[row] -= runs.starts[begin] == 0
            counts[row] -= runs.stops[end - 1] == runs.shape[2]


@kernel
def _write_gaps(runs: Runs, gaps: Runs) -> None:
    """Write the runs of voxels not set."""
    columns = runs.shape[2]
    for row in range(runs.offsets.size - 1):
        gap, begin = gaps.offsets[row], 0
        for run in range(runs.offsets[row], runs.offsets[row + 1]):
            if runs.starts[run] > begin:
                gaps.starts[gap], gaps.stops[gap] = begin, runs.starts[run]
                gap += 1
            begin = runs.stops[run]
        if begin < columns:
            gaps.starts[gap], gaps.stops[gap] = begin, columns


@kernel
def _paint(flat: BoolArray, runs: Runs, chosen: BoolArray, first: int, last: int) -> None:
    """Clear each row from ``first`` up to ``last`` and set its chosen runs."""
    columns = runs.shape[2]
    for row in range(first, last):
        line = flat[row * columns : (row + 1) * columns]
        line[:] = False
        for run in range(runs.offsets[row], runs.offsets[row + 1]):
            if chosen[run]:
                line[runs.starts[run] : runs.stops[run]] = True
