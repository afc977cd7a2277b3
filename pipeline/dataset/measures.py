"""How well a label was found: overlap, rates, distances of the surfaces, volumes.

Source: Taha and Hanbury, "Metrics for evaluating 3D medical image segmentation", BMC Medical
Imaging 15 (2015) 29; Maier-Hein et al., "Metrics reloaded", Nature Methods 21 (2024) 195, for the
surface and the percentile.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import KDTree

from pipeline.dataset.orientation import Affine
from pipeline.dataset.segmentation import BoolArray, Region
from pipeline.kernels.compiled import threads

_PERCENTILE = 95
_ML_PER_MM3 = 1e-3


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of one label; None where one is not defined.

    Parameters
    ----------
    dice, jaccard
        Twice the common voxels over the sum of both, and the common ones over the union.
    sensitivity, specificity
        The share of the label's voxels that were found; of all others that were left alone.
    hausdorff_mm
        The largest distance from a surface to the other. A label's surface is its voxels that
        have a face in common with a voxel outside; what lies beyond the image is outside.
    hausdorff95_mm
        The 95th percentile of the distances from each surface to the other; the larger of the two.
    predicted_ml, truth_ml
        Volumes.
    """

    dice: float | None
    jaccard: float | None
    sensitivity: float | None
    specificity: float | None
    hausdorff_mm: float | None
    hausdorff95_mm: float | None
    predicted_ml: float
    truth_ml: float


def measure(
    predicted: Region | None, truth: Region | None, affine: Affine, voxels: int
) -> Measures:
    """Compare the voxels that two segmentations give to a label.

    Parameters
    ----------
    predicted, truth
        On one grid; None where the label has no voxel.
    affine
        4 x 4: (slice, row, column, 1) to mm.
    voxels
        How many the grid has.
    """
    found, wanted, common = _size(predicted), _size(truth), _common(predicted, truth)
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) * _ML_PER_MM3
    hausdorff_mm, hausdorff95_mm = _hausdorff_mm(predicted, truth, affine)
    return Measures(
        dice=_share(2 * common, found + wanted),
        jaccard=_share(common, found + wanted - common),
        sensitivity=_share(common, wanted),
        specificity=_share(voxels - found - wanted + common, voxels - wanted),
        hausdorff_mm=hausdorff_mm,
        hausdorff95_mm=hausdorff95_mm,
        predicted_ml=found * voxel_ml,
        truth_ml=wanted * voxel_ml,
    )


def _size(region: Region | None) -> int:
    return 0 if region is None else int(np.count_nonzero(region.mask))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _common(one: Region | None, other: Region | None) -> int:
    """How many voxels both have."""
    if one is None or other is None:
        return 0
    start = np.maximum(one.start, other.start)
    stop = np.minimum(np.add(one.start, one.mask.shape), np.add(other.start, other.mask.shape))
    if (start >= stop).any():
        return 0
    return int(np.count_nonzero(_part(one, start, stop) & _part(other, start, stop)))


def _part(region: Region, start: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]) -> BoolArray:
    first, last = start - region.start, stop - region.start
    return region.mask[first[0] : last[0], first[1] : last[1], first[2] : last[2]]


def _hausdorff_mm(
    predicted: Region | None, truth: Region | None, affine: Affine
) -> tuple[float | None, float | None]:
    """The largest distance of the surfaces, and the 95th percentile."""
    if predicted is None or truth is None:
        return None, None
    one, other = _surface_mm(predicted, affine), _surface_mm(truth, affine)
    distances = _distances_mm(one, other), _distances_mm(other, one)
    return (
        max(float(directed.max()) for directed in distances),
        max(float(np.percentile(directed, _PERCENTILE)) for directed in distances),
    )


def _surface_mm(region: Region, affine: Affine) -> Affine:
    """(n, 3): where the voxels of the surface lie."""
    surface = region.mask & ~ndimage.binary_erosion(region.mask)
    indices = np.argwhere(surface) + region.start
    points: Affine = indices @ affine[:3, :3].T + affine[:3, 3]
    return points


def _distances_mm(points: Affine, others: Affine) -> npt.NDArray[np.float64]:
    """(n,): from each point to the nearest of the others."""
    tree = KDTree(others, balanced_tree=False, compact_nodes=False)
    distances, _nearest = tree.query(points, workers=threads())
    return np.asarray(distances, dtype=np.float64)
