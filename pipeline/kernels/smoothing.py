"""Where a slice is below a threshold after a small Gaussian; the smoothed slice is not kept.

`scipy.ndimage.gaussian_filter` decides the same for every pixel, also where a value comes out at
the threshold: the sums are formed in its order in float64, rows first, and what it would store in
between is rounded to the type it would store. Beyond an edge the slice is mirrored, the pixel at
the edge included.

Source: scipy.ndimage's documented definition (mode ``reflect``); order of summation found by trial.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel

FloatArray = npt.NDArray[np.floating[Any]]

RADIUS_PX = 2
_SIGMA_PX = 1.0


def smoothed_below(
    plane: npt.NDArray[Any], threshold: float, *, stored: type[np.float32] | type[np.float64]
) -> npt.NDArray[np.bool_]:
    """Mark what is below a threshold after a Gaussian of sigma 1 cut at two pixels.

    Parameters
    ----------
    plane
        (row, column), whole numbers; of at most 24 bits where ``stored`` is float32, which then
        holds them as they are. Not changed.
    threshold
        In the unit of ``plane``.
    stored
        The type to round to after either axis: that of the array that scipy would be given.

    Returns
    -------
    (row, column).
    """
    below = np.empty(plane.shape, dtype=bool)
    line = np.empty(plane.shape[1] + 2 * RADIUS_PX, dtype=stored)
    _mark(plane, _taps(), threshold, line, below)
    return below


def _taps() -> npt.NDArray[np.float64]:
    """(3,): the weights of the middle, of its neighbours and of theirs."""
    bell = np.exp(-0.5 / _SIGMA_PX**2 * np.arange(-RADIUS_PX, RADIUS_PX + 1) ** 2)
    taps: npt.NDArray[np.float64] = (bell / bell.sum())[RADIUS_PX:]
    return taps


@kernel
def _mark(
    plane: npt.NDArray[Any],
    taps: npt.NDArray[np.float64],
    threshold: float,
    line: FloatArray,
    below: npt.NDArray[np.bool_],
) -> None:
    """Smooth row by row; ``line`` takes a row and two pixels beyond either end."""
    rows, columns = plane.shape
    smooth = np.empty(columns, dtype=line.dtype)
    for row in range(rows):
        far_up, up = plane[_mirrored(row - 2, rows)], plane[_mirrored(row - 1, rows)]
        down, far_down = plane[_mirrored(row + 1, rows)], plane[_mirrored(row + 2, rows)]
        here = plane[row]
        for column in range(columns):
            value = np.float64(here[column]) * taps[0]
            value += (np.float64(far_up[column]) + np.float64(far_down[column])) * taps[2]
            value += (np.float64(up[column]) + np.float64(down[column])) * taps[1]
            line[column + 2] = value
        for beyond in (-2, -1, columns, columns + 1):
            line[beyond + 2] = line[_mirrored(beyond, columns) + 2]
        for column in range(columns):
            value = np.float64(line[column + 2]) * taps[0]
            value += (np.float64(line[column]) + np.float64(line[column + 4])) * taps[2]
            value += (np.float64(line[column + 1]) + np.float64(line[column + 3])) * taps[1]
            smooth[column] = value
        for column in range(columns):
            below[row, column] = smooth[column] < threshold


@kernel
def _mirrored(index: int, size: int) -> int:
    """The index whose pixel stands at ``index``, which may be up to two beyond an edge."""
    index %= 2 * size
    return min(index, 2 * size - 1 - index)
