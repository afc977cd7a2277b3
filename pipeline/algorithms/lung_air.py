"""Air in each slice of a chest CT: dark, large enough and no sliver.

The first part of the lung method; see `pipeline.algorithms.lung`.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import threads
from pipeline.kernels.components import Connectivity, label
from pipeline.kernels.moments import moments
from pipeline.kernels.runs import encode
from pipeline.kernels.smoothing import RADIUS_PX, smoothed_below

BoolArray = npt.NDArray[np.bool_]

_AIR_BELOW_HU = -600.0
_MINIMUM_AREA_MM2 = 30
# The square of the greatest eccentricity, 0.99, in ten thousandths.
_MAXIMUM_ECCENTRICITY_SQUARED = 9801
_CORNER_PX = 10


def find_air(voxels_hu: npt.NDArray[np.int16], spacing_mm: npt.NDArray[np.float32]) -> BoolArray:
    """Mark the air of every slice, inside and outside the patient.

    A constant corner is padding, whose value (often far below air) must not bleed into the
    patient: nothing within reach of it is air. Such a slice is smoothed in float64 and any other
    in float32, as in the reference: values at the threshold depend on it.

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
    padded = _has_padding(voxels_hu)
    inside = _inside_field_of_view(*voxels_hu.shape[1:])

    def find(index: int) -> None:
        plane = np.ascontiguousarray(voxels_hu[index])
        if padded[index]:
            dark = smoothed_below(plane, _AIR_BELOW_HU, stored=np.float64) & inside
        else:
            dark = smoothed_below(plane, _AIR_BELOW_HU, stored=np.float32)
        air[index] = _without_specks_and_slivers(dark, spacing_mm)

    with ThreadPoolExecutor(threads()) as pool:
        for _ in pool.map(find, range(len(air))):
            pass
    return air


def _has_padding(voxels_hu: npt.NDArray[np.int16]) -> BoolArray:
    """(slice,): whether its upper left corner is constant."""
    corner = voxels_hu[:, :_CORNER_PX, :_CORNER_PX]
    constant: BoolArray = corner.min(axis=(1, 2)) == corner.max(axis=(1, 2))
    return constant


def _inside_field_of_view(rows: int, columns: int) -> BoolArray:
    """(row, column), true where smoothing sees nothing beyond the circle a scanner reconstructs.

    The circle fits a square slice; in any other, its diameter is the longer side, so that no
    pixel of a cropped slice is lost.
    """
    farthest_px = np.sqrt(_reach_px(rows)[:, np.newaxis] ** 2 + _reach_px(columns) ** 2)
    inside: BoolArray = farthest_px < max(rows, columns) / 2
    return inside


def _reach_px(size: int) -> npt.NDArray[np.float64]:
    """(pixel,): how far from the middle of an axis lies what smoothing sees from each pixel."""
    from_middle = np.abs(np.arange(size) - (size - 1) / 2)
    reach: npt.NDArray[np.float64] = np.minimum(from_middle + RADIUS_PX, (size - 1) / 2)
    return reach


def _without_specks_and_slivers(dark: BoolArray, spacing_mm: npt.NDArray[np.float32]) -> BoolArray:
    """The 8-connected regions of a slice that are large enough and not drawn out to a line."""
    regions = label(encode(dark[np.newaxis]), Connectivity.EIGHT_IN_SLICE)
    sums = moments(regions)
    area_mm2 = sums[:, 0].astype(np.float64) * spacing_mm[1] * spacing_mm[2]
    kept = area_mm2 > _MINIMUM_AREA_MM2
    for number in np.flatnonzero(kept):
        kept[number] = _is_compact(sums[number].tolist())
    air: BoolArray = regions.mask(kept)[0]
    return air


def _is_compact(sums: list[int]) -> bool:
    """Whether the ellipse with the second moments of a region is less eccentric than the limit.

    Parameters
    ----------
    sums
        As `pipeline.kernels.moments` gives them.

    With the sum S and the difference D of the variances along its axes, its eccentricity squared
    is 2 D / (S + D). In whole numbers, so that no rounding decides. A single pixel is round.
    """
    pixels, row, column, row_squares, column_squares, products = sums
    down, across = pixels * row_squares - row**2, pixels * column_squares - column**2
    slant = pixels * products - row * column
    sum_squared = (down + across) ** 2
    difference_squared = (down - across) ** 2 + 4 * slant**2
    limit = _MAXIMUM_ECCENTRICITY_SQUARED
    return pixels == 1 or (20_000 - limit) ** 2 * difference_squared < limit**2 * sum_squared
