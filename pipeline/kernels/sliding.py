"""Maximum, minimum and mean of neighbours along one axis of a volume.

Lines of voxels along the axis are taken in tiles (along, line): neighbouring lines fill the
vector registers, and a tile stays in the processor's second cache. An extreme takes three steps a
voxel whatever the window: running extremes from the start and from the end of blocks as long as
the window; one of each makes a window.

Source: M. van Herk, Pattern Recognition Letters 13 (1992) 517-521; J. Gil and M. Werman, IEEE
PAMI 15 (1993) 504-507.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel, threads

AnyArray = npt.NDArray[Any]

MAXIMUM, MINIMUM, INTEGER_MEAN, FLOAT_MEAN = 0, 1, 2, 3
_TILE_BYTES = 1 << 18
_FEWEST_LINES = 64
_SQUARE = 32


def slide(voxels: AnyArray, operation: int, reach: int, axis: int) -> AnyArray:
    """Combine each voxel with its neighbours along an axis.

    Parameters
    ----------
    voxels
        Three axes, integers, float32 or float64, in native byte order. Copied only where it is
        not contiguous in any order of its axes.
    operation
        `MAXIMUM` and `MINIMUM`: NaN where a neighbour is. `INTEGER_MEAN`, for up to 32 bits: the
        exact mean rounded to the nearest integer, halves to even. `FLOAT_MEAN`: the float64 sum
        from the first neighbour to the last, divided by their number, rounded once.
    reach
        Neighbours to each side, fewer where the axis ends.
    axis
        0, 1 or 2.

    Returns
    -------
    Shape, type and memory order of ``voxels``.
    """
    order = sorted(range(3), key=lambda one: -abs(voxels.strides[one]))
    source = np.ascontiguousarray(voxels.transpose(order))
    target = np.empty_like(source)
    along = order.index(axis)
    if source.size:
        folded = (
            int(np.prod(source.shape[:along])),
            source.shape[along],
            int(np.prod(source.shape[along + 1 :])),
        )
        _slide_lines(source.reshape(folded), target.reshape(folded), operation, reach)
    return target.transpose(np.argsort(order))


def _slide_lines(source: AnyArray, target: AnyArray, operation: int, reach: int) -> None:
    """Share the lines of (outer, along, inner) out to the threads."""
    outer, count, inner = source.shape
    reach = min(reach, count - 1)
    # The axis is the innermost in memory: a tile takes its lines from one outer line each.
    transposed = inner == 1
    if transposed:
        source, target = source.reshape(1, outer, count), target.reshape(1, outer, count)
    lines = outer if transposed else inner
    fitting = _FEWEST_LINES if transposed else _TILE_BYTES // (count * source.itemsize)
    width = min(lines, max(_FEWEST_LINES, fitting))
    tiles = [(block, first) for block in range(len(source)) for first in range(0, lines, width)]
    parts = np.array_split(np.array(tiles), threads())
    with ThreadPoolExecutor(len(parts)) as pool:
        running = [
            pool.submit(_slide_tiles, source, target, part, width, operation, reach, transposed)
            for part in parts
        ]
        for part in running:
            part.result()


@kernel
def _slide_tiles(  # noqa: PLR0917 - compiled functions take no keywords
    source: AnyArray,
    target: AnyArray,
    tiles: npt.NDArray[np.int64],
    width: int,
    operation: int,
    reach: int,
    transposed: bool,  # noqa: FBT001
) -> None:
    """Work on each tile (block, first line) of ``source``."""
    count = source.shape[2] if transposed else source.shape[1]
    lines = source.shape[1] if transposed else source.shape[2]
    # The last tile may hold fewer lines; what an earlier one left there is worked on, not stored.
    ahead = np.zeros((count, width), source.dtype)
    combined = np.empty((count, width), source.dtype)
    total = np.empty(width, np.float64)
    for number in range(len(tiles)):
        block, first = tiles[number]
        used = min(width, lines - first)
        _load(source[block], first, used, ahead, transposed)
        if operation == INTEGER_MEAN:
            _integer_means(ahead, combined, total, reach)
        elif operation == FLOAT_MEAN:
            _float_means(ahead, combined, total, reach)
        else:
            _extremes(ahead, combined, reach, operation == MAXIMUM)
        _store(combined, first, used, target[block], transposed)


@kernel
def _load(source: AnyArray, first: int, lines: int, tile: AnyArray, transposed: bool) -> None:  # noqa: FBT001
    """Copy lines of the volume from ``first`` on into the tile."""
    count = len(tile)
    if transposed:
        for start in range(0, count, _SQUARE):
            for line in range(lines):
                for i in range(start, min(start + _SQUARE, count)):
                    tile[i, line] = source[first + line, i]
    else:
        for i in range(count):
            for line in range(lines):
                tile[i, line] = source[i, first + line]


@kernel
def _store(tile: AnyArray, first: int, lines: int, target: AnyArray, transposed: bool) -> None:  # noqa: FBT001
    """Copy the tile to lines of the volume from ``first`` on."""
    count = len(tile)
    if transposed:
        for start in range(0, count, _SQUARE):
            for line in range(lines):
                for i in range(start, min(start + _SQUARE, count)):
                    target[first + line, i] = tile[i, line]
    else:
        for i in range(count):
            for line in range(lines):
                target[i, first + line] = tile[i, line]


@kernel
def _better(one: Any, other: Any, largest: bool) -> Any:  # noqa: FBT001
    """The larger or the smaller of two values; NaN if one is NaN."""
    if one != one:  # noqa: PLR0124 - NaN alone differs from itself
        return one
    if largest:
        return one if one > other else other
    return one if one < other else other


@kernel
def _extremes(ahead: AnyArray, combined: AnyArray, reach: int, largest: bool) -> None:  # noqa: FBT001
    """From the voxels in ``ahead`` (overwritten) to the extreme of each window."""
    count, lines = ahead.shape
    block = 2 * reach + 1
    for i in range(count):
        for line in range(lines):
            value = ahead[i, line]
            if i % block:
                value = _better(combined[i - 1, line], value, largest)
            combined[i, line] = value
    for i in range(count - 2, -1, -1):
        if (i + 1) % block:
            for line in range(lines):
                ahead[i, line] = _better(ahead[i, line], ahead[i + 1, line], largest)
    _join(ahead, combined, reach, largest)


@kernel
def _join(ahead: AnyArray, combined: AnyArray, reach: int, largest: bool) -> None:  # noqa: FBT001
    """The extreme of each window from those to the end and from the start of its blocks."""
    count, lines = ahead.shape
    block = 2 * reach + 1
    for i in range(count):
        first, last = max(0, i - reach), min(count - 1, i + reach)
        # A window within one block reaches from its start or, cut at the axis's end, to its end.
        if first // block != last // block:
            for line in range(lines):
                combined[i, line] = _better(ahead[first, line], combined[last, line], largest)
        elif first % block == 0:
            combined[i] = combined[last]
        else:
            combined[i] = ahead[first]


@kernel
def _integer_means(
    voxels: AnyArray, means: AnyArray, total: npt.NDArray[np.float64], reach: int
) -> None:
    """The mean of each window from a running sum, which float64 holds exactly."""
    count, lines = voxels.shape
    total[:] = 0.0
    for i in range(-reach, count):
        if i + reach < count:
            for line in range(lines):
                total[line] += voxels[i + reach, line]
        if i > reach:
            for line in range(lines):
                total[line] -= voxels[i - reach - 1, line]
        if i >= 0:
            neighbours = min(count, i + reach + 1) - max(0, i - reach)
            for line in range(lines):
                means[i, line] = np.rint(total[line] / neighbours)


@kernel
def _float_means(
    voxels: AnyArray, means: AnyArray, total: npt.NDArray[np.float64], reach: int
) -> None:
    """The mean of each window, summed anew: a running sum would carry its errors along."""
    count, lines = voxels.shape
    for i in range(count):
        first, end = max(0, i - reach), min(count, i + reach + 1)
        total[:] = 0.0
        for neighbour in range(first, end):
            for line in range(lines):
                total[line] += voxels[neighbour, line]
        for line in range(lines):
            means[i, line] = total[line] / (end - first)
