"""The voxels in and around the lungs as the grt123 team's networks see them.

Around each lung lies a zone: its convex hull slice by slice, so that what hangs on the chest wall
or lies between vessels is not lost, and ten steps more. Within the zones a voxel keeps its windowed
value, unless it is bone outside of the lungs; all else is padding. See
`pipeline.algorithms.lung_prepare`.

Source: seed 003, ``process_mask``, ``lumTrans`` and the part of ``savenpy`` between them.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel
from pipeline.kernels.dilation import PackedMask, dilate, set_span
from pipeline.kernels.hull import row_extremes, widen_to_hull
from pipeline.kernels.slabs import in_slabs

BoolArray = npt.NDArray[np.bool_]
ByteArray = npt.NDArray[np.uint8]
HuArray = npt.NDArray[np.int16]
IndexArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]
Box = tuple[slice, slice, slice]

_WINDOW_HU = (-1200, 600)
_PADDING = 170
_BONE_ABOVE = 210
_ZONE_STEPS = 10
_LARGEST_HULL_RATIO = 2


class Lung(NamedTuple):
    """One mask and, for each of its rows, the first and the last column that is set.

    Parameters
    ----------
    mask
        (slice, row, column).
    first, last
        (slice, row), int64: 0 and -1 where a row is empty.
    """

    mask: BoolArray
    first: IndexArray
    last: IndexArray

    @classmethod
    def find(cls, mask: BoolArray) -> "Lung":
        """Look through every row of a mask."""
        first, last = np.empty((2, *mask.shape[:2]), dtype=np.int64)
        in_slabs(lambda start, stop: _find_ends(mask, first, last, start, stop), len(mask))
        return cls(mask, first, last)


def clean(voxels_hu: HuArray, lungs: tuple[Lung, Lung], region: Box) -> ByteArray:
    """Window the voxels near the lungs and put padding for the others.

    Parameters
    ----------
    voxels_hu
        (slice, row, column) in Hounsfield Units. Not changed.
    lungs
        On the same grid.
    region
        The part that is wanted. It holds both lungs.

    Returns
    -------
    (slice, row, column) of the region: 0 to 255 for -1200 to 600 HU, padding 170.
    """
    zones = _zones(lungs, region)
    window = _window()
    cropped_hu = voxels_hu[region]
    one, other = (lung.mask[region] for lung in lungs)
    cleaned = np.empty(cropped_hu.shape, dtype=np.uint8)

    def clean_slices(start: int, stop: int) -> None:
        for index in range(start, stop):
            lung = one[index] | other[index]
            zone = zones.slice_mask(index)
            _clean_slice(cropped_hu[index], lung, zone, window, cleaned[index])

    in_slabs(clean_slices, len(cleaned))
    return cleaned


def _zones(lungs: tuple[Lung, Lung], region: Box) -> PackedMask:
    """The zones of both lungs at once: the dilation of a union is the union of the dilations."""
    slices, rows, columns = region
    hulls = PackedMask.empty(
        (slices.stop - slices.start, rows.stop - rows.start, columns.stop - columns.start),
        _ZONE_STEPS,
    )

    def paint(start: int, stop: int) -> None:
        part = slice(slices.start + start, slices.start + stop)
        for mask, first, last in lungs:
            cropped = Lung(mask[part, rows], first[part, rows], last[part, rows])
            _paint_hulls(cropped, columns.start, hulls.words[1 + start : 1 + stop, 1:-1])

    in_slabs(paint, hulls.shape[0])
    return dilate(hulls)


def _window() -> ByteArray:
    """(1801,): what each Hounsfield Unit from -1200 to 600 becomes."""
    low, high = _WINDOW_HU
    return ((np.arange(low, high + 1) - low) / (high - low) * 255).astype(np.uint8)


@kernel
def _find_ends(mask: BoolArray, first: IndexArray, last: IndexArray, start: int, stop: int) -> None:
    for index in range(start, stop):
        row_extremes(mask[index], first[index], last[index])


@kernel
def _paint_hulls(lung: Lung, left: int, packed: WordArray) -> None:
    """Set the convex hull of each slice, or the slice itself where its hull is far larger.

    Parameters
    ----------
    lung
        Some slices and rows of one.
    left
        The column that is the first packed one.
    packed
        (slice, row, word) of the same slices and rows, changed.
    """
    for index in range(len(packed)):
        first, last = lung.first[index].copy(), lung.last[index].copy()
        widen_to_hull(first, last)
        if (last - first + 1).sum() > _LARGEST_HULL_RATIO * _area(lung, index):
            _paint_slice(lung, index, left, packed[index])
        else:
            for row in range(first.size):
                set_span(packed[index, row], first[row] - left, last[row] + 1 - left)


@kernel
def _area(lung: Lung, index: int) -> int:
    """How many voxels of a slice are set."""
    area = 0
    for row in range(lung.first.shape[1]):
        for column in range(lung.first[index, row], lung.last[index, row] + 1):
            area += lung.mask[index, row, column]
    return area


@kernel
def _paint_slice(lung: Lung, index: int, left: int, packed: WordArray) -> None:
    """Set a slice as it is."""
    for row in range(len(packed)):
        for column in range(lung.first[index, row], lung.last[index, row] + 1):
            if lung.mask[index, row, column]:
                set_span(packed[row], column - left, column + 1 - left)


@kernel
def _clean_slice(
    voxels_hu: HuArray, lung: BoolArray, zone: BoolArray, window: ByteArray, cleaned: ByteArray
) -> None:
    low, high = _WINDOW_HU
    for row in range(cleaned.shape[0]):
        for column in range(cleaned.shape[1]):
            value = window[min(max(voxels_hu[row, column], low), high) - low]
            soft = lung[row, column] | (value <= _BONE_ABOVE)
            cleaned[row, column] = value if zone[row, column] & soft else _PADDING
