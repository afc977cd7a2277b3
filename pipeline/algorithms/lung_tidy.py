"""One lung out of what was nearer to its core than to the other's: no scattered pieces, no holes.

Part of the lung method; see `pipeline.algorithms.lung_split`. Masks are packed as
`pipeline.kernels.packed` lays them out.
"""

import numpy as np
import numpy.typing as npt

from pipeline.kernels.components import Components, Connectivity, label
from pipeline.kernels.packed import pack, runs_of
from pipeline.kernels.region_hulls import others_in_hulls
from pipeline.kernels.runs import Runs, background

BoolArray = npt.NDArray[np.bool_]
WordArray = npt.NDArray[np.uint64]

_COVERED_SHARE = 0.95


def tidied(lung: WordArray, columns: int) -> Runs | None:
    """Keep the main part of a lung and fill its holes within each slice.

    Parameters
    ----------
    lung
        Packed. Not changed.
    columns
        In each row.

    Returns
    -------
    The lung, or none where nothing is left.

    Source: seed 003, ``extract_main`` and ``fill_2d_hole``.
    """
    in_slices = _main_of_slices(runs_of(lung, columns))
    parts = label(runs_of(in_slices, columns), Connectivity.TWENTY_SIX)
    if parts.count == 0:
        return None
    # Of equally large parts the first in raster order, as in the reference.
    main = np.argmax(parts.voxels())
    return _filled_in_slices(pack(parts.runs, parts.labels == main), columns)


def _main_of_slices(lung: Runs) -> WordArray:
    """The regions (8-connected) that cover most of each slice, and what lies in their hulls."""
    parts = label(lung, Connectivity.EIGHT_IN_SLICE)
    large = _large(parts)
    kept = pack(lung, large[parts.labels])
    kept |= others_in_hulls(parts, large)
    return kept


def _large(parts: Components) -> BoolArray:
    """(region + 1,): the largest of each slice, as few as cover the share that has to be.

    Of equally large ones the first in raster order comes first, as in the reference.
    """
    voxels = parts.voxels()[1:]
    ends = parts.last_of_slices()
    slice_of = np.searchsorted(ends, np.arange(1, parts.count + 1))
    order = np.lexsort((-voxels, slice_of))
    larger = np.cumsum(voxels[order]) - voxels[order]
    before_slice = np.concatenate(([0], np.cumsum(voxels)))[np.concatenate(([0], ends[:-1]))]
    total = np.bincount(slice_of, weights=voxels, minlength=ends.size)
    covered = larger - before_slice[slice_of]
    large = np.zeros(parts.count + 1, dtype=bool)
    large[1 + order] = covered < _COVERED_SHARE * total[slice_of]
    return large


def _filled_in_slices(lung: WordArray, columns: int) -> Runs:
    """Fill, slice by slice, background (8-connected) that does not reach the edge.

    The outer border of such a hole is one 8-connected region, so filling the whole slice at once
    is the same as filling each region by itself, as the reference does.
    """
    gaps = label(background(runs_of(lung, columns)), Connectivity.EIGHT_IN_SLICE)
    is_hole = ~_reach_edge(gaps)
    return runs_of(lung | pack(gaps.runs, is_hole[gaps.labels]), columns)


def _reach_edge(gaps: Components) -> BoolArray:
    """(region + 1,): whether a region of a slice has a voxel in an outermost row or column."""
    runs = gaps.runs
    _slices, rows, columns = runs.shape
    row = np.repeat(np.arange(runs.offsets.size - 1), np.diff(runs.offsets)) % rows
    at_edge = (row == 0) | (row == rows - 1) | (runs.starts == 0) | (runs.stops == columns)
    reach = np.zeros(gaps.count + 1, dtype=bool)
    reach[gaps.labels[at_edge]] = True
    return reach
