"""Two segmentations of one image brought onto one grid, without resampling."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from pipeline.dataset.orientation import Affine, Array
from pipeline.dataset.segmentation import Index, Region, Segmentation

IntArray = npt.NDArray[np.int64]

_TOLERANCE_MM = 1e-3


@dataclass(frozen=True, eq=False, slots=True)
class _Move:
    """From the indices of one grid to those of another: axes exchanged, turned round, shifted."""

    turn: IntArray
    shift: IntArray

    def axes(self) -> list[int]:
        """The old axis for each new one."""
        return [int(axis) for axis in np.abs(self.turn).argmax(axis=1)]

    def box(self, start: Index, shape: Index) -> tuple[IntArray, IntArray]:
        """First voxel and the one after the last of a box, on the new grid."""
        first = self.turn @ np.array(start) + self.shift
        last = self.turn @ (np.array(start) + shape - 1) + self.shift
        return np.minimum(first, last), np.maximum(first, last) + 1

    def region(self, region: Region) -> Region:
        """A label's voxels on the new grid."""
        start, _stop = self.box(region.start, _index(region.mask.shape))
        backwards = tuple(np.flatnonzero(self.turn.sum(axis=1) < 0).tolist())
        return Region(_index(start), np.flip(region.mask.transpose(self.axes()), backwards))


@dataclass(frozen=True, eq=False, slots=True)
class CommonGrid:
    """A prediction and its truth on the grid of the prediction.

    Parameters
    ----------
    affine
        4 x 4: (slice, row, column, 1) to LPS mm.
    voxels
        How many there are: those of the whole image where one of the two has it all.
    predicted, truth
        By label.
    """

    affine: Affine
    voxels: int
    predicted: dict[int, Region]
    truth: dict[int, Region]


def bring_together(predicted: Segmentation, truth: Segmentation) -> CommonGrid:
    """Place a truth on the grid of a prediction.

    Grids may differ in the order and direction of their axes. A SEG may hold some slices of the
    image only; it is placed by their positions.

    Raises
    ------
    ValueError
        The grids differ otherwise, by more than 0.001 mm at a corner.
    """
    move = _move(predicted, truth)
    start, stop = move.box((0, 0, 0), truth.shape)
    extent = _extent(predicted, truth, start, stop)
    return CommonGrid(
        affine=predicted.affine,
        voxels=int(extent.prod()),
        predicted=dict(predicted.regions),
        truth={label: move.region(region) for label, region in truth.regions.items()},
    )


def _move(predicted: Segmentation, truth: Segmentation) -> _Move:
    """The move from the indices of ``truth`` to those of ``predicted``.

    Raises
    ------
    ValueError
        There is none that exchanges axes, turns them round and shifts by whole voxels.
    """
    if not _spans(predicted) or not _spans(truth):
        raise ValueError(f"{_pair(predicted, truth)}: an affine spans no volume")
    matrix = np.linalg.solve(predicted.affine, truth.affine)
    move = _Move(np.rint(matrix[:3, :3]).astype(np.int64), np.rint(matrix[:3, 3]).astype(np.int64))
    ones = np.abs(move.turn)
    if not ((ones.sum(axis=0) == 1).all() and (ones.sum(axis=1) == 1).all()):
        raise ValueError(
            f"{_pair(predicted, truth)}: their grids differ in voxel size or direction. Resample "
            "one to the other first."
        )
    apart_mm = _largest_distance_mm(move, predicted, truth)
    if apart_mm > _TOLERANCE_MM:
        raise ValueError(
            f"{_pair(predicted, truth)}: their voxels lie up to {apart_mm:.4g} mm apart. Resample "
            "one to the other first."
        )
    return move


def _largest_distance_mm(move: _Move, predicted: Segmentation, truth: Segmentation) -> float:
    """How far the same voxel lies from itself by the two affines, at the worst corner."""
    corners = np.array(list(product(*((0, size - 1) for size in truth.shape))))
    moved = corners @ move.turn.T + move.shift
    apart_mm = _place(predicted.affine, moved) - _place(truth.affine, corners)
    return float(np.linalg.norm(apart_mm, axis=1).max())


def _extent(
    predicted: Segmentation, truth: Segmentation, start: IntArray, stop: IntArray
) -> IntArray:
    """(3,): the size of the common grid; the truth reaches from ``start`` to ``stop`` on it.

    Raises
    ------
    ValueError
        One of the two is the whole image and the other reaches beyond it, or both are and differ.
    """
    shape = np.array(predicted.shape)
    inside = (start >= 0).all() and (stop <= shape).all()
    around = (start <= 0).all() and (stop >= shape).all()
    if (predicted.is_whole and not inside) or (truth.is_whole and not around):
        raise ValueError(
            f"{_pair(predicted, truth)}: they cover different parts of the patient, {shape} and "
            f"{stop - start} voxels from {start} on. Crop or pad one to the other first."
        )
    extent: IntArray = np.maximum(stop, shape) - np.minimum(start, 0)
    return extent


def _spans(segmentation: Segmentation) -> bool:
    affine = segmentation.affine
    return bool(np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]) != 0)


def _place(affine: Affine, indices: Array) -> Affine:
    """(n, 3) in mm for (n, 3) indices."""
    points: Affine = indices @ affine[:3, :3].T + affine[:3, 3]
    return points


def _index(values: tuple[int, ...] | IntArray) -> Index:
    slices, rows, columns = (int(value) for value in values)
    return slices, rows, columns


def _pair(predicted: Segmentation, truth: Segmentation) -> str:
    return f"{predicted.path} and {truth.path}"
