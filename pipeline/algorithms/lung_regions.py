"""Which air is lung: the 3-D components of the right size, near the middle, not outside.

The second part of the lung method; see `pipeline.algorithms.lung`. The reference labels the
volume anew for every pair of slices it leaves out at the top. Here each slice is labelled once;
3-D components are those of the graph of regions that touch from slice to slice, so leaving out
slices costs next to nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import NoLungFoundError
from pipeline.kernels.compiled import kernel
from pipeline.kernels.components import Components, Connectivity, contacts, join, label
from pipeline.kernels.runs import Runs, encode

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.float64]

_VOLUME_MM3 = (0.68e6, 7.5e6)
_SLICE_AREA_MM2 = 6e3
_CENTRE_DISTANCE_MM = 62
_CUT_STEP = 2


@dataclass(frozen=True, eq=False, slots=True)
class _Regions:
    """The 4-connected regions of every slice of a mask, numbered from 1 up the slices.

    Parameters
    ----------
    parts
        The region of each run of voxels.
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
        slice first; as many as tie together what hangs together.
    """

    parts: Components
    slice_ends: IntArray
    slice_of: IntArray
    area_px: IntArray
    nearest_mm: FloatArray
    contacts: npt.NDArray[np.int32]


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
    NoLungFoundError
        No component fits. (The reference then goes on with whatever air there is.)

    Source: seed 003, ``all_slice_analysis`` and its loop in ``step1_python``.
    """
    regions = _label_slices(air, spacing_mm)
    for cut in range(0, len(air), _CUT_STEP):
        chosen = _lung_regions(regions, len(air) - cut, spacing_mm)
        if chosen.any():
            lungs = regions.parts.mask(chosen)
            return _regrow(lungs, air, cut) if cut else lungs
    raise NoLungFoundError(
        "No lung was found: no air space of 0.68 to 7.5 litres lies near the middle of the slices "
        "and apart from the air around the patient. The series may not show the chest, or not "
        "enough of it."
    )


def _label_slices(mask: BoolArray, spacing_mm: npt.NDArray[np.float32]) -> _Regions:
    """Label each slice and measure its regions."""
    parts = label(encode(mask), Connectivity.FOUR_IN_SLICE)
    slice_ends = parts.last_of_slices()
    return _Regions(
        parts=parts,
        slice_ends=slice_ends,
        slice_of=np.searchsorted(slice_ends, np.arange(parts.count + 1)),
        area_px=parts.voxels(),
        nearest_mm=_nearest_mm(parts, spacing_mm),
        contacts=contacts(parts),
    )


def _nearest_mm(parts: Components, spacing_mm: npt.NDArray[np.float32]) -> FloatArray:
    """(region,): least distance from the centre of the slice."""
    nearest_mm = np.full(parts.count + 1, np.inf)
    distance_mm = _distance_from_centre_mm(parts.runs.shape[1:], spacing_mm)
    _lower_to_nearest(parts.runs, parts.labels, distance_mm, nearest_mm)
    return nearest_mm


@kernel
def _lower_to_nearest(
    runs: Runs, labels: IntArray, distance_mm: FloatArray, nearest_mm: FloatArray
) -> None:
    """Lower the distance of each region to the least of its pixels'."""
    rows, columns = distance_mm.shape
    for row in range(runs.offsets.size - 1):
        for run in range(runs.offsets[row], runs.offsets[row + 1]):
            # Along a row the distance falls towards the middle and rises from there.
            column = min(max(columns // 2, runs.starts[run]), runs.stops[run] - 1)
            region = labels[run]
            nearest_mm[region] = min(nearest_mm[region], distance_mm[row % rows, column])


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


def _lung_regions(regions: _Regions, slices: int, spacing_mm: npt.NDArray[np.float32]) -> BoolArray:
    """(region,): whether it belongs to a lung, seeing the lowest ``slices`` slices only."""
    count = int(regions.slice_ends[slices - 1]) + 1
    component = join(regions.contacts[regions.contacts[:, 1] < count], count - 1)
    voxels = np.bincount(component, weights=regions.area_px[:count])
    volume_mm3 = voxels * spacing_mm.prod()
    fits = (volume_mm3 >= _VOLUME_MM3[0]) & (volume_mm3 <= _VOLUME_MM3[1])
    fits[component[_rim(regions.parts, (0, slices - 1))]] = False
    chosen = np.zeros(regions.area_px.size, dtype=bool)
    for number in np.flatnonzero(fits):
        members = np.flatnonzero(component == number)
        chosen[members] = _is_central(regions, members, spacing_mm)
    return chosen


def _rim(parts: Components, slices: tuple[int, int]) -> list[int]:
    """The labels where the air around the patient shows: corners, middle of top and bottom."""
    columns = (0, parts.runs.shape[2] // 2, -1)
    return [
        parts.at(index, row, column) for index in slices for row in (0, -1) for column in columns
    ]


def _is_central(regions: _Regions, members: IntArray, spacing_mm: npt.NDArray[np.float32]) -> bool:
    """Whether a component comes near the centre, on average over the slices it is large in."""
    slices = regions.slice_of[members]
    area_px = np.bincount(slices, weights=regions.area_px[members])
    nearest_mm = np.full(area_px.size, np.inf)
    np.minimum.at(nearest_mm, slices, regions.nearest_mm[members])
    large = area_px * np.prod(spacing_mm[1:]) > _SLICE_AREA_MM2
    return bool(large.any() and nearest_mm[large].mean() < _CENTRE_DISTANCE_MM)


def _regrow(lungs: BoolArray, air: BoolArray, cut: int) -> BoolArray:
    """Give back, in the top ``cut`` slices, the air within ``cut`` steps that joins the lungs.

    A step goes to one of six neighbours, through anything. ``lungs`` is changed.
    """
    first = len(lungs) - cut
    steps = _steps_from(lungs[max(0, first - cut) : first], cut)
    top = np.empty((cut + 1, *steps.shape), dtype=bool)
    top[0] = lungs[first - 1]
    for height in range(1, cut + 1):
        np.logical_and(air[first - 1 + height], steps <= cut - height, out=top[height])
    parts = label(encode(top), Connectivity.SIX)
    joined = np.zeros(parts.count + 1, dtype=bool)
    joined[parts.labels[: parts.runs.offsets[steps.shape[0]]]] = True
    lungs[first:] = parts.mask(joined)[1:]
    return lungs


def _steps_from(lungs: BoolArray, limit: int) -> npt.NDArray[np.int32]:
    """(row, column): steps from each position of the top slice to the nearest voxel of the lungs.

    Where it takes more than ``limit``, a number above it.
    """
    steps = np.full(lungs.shape[1:], limit + 1, dtype=np.int32)
    for depth in range(len(lungs) - 1, -1, -1):
        steps[lungs[-1 - depth]] = depth
    for lines in (steps, steps[:, ::-1], steps.T, steps[::-1].T):
        index = np.arange(lines.shape[1], dtype=np.int32)
        np.minimum(lines, np.minimum.accumulate(lines - index, axis=1) + index, out=lines)
    return steps
