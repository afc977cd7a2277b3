"""Air in each slice of a chest CT: dark, large enough and no sliver.

The first part of the lung method; see `pipeline.algorithms.lung`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

_AIR_BELOW_HU = -600
_SMOOTHING_SIGMA_PX = 1.0
_SMOOTHING_RADIUS_SIGMAS = 2.0
_MINIMUM_AREA_MM2 = 30
_MAXIMUM_ECCENTRICITY = 0.99
_CORNER_PX = 10
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
    powers = _coordinate_powers(*voxels_hu.shape[1:])
    for index, slice_hu in enumerate(voxels_hu):
        dark = _smoothed(slice_hu, outside) < _AIR_BELOW_HU
        air[index] = _without_specks_and_slivers(dark, powers, spacing_mm)
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


def _without_specks_and_slivers(
    dark: BoolArray, powers: FloatArray, spacing_mm: npt.NDArray[np.float32]
) -> BoolArray:
    """The 8-connected regions of a slice that are large enough and not drawn out to a line."""
    labels, _count = ndimage.label(dark, _EIGHT_NEIGHBOURS)
    numbers = labels.ravel()
    area_px = np.bincount(numbers).astype(np.float64)
    sums = np.array([np.bincount(numbers, weights) for weights in powers])
    means = sums / np.maximum(area_px, 1.0)
    kept = area_px * spacing_mm[1] * spacing_mm[2] > _MINIMUM_AREA_MM2
    kept &= _eccentricity(means) < _MAXIMUM_ECCENTRICITY
    kept[0] = False
    air: BoolArray = kept[labels]
    return air


def _coordinate_powers(rows: int, columns: int) -> FloatArray:
    """(5, pixel): row, column, row squared, column squared and row times column, from the centre.

    Their means over a region are its first and second moments.
    """
    row, column = np.indices((rows, columns), dtype=np.float64)
    row -= rows // 2
    column -= columns // 2
    return np.stack((row, column, row * row, column * column, row * column)).reshape(5, -1)


def _eccentricity(means: FloatArray) -> FloatArray:
    """(region,): of the ellipse with the second moments of each region; 0 for a round one.

    Parameters
    ----------
    means
        (5, region): the mean coordinate powers of each.

    As scikit-image defines it. Its own function goes through a multi-threaded matrix product for
    each region, which on a busy machine takes many times longer than all the rest.
    """
    row, column, row_square, column_square, product = means
    down, across = row_square - row * row, column_square - column * column
    half_sum, slant = (down + across) / 2, product - row * column
    half_difference = np.hypot((down - across) / 2, slant)
    long = half_sum + half_difference
    short = np.maximum(half_sum - half_difference, 0.0)
    ratio = np.divide(short, long, out=np.ones_like(long), where=long > 0)
    eccentricity: FloatArray = np.sqrt(1.0 - ratio)
    return eccentricity
