"""Which air is lung: the 3-D components of the right size, near the middle, not outside.

The second part of the lung method; see `pipeline.algorithms.lung`. The reference labels the
volume anew for every pair of slices it leaves out at the top. Here each slice is labelled once;
3-D components are those of the graph of regions that touch from slice to slice, so leaving out
slices costs next to nothing.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from pipeline.errors import NothingFoundError

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.float64]

_VOLUME_MM3 = (0.68e6, 7.5e6)
_SLICE_AREA_MM2 = 6e3
_CENTRE_DISTANCE_MM = 62
_CUT_STEP = 2
_FOUR_NEIGHBOURS_IN_SLICE = ndimage.generate_binary_structure(3, 1)
_FOUR_NEIGHBOURS_IN_SLICE[[0, 2]] = False


@dataclass(frozen=True, eq=False, slots=True)
class _Regions:
    """The 4-connected regions of every slice of a mask, numbered from 1 up the slices.

    Parameters
    ----------
    labels
        (slice, row, column): the region of each voxel, 0 for none.
    slice_ends
        (slice,): the last region number used up to and including the slice.
    slice_of
        (region,): the slice a region lies in. Region 0 stands for none.
    area_px
        (region,).
    nearest_mm
        (region,): least distance of its pixels from the centre of the slice.
    contacts
        (contact, 2): regions of neighbouring slices that share a pixel position, the lower
        slice first; pairs may be repeated.
    """

    labels: IntArray
    slice_ends: IntArray
    slice_of: IntArray
    area_px: IntArray
    nearest_mm: FloatArray
    contacts: IntArray


def find_lungs(air: BoolArray, spacing_mm: npt.NDArray[np.float32]) -> BoolArray:
    """Choose the components of the air that are lung, most often both lungs as one.

    Where none fits, slices are left out at the top, two more each time: an airway open to the
    outside there joins the lungs to the air around the patient. What belongs to the lungs in
    those slices is given back afterwards.

    Parameters
    ----------
    air
        (slice, row, column), slices from feet to head.
    spacing_mm
        (slice, row, column).

    Returns
    -------
    (slice, row, column), true in the lungs and the airways that hang together with them.

    Raises
    ------
    NothingFoundError
        No component fits. (The reference then goes on with whatever air there is.)

    Source: seed 003, ``all_slice_analysis`` and its loop in ``step1_python``.
    """
    regions = _label_slices(air, spacing_mm)
    for cut in range(0, len(air), _CUT_STEP):
        chosen = _lung_regions(regions, len(air) - cut, spacing_mm)
        if chosen.any():
            lungs: BoolArray = chosen[regions.labels]
            return _regrow(lungs, air, cut) if cut else lungs
    raise NothingFoundError(
        "No lung was found: no air space of 0.68 to 7.5 litres lies near the middle of the slices "
        "and apart from the air around the patient. The series may not show the chest, or not "
        "enough of it."
    )


def _label_slices(mask: BoolArray, spacing_mm: npt.NDArray[np.float32]) -> _Regions:
    """Label each slice and measure its regions."""
    labels, count = ndimage.label(mask, _FOUR_NEIGHBOURS_IN_SLICE)
    slice_ends = np.maximum.accumulate(labels.max(axis=(1, 2)))
    area_px = np.zeros(count + 1, dtype=np.int64)
    nearest_mm = np.full(count + 1, np.inf)
    distance_mm = _distance_from_centre_mm(mask[0].shape, spacing_mm).ravel()
    for plane in labels:
        inside = np.flatnonzero(plane)
        numbers = plane.ravel()[inside]
        if numbers.size:
            first = numbers.min()
            areas = np.bincount(numbers - first)
            area_px[first : first + areas.size] = areas
            np.minimum.at(nearest_mm, numbers, distance_mm[inside])
    return _Regions(
        labels=labels,
        slice_ends=slice_ends,
        slice_of=np.searchsorted(slice_ends, np.arange(count + 1)),
        area_px=area_px,
        nearest_mm=nearest_mm,
        contacts=_contacts(labels),
    )


def _distance_from_centre_mm(
    shape: tuple[int, ...], spacing_mm: npt.NDArray[np.float32]
) -> FloatArray:
    """(row, column): distance of each pixel from the centre of the slice."""
    rows, columns = shape
    row_mm, column_mm = spacing_mm[1:]
    if rows == columns:
        # The reference pairs each spacing with the other axis. It is kept where the reference
        # has a result, so that masks are the same; it stops at slices that are not square.
        row_mm, column_mm = column_mm, row_mm
    down_mm = np.linspace(-rows / 2 + 0.5, rows / 2 - 0.5, rows) * row_mm
    across_mm = np.linspace(-columns / 2 + 0.5, columns / 2 - 0.5, columns) * column_mm
    distance: FloatArray = np.sqrt(across_mm**2 + down_mm[:, np.newaxis] ** 2)
    return distance


def _contacts(labels: IntArray) -> IntArray:
    """(contact, 2): the pairs of regions that lie over each other in neighbouring slices."""
    pairs = [np.empty((0, 2), dtype=labels.dtype)]
    for lower, upper in pairwise(labels):
        over = (lower > 0) & (upper > 0)
        pair = np.column_stack((lower[over], upper[over]))
        # A run of pixels repeats its pair; one is enough.
        pairs.append(pair[:1])
        pairs.append(pair[1:][(pair[1:] != pair[:-1]).any(axis=1)])
    return np.concatenate(pairs)


def _lung_regions(regions: _Regions, slices: int, spacing_mm: npt.NDArray[np.float32]) -> BoolArray:
    """(region,): whether it belongs to a lung, seeing the lowest ``slices`` slices only."""
    count = int(regions.slice_ends[slices - 1]) + 1
    component = _components(regions, count)
    voxels = np.bincount(component, weights=regions.area_px[:count])
    volume_mm3 = voxels * spacing_mm.prod()
    fits = (volume_mm3 >= _VOLUME_MM3[0]) & (volume_mm3 <= _VOLUME_MM3[1])
    for end in (0, slices - 1):
        fits[component[_rim(regions.labels[end])]] = False
    chosen = np.zeros(regions.area_px.size, dtype=bool)
    for number in np.flatnonzero(fits):
        members = np.flatnonzero(component == number)
        chosen[members] = _is_central(regions, members, spacing_mm)
    return chosen


def _components(regions: _Regions, count: int) -> IntArray:
    """(count,): the 3-D component of each of the first ``count`` regions."""
    lower, upper = regions.contacts[regions.contacts[:, 1] < count].T
    graph = sparse.coo_array((np.ones(lower.size, bool), (lower, upper)), shape=(count, count))
    _, component = csgraph.connected_components(graph, directed=False)
    return np.asarray(component)


def _rim(plane: IntArray) -> IntArray:
    """The labels where the air around the patient shows: corners, middle of top and bottom."""
    columns = [0, plane.shape[1] // 2, -1]
    return np.concatenate((plane[0, columns], plane[-1, columns]))


def _is_central(regions: _Regions, members: IntArray, spacing_mm: npt.NDArray[np.float32]) -> bool:
    """Whether a component comes near the centre, on average over the slices it is large in."""
    slices = regions.slice_of[members]
    area_px = np.bincount(slices, weights=regions.area_px[members])
    nearest_mm = np.full(area_px.size, np.inf)
    np.minimum.at(nearest_mm, slices, regions.nearest_mm[members])
    large = area_px * np.prod(spacing_mm[1:]) > _SLICE_AREA_MM2
    return bool(large.any() and nearest_mm[large].mean() < _CENTRE_DISTANCE_MM)


def _regrow(lungs: BoolArray, air: BoolArray, cut: int) -> BoolArray:
    """Give back, in the top ``cut`` slices, the air within ``cut`` steps that joins the lungs."""
    slices = len(lungs)
    below = slices - cut - 1
    start = max(0, slices - 2 * cut)
    near = ndimage.binary_dilation(lungs[start:], iterations=cut)[below + 1 - start :]
    top = np.concatenate((lungs[below : below + 1], air[below + 1 :] & near))
    labels, count = ndimage.label(top)
    joined = np.zeros(count + 1, dtype=bool)
    joined[labels[0]] = True
    joined[0] = False
    grown = lungs.copy()
    grown[below:] = joined[labels]
    return grown
