"""Bounds on the distance to a mask, for blocks of voxels rather than for each.

Of two masks, most voxels are so much nearer to one that this is all there is to compute.
"""

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
WordArray = npt.NDArray[np.uint64]

BLOCK = 8
"""Voxels along each axis of a block; as many columns as a byte of a packed row has bits."""


def least_and_most(words: WordArray, spacing_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bound the distance from the voxels of each block to the nearest set voxel.

    Parameters
    ----------
    words
        As `pipeline.kernels.packed` lays them out.
    spacing_mm
        (3,): of slice, row and column.

    Returns
    -------
    Two arrays (block of slices, block of rows, block of columns), mm2: no voxel of the block has
    a smaller square of the distance than the first says, nor a larger one than the second.
    """
    used = used_blocks(words)
    least = np.where(used, 0.0, np.inf)
    most = least.copy()
    for axis in range(used.ndim):
        shortest_mm, longest_mm = _ways_mm(used.shape[axis], spacing_mm[axis])
        _extend(np.moveaxis(least, axis, 2), shortest_mm * shortest_mm)
        _extend(np.moveaxis(most, axis, 2), longest_mm * longest_mm)
    return least, most


def _ways_mm(blocks: int, step_mm: np.float64) -> tuple[FloatArray, FloatArray]:
    """(block,): the least and the most along an axis between voxels of blocks so far apart."""
    apart = np.arange(blocks, dtype=np.float64) * BLOCK
    return np.maximum(apart - BLOCK + 1, 0) * step_mm, (apart + BLOCK - 1) * step_mm


@kernel
def used_blocks(words: WordArray) -> BoolArray:
    """(block of slices, of rows, of columns): whether a voxel of it is set."""
    slices, rows, row_words = words.shape[0] - 2, words.shape[1] - 2, words.shape[2]
    shape = ((slices + BLOCK - 1) // BLOCK, (rows + BLOCK - 1) // BLOCK, row_words * BLOCK)
    used = np.zeros(shape, np.bool_)
    for index in range(slices):
        for row in range(rows):
            for word in range(row_words):
                bits = words[1 + index, 1 + row, word]
                for byte in range(BLOCK):
                    if bits >> np.uint64(byte * BLOCK) & np.uint64(0xFF) != 0:
                        used[index // BLOCK, row // BLOCK, word * BLOCK + byte] = True
    return used


@kernel
def _extend(bound: FloatArray, ways: FloatArray) -> None:
    """Replace a bound along the last axis by the least sum of a bound and the way from there."""
    count = bound.shape[2]
    line = np.empty(count)
    for one in range(bound.shape[0]):
        for other in range(bound.shape[1]):
            line[:] = bound[one, other]
            for position in range(count):
                best = line[position] + ways[0]
                for apart in range(1, count):
                    if ways[apart] >= best:
                        break  # nothing further on is nearer
                    if position >= apart:
                        best = min(best, line[position - apart] + ways[apart])
                    if position + apart < count:
                        best = min(best, line[position + apart] + ways[apart])
                bound[one, other, position] = best
