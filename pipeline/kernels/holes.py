"""Holes of a 3-D mask: what it encloses."""

import numpy as np

from pipeline.kernels.components import Components, Connectivity, label
from pipeline.kernels.runs import BoolArray, Runs, background


def fill_holes(runs: Runs) -> Runs:
    """Set the voxels from which no way over faces leads out of the volume around the mask.

    Parameters
    ----------
    runs
        Of a mask (slice, row, column).

    Returns
    -------
    The runs of the filled mask.

    Source: ``scipy.ndimage.binary_fill_holes`` with its default structure, whose voxels these are.
    """
    around = label(background(runs), Connectivity.SIX)
    return background(_only(around.runs, _at_border(around)[around.labels]))


def _at_border(parts: Components) -> BoolArray:
    """(count + 1,): whether a component has a voxel on one of the volume's six faces."""
    runs = parts.runs
    slices, rows, columns = runs.shape
    row_on_face = np.zeros((slices, rows), dtype=bool)
    row_on_face[[0, -1]] = True
    row_on_face[:, [0, -1]] = True
    touching = np.repeat(row_on_face.ravel(), np.diff(runs.offsets))
    touching |= (runs.starts == 0) | (runs.stops == columns)
    at_border = np.zeros(parts.count + 1, dtype=bool)
    at_border[parts.labels[touching]] = True
    return at_border


def _only(runs: Runs, chosen: BoolArray) -> Runs:
    """The runs that are chosen, (run,)."""
    before = np.zeros(chosen.size + 1, dtype=np.int64)
    np.cumsum(chosen, out=before[1:])
    return Runs(runs.shape, before[runs.offsets], runs.starts[chosen], runs.stops[chosen])
