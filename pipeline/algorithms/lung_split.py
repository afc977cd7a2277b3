"""From one mask of both lungs to two masks.

The last part of the lung method; see `pipeline.algorithms.lung`. The work is done in the
bounding box of the mask, where it gives the same voxels as in the whole volume.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.algorithms.lung_tidy import tidied
from pipeline.errors import NothingFoundError
from pipeline.kernels.components import Connectivity, label
from pipeline.kernels.erosion import erode
from pipeline.kernels.nearer import nearer
from pipeline.kernels.packed import pack, runs_of
from pipeline.kernels.runs import Runs, encode, paint

BoolArray = npt.NDArray[np.bool_]
WordArray = npt.NDArray[np.uint64]
Box = tuple[slice, slice, slice]
Shape = tuple[int, int, int]

_MAXIMUM_EROSIONS = 22
_MAXIMUM_SIZE_RATIO = 4.8
_INSEPARABLE = (
    "The two lungs cannot be told apart: the air space that was found does not fall into two "
    "parts of similar size. One lung may be missing or collapsed, or the slices may not show both."
)


@dataclass(frozen=True, eq=False, slots=True)
class Lung:
    """One of two lungs.

    Parameters
    ----------
    mask
        (slice, row, column).
    voxels
        How many are set.
    centre
        (3,): their mean slice, row and column.
    """

    mask: BoolArray
    voxels: int
    centre: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Split:
    """Two lungs, and how far the mask of both had to be worn down until it fell into two.

    Parameters
    ----------
    first, second
        The one with the larger core first.
    erosions
        How many layers of voxels were taken away.
    core_share
        How much of the voxels was left then in the two cores, from 0 to 1.
    """

    first: Lung
    second: Lung
    erosions: int
    core_share: float


class _Cores(NamedTuple):
    """What was left in the middle of two lungs, packed; after how many erosions; its voxels."""

    first: WordArray
    second: WordArray
    erosions: int
    voxels: int


def split_lungs(mask: BoolArray, spacing_mm: npt.NDArray[np.float32]) -> Split:
    """Tell the two lungs apart.

    The mask is eroded until its two largest components are of similar size. Each voxel then goes
    to the nearer one; voxels equally far from both go to none.

    Parameters
    ----------
    mask
        (slice, row, column). Not changed.
    spacing_mm
        (slice, row, column).

    Raises
    ------
    NothingFoundError
        No two parts of similar size appear, or one of them holds nothing.

    Source: seed 003, ``two_lung_only``.
    """
    in_volume = encode(mask)
    runs, box = _cropped(in_volume)
    columns = runs.shape[2]
    whole = pack(runs, np.ones(runs.starts.size, dtype=bool))
    cores = _two_cores(whole, runs)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(
            lambda lung: _placed(tidied(lung, columns), box, in_volume.shape),
            nearer(whole, cores.first, cores.second, spacing_mm),
        )
    return Split(first, second, cores.erosions, cores.voxels / _voxels(runs))


def _cropped(runs: Runs) -> tuple[Runs, Box]:
    """The runs in the bounding box of a mask, and where it lies in the whole.

    Raises
    ------
    NothingFoundError
        There are none.
    """
    if runs.starts.size == 0:
        raise NothingFoundError(_INSEPARABLE)
    slices, rows, _columns = runs.shape
    used_slices, used_rows = np.nonzero(np.diff(runs.offsets).reshape(slices, rows))
    box = (
        slice(int(used_slices.min()), int(used_slices.max()) + 1),
        slice(int(used_rows.min()), int(used_rows.max()) + 1),
        slice(int(runs.starts.min()), int(runs.stops.max())),
    )
    # Rows outside of the box have no runs, so the others keep their places.
    begins = runs.offsets[:-1].reshape(slices, rows)[box[:2]]
    shape = (begins.shape[0], begins.shape[1], box[2].stop - box[2].start)
    offsets = np.append(begins, runs.offsets[-1])
    return Runs(shape, offsets, runs.starts - box[2].start, runs.stops - box[2].start), box


def _two_cores(mask: WordArray, runs: Runs) -> _Cores:
    """The two largest components (18-connected) after as few erosions as make them similar.

    Among components of one size, the first in raster order comes first.
    """
    for erosions in range(_MAXIMUM_EROSIONS):
        parts = label(runs, Connectivity.EIGHTEEN)
        sizes = parts.voxels()
        order = np.argsort(-sizes, kind="stable")[:2]
        if parts.count > 1 and sizes[order[0]] / sizes[order[1]] < _MAXIMUM_SIZE_RATIO:
            first, second = (pack(runs, parts.labels == number) for number in order)
            return _Cores(first, second, erosions, int(sizes[order].sum()))
        mask = erode(mask)
        runs = runs_of(mask, runs.shape[2])
    raise NothingFoundError(_INSEPARABLE)


def _placed(lung: Runs | None, box: Box, shape: Shape) -> Lung:
    """A lung in the whole volume.

    Raises
    ------
    NothingFoundError
        Nothing of it is left.
    """
    if lung is None:
        raise NothingFoundError(_INSEPARABLE)
    counts = np.zeros(shape[:2], dtype=np.int64)
    counts[box[:2]] = np.diff(lung.offsets).reshape(lung.shape[:2])
    offsets = np.concatenate(([0], np.cumsum(counts)))
    whole = Runs(shape, offsets, lung.starts + box[2].start, lung.stops + box[2].start)
    mask = paint(whole, np.ones(whole.starts.size, dtype=bool))
    return Lung(mask, _voxels(whole), _centre(whole))


def _voxels(runs: Runs) -> int:
    return int(np.sum(runs.stops - runs.starts, dtype=np.int64))


def _centre(runs: Runs) -> npt.NDArray[np.float64]:
    """(3,): the mean (slice, row, column) of all voxels, of which there is at least one."""
    rows = runs.shape[1]
    lengths = (runs.stops - runs.starts).astype(np.int64)
    row = np.repeat(np.arange(runs.offsets.size - 1), np.diff(runs.offsets))
    column = (runs.starts + runs.stops - 1) / 2
    # No matrix product: it would call up threads of its own, which cost more than the sums.
    sums = [np.sum(lengths * places) for places in (row // rows, row % rows, column)]
    return np.array(sums, dtype=np.float64) / np.sum(lengths)
