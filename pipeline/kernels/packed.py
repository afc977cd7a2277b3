"""Masks with a bit a voxel, in a frame of nothing: eight times smaller, sixty-four at a time.

``words[1 + slice, 1 + row, word]`` holds column c in bit c % 64 of word c // 64. A frame of empty
slices and rows lies around the mask, and every row ends in at least one bit that is never set. So
a row is followed by nothing on all sides, and no step of a kernel needs to ask for the border.
"""

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel
from pipeline.kernels.runs import Runs
from pipeline.kernels.slabs import in_slabs

BoolArray = npt.NDArray[np.bool_]
LongArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]
Shape = tuple[int, int, int]

WORD_BITS = 64
ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def nothing(shape: Shape) -> WordArray:
    """Make an empty mask of so many slices, rows and columns."""
    slices, rows, columns = shape
    return np.zeros((slices + 2, rows + 2, columns // WORD_BITS + 1), dtype=np.uint64)


def pack(runs: Runs, chosen: BoolArray) -> WordArray:
    """Set some of the runs of a stack.

    Parameters
    ----------
    runs
        Those of the whole stack.
    chosen
        (run,): which.
    """
    words = nothing(runs.shape)
    in_slabs(lambda first, last: _set_runs(words, runs, chosen, first, last), runs.shape[0])
    return words


def runs_of(words: WordArray, columns: int) -> Runs:
    """Find the runs of a packed mask, which has so many columns."""
    slices, rows = words.shape[0] - 2, words.shape[1] - 2
    offsets = np.zeros(slices * rows + 1, dtype=np.int64)
    in_slabs(lambda first, last: _count_runs(words, offsets, first, last), slices)
    np.cumsum(offsets, out=offsets)
    starts, stops = np.empty((2, offsets[-1]), dtype=np.int32)
    runs = Runs((slices, rows, columns), offsets, starts, stops)
    in_slabs(lambda first, last: _write_runs(words, runs, first, last), slices)
    return runs


@kernel
def set_span(row: WordArray, start: int, stop: int) -> None:
    """Set the columns from ``start`` up to ``stop`` (not included, and above ``start``)."""
    first, last = start // WORD_BITS, (stop - 1) // WORD_BITS
    head = ONES << np.uint64(start % WORD_BITS)
    tail = ONES >> np.uint64(WORD_BITS - 1 - (stop - 1) % WORD_BITS)
    if first == last:
        row[first] |= head & tail
    else:
        row[first] |= head
        row[first + 1 : last] = ONES
        row[last] |= tail


@kernel
def count_ones(word: np.uint64) -> np.uint64:
    """The number of bits set, by sums of neighbours side by side."""
    pairs = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (pairs & np.uint64(0x3333333333333333)) + (
        (pairs >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    eights = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (eights * np.uint64(0x0101010101010101)) >> np.uint64(56)


@kernel
def lowest_bit(word: np.uint64) -> np.int64:
    """The number of the lowest bit set; the word is not 0."""
    return np.int64(count_ones(~word & (word - np.uint64(1))))


@kernel
def _set_runs(words: WordArray, runs: Runs, chosen: BoolArray, first: int, last: int) -> None:
    rows = runs.shape[1]
    for row in range(first * rows, last * rows):
        line = words[1 + row // rows, 1 + row % rows]
        for run in range(runs.offsets[row], runs.offsets[row + 1]):
            if chosen[run]:
                set_span(line, runs.starts[run], runs.stops[run])


@kernel
def _edges(word: np.uint64, before: np.uint64) -> np.uint64:
    """The bits that differ from the one before; that of bit 0 is the last of another word."""
    return word ^ ((word << np.uint64(1)) | (before >> np.uint64(WORD_BITS - 1)))


@kernel
def _count_runs(words: WordArray, offsets: LongArray, first: int, last: int) -> None:
    """Write how many runs each row has behind its place in ``offsets``."""
    rows = words.shape[1] - 2
    for row in range(first * rows, last * rows):
        edges, before = np.uint64(0), np.uint64(0)
        for word in words[1 + row // rows, 1 + row % rows]:
            edges += count_ones(_edges(word, before))
            before = word
        offsets[row + 1] = np.int64(edges) // 2


@kernel
def _write_runs(words: WordArray, runs: Runs, first: int, last: int) -> None:
    """Write the starts and stops of each row at the places that ``offsets`` gives it."""
    rows = runs.shape[1]
    for row in range(first * rows, last * rows):
        line = words[1 + row // rows, 1 + row % rows]
        run, inside, before = runs.offsets[row], False, np.uint64(0)
        for word in range(line.size):
            edges = _edges(line[word], before)
            before = line[word]
            while edges != 0:
                column = word * WORD_BITS + lowest_bit(edges)
                edges &= edges - np.uint64(1)
                if inside:
                    runs.stops[run] = column
                    run += 1
                else:
                    runs.starts[run] = column
                inside = not inside
