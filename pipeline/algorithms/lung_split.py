"""From one mask of both lungs to two masks.

The last part of the lung method; see `pipeline.algorithms.lung`. The work is done in the
bounding box of the mask, where it gives the same voxels as in the whole volume.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import measure

from pipeline.errors import NothingFoundError

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.float64]
Box = tuple[slice, ...]

_MAXIMUM_EROSIONS = 22
_MAXIMUM_SIZE_RATIO = 4.8
_COVERED_SHARE = 0.95
_EIGHTEEN_NEIGHBOURS = ndimage.generate_binary_structure(3, 2)
_ALL_NEIGHBOURS = ndimage.generate_binary_structure(3, 3)
_EIGHT_NEIGHBOURS = ndimage.generate_binary_structure(2, 2)
_EIGHT_NEIGHBOURS_IN_SLICE = ndimage.generate_binary_structure(3, 3)
_EIGHT_NEIGHBOURS_IN_SLICE[[0, 2]] = False
# scikit-image does not type it.
_REGIONPROPS: Callable[..., list[Any]] = measure.regionprops
_INSEPARABLE = (
    "The two lungs cannot be told apart: the air space that was found does not fall into two "
    "parts of similar size. One lung may be missing or collapsed, or the slices may not show both."
)


def fill_enclosed(mask: BoolArray) -> BoolArray:
    """Add the background that the mask encloses: what is 26-connected to no corner.

    Parameters
    ----------
    mask
        (slice, row, column), not empty. Not changed.

    Source: seed 003, ``fill_hole``.
    """
    box = _framed_box(mask)
    labels, count = ndimage.label(~mask[box], _ALL_NEIGHBOURS)
    enclosed = np.ones(count + 1, dtype=bool)
    enclosed[labels[np.ix_((0, -1), (0, -1), (0, -1))]] = False
    filled = np.zeros_like(mask)
    filled[box] = enclosed[labels]
    return filled


def split_lungs(
    mask: BoolArray, spacing_mm: npt.NDArray[np.float32]
) -> tuple[BoolArray, BoolArray]:
    """Tell the two lungs apart.

    The mask is eroded until its two largest components are of similar size. Each voxel then goes
    to the nearer one; voxels equally far from both go to none.

    Parameters
    ----------
    mask
        (slice, row, column), not empty. Not changed.
    spacing_mm
        (slice, row, column).

    Returns
    -------
    Two masks on the same grid, the one with the larger core first.

    Raises
    ------
    NothingFoundError
        No two parts of similar size appear, or one of them holds nothing.

    Source: seed 003, ``two_lung_only``.
    """
    box = _bounding_box(mask)
    cropped = mask[box]
    cores = _two_cores(cropped)
    with ThreadPoolExecutor(len(cores)) as pool:
        first_mm, second_mm = pool.map(lambda core: _distances_mm(core, cropped, spacing_mm), cores)
    first = _cleaned(_pick(cropped, first_mm < second_mm))
    second = _cleaned(_pick(cropped, first_mm > second_mm))
    return _placed(first, box, mask.shape), _placed(second, box, mask.shape)


def _bounding_box(mask: BoolArray) -> Box:
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        used = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(used[0]), int(used[-1]) + 1))
    return tuple(box)


def _framed_box(mask: BoolArray) -> Box:
    """The bounding box and one voxel around it, or everything where that would not fit.

    The frame stands for all that lies outside, as long as it is there on all sides of a slice.
    """
    box = _bounding_box(mask)
    for extent, size in zip(box[1:], mask.shape[1:], strict=True):
        if extent.start == 0 or extent.stop == size:
            return (slice(None),) * mask.ndim
    return tuple(slice(max(0, extent.start - 1), extent.stop + 1) for extent in box)


def _two_cores(mask: BoolArray) -> tuple[BoolArray, BoolArray]:
    """The two largest components (18-connected) after as few erosions as make them similar."""
    core = mask
    for _ in range(_MAXIMUM_EROSIONS):
        labels, _count = ndimage.label(core, _EIGHTEEN_NEIGHBOURS)
        order, sizes = _by_size(labels)
        if len(order) > 1 and sizes[order[0]] / sizes[order[1]] < _MAXIMUM_SIZE_RATIO:
            return labels == order[0], labels == order[1]
        core = _eroded(core)
    raise NothingFoundError(_INSEPARABLE)


def _by_size(labels: IntArray) -> tuple[IntArray, IntArray]:
    """The labels from the largest region to the smallest, and the size of each label.

    Labels count up in raster order; among equals the lower comes first.
    """
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    order = np.argsort(-sizes, kind="stable")
    return order[sizes[order] > 0], sizes


def _eroded(mask: BoolArray) -> BoolArray:
    """The voxels whose six neighbours are all set; beyond the edge nothing is."""
    eroded = np.zeros_like(mask)
    middle = slice(1, -1)
    inner = eroded[middle, middle, middle]
    inner[...] = mask[middle, middle, middle]
    for axis in range(mask.ndim):
        for shifted in (slice(None, -2), slice(2, None)):
            window = [middle] * mask.ndim
            window[axis] = shifted
            inner &= mask[tuple(window)]
    return eroded


def _distances_mm(
    core: BoolArray, where: BoolArray, spacing_mm: npt.NDArray[np.float32]
) -> FloatArray:
    """(voxel,): from each voxel of ``where`` in raster order to the nearest of ``core``.

    The same arithmetic in the same order as scipy's own distance, which it forms for all voxels:
    whether two distances are equal decides to which lung a voxel goes.
    """
    nearest = ndimage.distance_transform_edt(
        ~core, sampling=spacing_mm, return_distances=False, return_indices=True
    )
    squared = np.zeros(np.count_nonzero(where))
    for axis, indices in enumerate(np.nonzero(where)):
        offset_mm = (nearest[axis][where] - indices).astype(np.float64) * spacing_mm[axis]
        squared += offset_mm * offset_mm
    return np.sqrt(squared)


def _pick(where: BoolArray, chosen: BoolArray) -> BoolArray:
    """``where`` with only those of its voxels, in raster order, that are chosen."""
    picked = np.zeros_like(where)
    picked[where] = chosen
    return picked


def _cleaned(lung: BoolArray) -> BoolArray:
    """One lung without scattered pieces, its holes within each slice filled."""
    main = np.empty_like(lung)
    for index, plane in enumerate(lung):
        main[index] = _main_of_slice(plane)
    labels, _count = ndimage.label(main, _ALL_NEIGHBOURS)
    order, _sizes = _by_size(labels)
    if not order.size:
        raise NothingFoundError(_INSEPARABLE)
    return _fill_in_slices(labels == order[0])


def _main_of_slice(plane: BoolArray) -> BoolArray:
    """(row, column): the largest regions that cover most of it, and what lies in their hulls."""
    labels, count = ndimage.label(plane, _EIGHT_NEIGHBOURS)
    order, sizes = _by_size(labels)
    covered = np.cumsum(sizes[order])
    large = order[: np.searchsorted(covered, _COVERED_SHARE * plane.sum()) + 1]
    if large.size == count:
        return plane
    kept = np.zeros(count + 1, dtype=bool)
    kept[large] = True
    main: BoolArray = kept[labels]
    small = plane & ~main
    for hull, extent in _hulls(main, labels, small):
        main[extent] |= hull & small[extent]
    return main


def _hulls(main: BoolArray, labels: IntArray, small: BoolArray) -> Iterator[tuple[BoolArray, Box]]:
    """The convex hull of each region of ``main`` whose bounding box meets ``small``."""
    for region in _REGIONPROPS(np.where(main, labels, 0)):
        if small[region.slice].any():
            yield region.image_convex, region.slice


def _fill_in_slices(lung: BoolArray) -> BoolArray:
    """Fill, slice by slice, background (8-connected) that does not reach the edge.

    The outer border of such a hole is one 8-connected region, so filling the whole slice at once
    is the same as filling each region by itself, as the reference does.
    """
    framed = np.pad(lung, ((0, 0), (1, 1), (1, 1)))
    labels, count = ndimage.label(~framed, _EIGHT_NEIGHBOURS_IN_SLICE)
    filled = np.ones(count + 1, dtype=bool)
    filled[labels[:, 0, 0]] = False
    inside: BoolArray = filled[labels[:, 1:-1, 1:-1]]
    return inside


def _placed(cropped: BoolArray, box: Box, shape: tuple[int, ...]) -> BoolArray:
    whole = np.zeros(shape, dtype=bool)
    whole[box] = cropped
    return whole
