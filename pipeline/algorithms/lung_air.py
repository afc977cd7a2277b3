"""Air in each slice of a chest CT: dark, large enough and no sliver.

The first part of the lung method; see `pipeline.algorithms.lung`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import measure

BoolArray = npt.NDArray[np.bool_]

_AIR_BELOW_HU = -600
_SMOOTHING_SIGMA_PX = 1.0
_SMOOTHING_RADIUS_SIGMAS = 2.0
_MINIMUM_AREA_MM2 = 30
_MAXIMUM_ECCENTRICITY = 0.99
_CORNER_PX = 10
# scikit-image does not type it.
_REGIONPROPS: Callable[..., list[Any]] = measure.regionprops
_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def find_air(voxels_hu: npt.NDArray[np.int16], spacing_mm: npt.NDArray[np.float32]) -> BoolArray:
    """Mark the air of every slice, inside and outside the patient.

    Parameters
    ----------
    voxels_hu
        (slice, row, column) in Hounsfield Units. Not changed.
    spacing_mm
        (slice, row, column).

    Returns
    -------
    (slice, row, column), true in air.

    Source: seed 003, ``binarize_per_slice``.
    """
    air = np.empty(voxels_hu.shape, dtype=bool)
    outside = _outside_field_of_view(*voxels_hu.shape[1:])
    for index, slice_hu in enumerate(voxels_hu):
        dark = _smoothed(slice_hu, outside) < _AIR_BELOW_HU
        air[index] = _without_specks_and_slivers(dark, spacing_mm)
    return air


def _outside_field_of_view(rows: int, columns: int) -> BoolArray:
    """(row, column), true beyond the circle that a scanner reconstructs.

    The circle fits a square slice; in any other, its diameter is the longer side, so that no
    pixel of a cropped slice is lost.
    """
    row_px = np.arange(rows) - (rows - 1) / 2
    column_px = np.arange(columns) - (columns - 1) / 2
    radius_px = np.sqrt(row_px[:, np.newaxis] ** 2 + column_px**2)
    outside: BoolArray = radius_px >= max(rows, columns) / 2
    return outside


def _smoothed(slice_hu: npt.NDArray[np.int16], outside: BoolArray) -> npt.NDArray[Any]:
    """The slice after a small Gaussian, NaN near the padding of a circular field of view.

    A constant corner is padding, whose value (often far below air) must not bleed into the
    patient. The padded slice is smoothed in float64 and the other in float32, as in the
    reference: values at the threshold depend on it.
    """
    corner = slice_hu[:_CORNER_PX, :_CORNER_PX]
    if corner.min() == corner.max():
        values = slice_hu.astype(np.float64)
        values[outside] = np.nan
    else:
        values = slice_hu.astype(np.float32)
    smoothed: npt.NDArray[Any] = ndimage.gaussian_filter(
        values, _SMOOTHING_SIGMA_PX, truncate=_SMOOTHING_RADIUS_SIGMAS
    )
    return smoothed


def _without_specks_and_slivers(dark: BoolArray, spacing_mm: npt.NDArray[np.float32]) -> BoolArray:
    """The 8-connected regions of a slice that are large enough and not drawn out to a line."""
    labels, count = ndimage.label(dark, _EIGHT_NEIGHBOURS)
    area_px = np.bincount(labels.ravel(), minlength=count + 1).astype(np.float64)
    kept = area_px * spacing_mm[1] * spacing_mm[2] > _MINIMUM_AREA_MM2
    kept[0] = False
    # The shape is costly, and specks are many: only what is left is measured.
    for region in _REGIONPROPS(np.where(kept[labels], labels, 0)):
        kept[region.label] = region.eccentricity < _MAXIMUM_ECCENTRICITY
    large: BoolArray = kept[labels]
    return large
