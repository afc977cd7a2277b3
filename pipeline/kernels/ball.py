"""Closing of a 3-D mask with a ball, sixty-four voxels at a time.

Rows are packed into words (`pipeline.kernels.packed`). A ball is a stack of row segments: for each
offset of slice and row a half-width along the row. So a dilation takes the rows widened by 0, 1,
2, ... voxels and joins each to the rows around it where the ball has just that half-width.
"""

from functools import partial
from math import isqrt

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel
from pipeline.kernels.packed import WORD_BITS, WordArray, pack, runs_of
from pipeline.kernels.runs import Runs
from pipeline.kernels.slabs import in_slabs

OffsetArray = npt.NDArray[np.int64]


def close_by_ball(runs: Runs, radius: int) -> Runs:
    """Dilate a mask with a ball, then erode it.

    Parameters
    ----------
    runs
        Of a mask (slice, row, column).
    radius
        Of the ball in voxels, 0 or more; it holds the offsets of length ``radius`` and less.

    Returns
    -------
    The runs of the closed mask. Outside of the volume counts as false for the dilation and as
    true for the erosion, so the border neither adds voxels nor takes any.

    Raises
    ------
    ValueError
        The radius is negative.

    Source: the closing of scikit-image 0.26 (``mode="ignore"``) with its ``ball``, whose voxels
    these are.
    """
    if radius < 0:
        raise ValueError(f"radius is {radius}; it is 0 or more voxels")
    columns = runs.shape[2]
    words = pack(runs, np.ones(runs.starts.size, dtype=bool))
    away = _complement(_dilate(words, radius), columns)
    return runs_of(_complement(_dilate(away, radius), columns), columns)


def _complement(words: WordArray, columns: int) -> WordArray:
    """A packed mask with true and false exchanged, in place; the frame around it is cleared."""
    np.invert(words, out=words)
    words[[0, -1]] = 0
    words[:, [0, -1]] = 0
    words[:, :, -1] &= np.uint64((1 << columns % WORD_BITS) - 1)
    return words


def _dilate(words: WordArray, radius: int) -> WordArray:
    """A packed mask, dilated with a ball; what it adds to the frame is not cleared."""
    dilated = np.zeros_like(words)
    for half_width in range(radius + 1):
        if half_width:
            wider = np.empty_like(words)
            in_slabs(partial(_widen, words, wider), len(words))
            words = wider
        in_slabs(partial(_join, words, dilated, _offsets(radius, half_width)), len(words))
    return dilated


def _offsets(radius: int, half_width: int) -> OffsetArray:
    """(offset, 2): where, in slices and rows from its middle, a ball is this wide."""
    reach = range(-radius, radius + 1)
    offsets = [
        (slices, rows)
        for slices in reach
        for rows in reach
        if (rest := radius**2 - slices**2 - rows**2) >= 0 and isqrt(rest) == half_width
    ]
    return np.array(offsets, dtype=np.int64).reshape(-1, 2)


@kernel
def _widen(words: WordArray, wider: WordArray, first: int, last: int) -> None:
    """Dilate the rows of the slices from ``first`` up to ``last`` by one voxel to each side."""
    one, top = np.uint64(1), np.uint64(WORD_BITS - 1)
    rows, count = words.shape[1:]
    for index in range(first, last):
        for row in range(rows):
            before = np.uint64(0)
            for word in range(count):
                here = words[index, row, word]
                after = words[index, row, word + 1] if word + 1 < count else np.uint64(0)
                wider[index, row, word] = (
                    here | (here << one) | (before >> top) | (here >> one) | (after << top)
                )
                before = here


@kernel
def _join(words: WordArray, joined: WordArray, offsets: OffsetArray, first: int, last: int) -> None:
    """Add to each row the rows at these offsets (slices, rows), from ``first`` up to ``last``."""
    slices, _rows, count = words.shape
    for index in range(first, last):
        target = joined[index].reshape(-1)
        for offset in range(len(offsets)):
            other = index + offsets[offset, 0]
            if other < 0 or other >= slices:
                continue
            source, shift = words[other].reshape(-1), offsets[offset, 1] * count
            below, above = max(0, -shift), max(0, shift)
            _add(target[below : max(below, target.size - above)], source[above:])


@kernel
def _add(target: WordArray, source: WordArray) -> None:
    """Set the bits of the target that are set in as much of the source; plain, so vectorised."""
    for word in range(target.size):
        target[word] |= source[word]
