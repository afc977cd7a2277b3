"""Maximum of a rotated volume along its rays, and where on the ray it lies.

No rotated volume is made: a ray's samples are taken for several slices at once, whose weights are
the same and whose voxels lie side by side in a copy of these slices.

Source: the values are those of ``scipy.ndimage.rotate`` (scipy 1.17) with linear interpolation,
followed by a maximum along the first rotated axis, in the same order of summation.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel, threads
from pipeline.kernels.rotation_grid import RotationGrid, half_turn

AnyArray = npt.NDArray[Any]
DepthArray = npt.NDArray[np.int16]

_SLICES = 32
_TYPES = tuple(map(np.dtype, ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")))
_TO_FLOAT32, _TO_INTEGER, _AS_IT_IS = 0, 1, 2


def project_rotated(
    voxels: AnyArray, grid: RotationGrid, angles_deg: Sequence[float], background: float
) -> tuple[AnyArray, DepthArray]:
    """The maximum along the rays of each angle.

    From 180 degrees on, a view is the mirror image of the one half a turn earlier, which is made
    once: its rays are the same, in the other direction.

    Parameters
    ----------
    voxels
        (slice, row, column): integers of up to 32 bits, float32 or float64, all finite.
    grid
        The rays through each slice.
    angles_deg
        In any order, 0 or more, taken with nine decimals.
    background
        The value of samples outside the slice; one that the type of ``voxels`` holds.

    Returns
    -------
    brightest
        (angle, slice, ray) in the type of ``voxels``: the largest of the background and of the
        samples, each rounded to that type, integers to the nearest, halves away from zero.
    depth
        (angle, slice, ray): the first sample that is brightest, from 180 degrees on the last, -1
        where it is the background.

    Raises
    ------
    ValueError
        ``voxels`` or ``background`` are not as said above.
    """
    voxels = _checked(voxels, background)
    shape = (len(angles_deg), len(voxels), grid.width)
    brightest, depth = np.empty(shape, voxels.dtype), np.empty(shape, np.int16)
    turns = _share_turns(angles_deg)
    bounds, rounding = (*grid.first, grid.depth), _rounding(voxels.dtype)

    def project_slices(start: int) -> None:
        part = slice(start, start + _SLICES)
        block = np.empty((grid.rows, grid.columns, len(voxels[part])), voxels.dtype)
        _gather(voxels[part], block)
        values = np.empty((grid.width, block.shape[2]))
        places = np.empty(values.shape, np.int16)
        for angle, (front, back) in turns.items():
            mapping = grid.mapping(angle)
            _project(block, mapping, bounds, float(background), rounding, values, places)
            brightest[front, part], depth[front, part] = values.T, places.T
            brightest[back, part] = values[::-1].T
            depth[back, part] = np.where(places < 0, -1, grid.depth - 1 - places)[::-1].T

    with ThreadPoolExecutor(threads()) as pool:
        list(pool.map(project_slices, range(0, len(voxels), _SLICES)))
    return brightest, depth


def _checked(voxels: AnyArray, background: float) -> AnyArray:
    """The voxels in native byte order."""
    native = voxels.dtype.newbyteorder("=")
    if native not in _TYPES:
        raise ValueError(f"voxels are {native}; they are {', '.join(map(str, _TYPES))}")
    if voxels.size and not (np.isfinite(voxels.min()) and np.isfinite(voxels.max())):
        raise ValueError("voxels are not all finite")
    if not _holds(native, background):
        raise ValueError(f"background is {background}; it is a value that {native} holds")
    return voxels.astype(native, copy=False)


def _holds(dtype: np.dtype[Any], value: float) -> bool:
    """Whether a type has this very value."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return limits.min <= value <= limits.max and value == int(value)
    return bool(np.isfinite(value) and dtype.type(value) == value)


def _share_turns(angles_deg: Sequence[float]) -> dict[float, tuple[list[int], list[int]]]:
    """For each angle below 180 degrees the views that show it and those that mirror it."""
    shared: dict[float, tuple[list[int], list[int]]] = {}
    for view, angle_deg in enumerate(angles_deg):
        angle, mirrored = half_turn(angle_deg)
        front, back = shared.setdefault(angle, ([], []))
        (back if mirrored else front).append(view)
    return shared


def _rounding(dtype: np.dtype[Any]) -> int:
    if dtype.kind in "iu":
        return _TO_INTEGER
    return _TO_FLOAT32 if dtype == np.float32 else _AS_IT_IS


@kernel
def _gather(voxels: AnyArray, block: AnyArray) -> None:
    """Copy (slice, row, column) to (row, column, slice)."""
    rows, columns, slices = block.shape
    for row in range(rows):
        for i in range(slices):
            for column in range(columns):
                block[row, column, i] = voxels[i, row, column]


@kernel
def _rounded(value: float, rounding: int) -> float:
    """A sample as the volume's type holds it: halves of integers away from zero."""
    if rounding == _TO_FLOAT32:
        return float(np.float32(value))
    if rounding == _TO_INTEGER:
        return float(np.trunc(value + np.copysign(0.5, value)))
    return value


@kernel
def _project(  # noqa: PLR0917 - compiled functions take no keywords
    block: AnyArray,
    mapping: npt.NDArray[np.float64],
    bounds: tuple[int, int, int],
    background: float,
    rounding: int,
    brightest: npt.NDArray[np.float64],
    places: DepthArray,
) -> None:
    """Fill (ray, slice) with the maximum along each ray and its first sample, -1 for none."""
    rows, columns, slices = block.shape
    for ray in range(len(brightest)):
        across = float(ray + bounds[1])
        best, where = brightest[ray], places[ray]
        best[:] = background
        where[:] = -1
        for sample in range(bounds[2]):
            along = float(sample + bounds[0])
            row = along * mapping[0, 0] + across * mapping[0, 1] + mapping[0, 2]
            column = along * mapping[1, 0] + across * mapping[1, 1] + mapping[1, 2]
            if not (0.0 <= row <= rows - 1 and 0.0 <= column <= columns - 1):
                continue
            upper, left = int(row), int(column)
            lower, right = min(upper + 1, rows - 1), min(left + 1, columns - 1)
            up, at_left = 1.0 - (row - upper), 1.0 - (column - left)
            down, at_right = 1.0 - up, 1.0 - at_left
            for i in range(slices):
                value = block[upper, left, i] * up * at_left
                value += block[upper, right, i] * up * at_right
                value += block[lower, left, i] * down * at_left
                value += block[lower, right, i] * down * at_right
                value = _rounded(value, rounding)
                if value > best[i]:
                    best[i] = value
                    where[i] = sample
