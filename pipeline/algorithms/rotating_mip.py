"""Rotating maximum intensity projection: the patient turned about the long axis, view by view."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from scipy.special import cosdg, sindg

from pipeline.geometry import Spacing, Vector
from pipeline.kernels.rotation import project_rotated
from pipeline.kernels.rotation_grid import RotationGrid, view_angles

_FULL_TURN_DEG = 360.0
_MOST_VIEWS = 720


@dataclass(frozen=True, slots=True)
class ViewGeometry:
    """How a view lies in the volume.

    Vectors are unit vectors in mm along the volume's axes (slice, row, column), places are voxel
    indices (slice, row, column). A row of the view is a slice of the volume, so the view's column
    direction is that of growing slice index.

    Parameters
    ----------
    angle_deg
        How far the viewer has moved about the slice axis from where he looks along growing row
        index; at 90 degrees he looks along falling column index.
    first_pixel
        The place of pixel (0, 0) in the plane through the axis of rotation that faces the viewer.
    across
        From a pixel to the next of its row.
    along
        From the viewer into the volume.
    """

    angle_deg: float
    first_pixel: Vector
    across: Vector
    along: Vector


@dataclass(frozen=True, eq=False, slots=True)
class RotatingMaximum:
    """Views of a volume from all around it.

    Parameters
    ----------
    views
        (angle, slice, ray) in the type of the volume's voxels.
    geometry
        Of each view.
    slice_mm
        From row to row of a view.
    width_mm
        From pixel to pixel of a row.
    depth_mm
        The length of the rays.
    centre
        The axis of rotation as (row, column) of the volume, in voxels.
    """

    views: npt.NDArray[Any]
    geometry: tuple[ViewGeometry, ...]
    slice_mm: float
    width_mm: float
    depth_mm: float
    centre: tuple[float, float]


def rotating_maximum(
    voxels: npt.NDArray[Any],
    spacing: Spacing,
    *,
    angles: int = 48,
    span_deg: float = _FULL_TURN_DEG,
    background: float = 0.0,
) -> RotatingMaximum:
    """Project the maximum along parallel rays, seen from evenly spaced angles about axis 0.

    Rays and their samples lie as far apart as the plane's finer spacing and cover its diagonal,
    so that nothing is cut off at any angle and a circle stays one where rows and columns are
    spaced differently. Samples are interpolated linearly within the slice. A view from behind is
    the mirror image of the one from the front and is computed once.

    Parameters
    ----------
    voxels
        (slice, row, column): integers of up to 32 bits, float32 or float64, all finite. Not
        changed.
    spacing
        Between voxels.
    angles
        Number of views, 1 to 720.
    span_deg
        View k is seen from ``k * span_deg / angles`` degrees, with nine decimals; above 0 and up
        to 360.
    background
        The value around the volume. Every ray starts there, so no pixel is below it: at most the
        lowest value that is to show, 0 for PET, -1024 for CT.

    Returns
    -------
    Each pixel is the largest of the background and of its ray's samples, which are rounded to
    the type of ``voxels``: integers to the nearest, halves away from zero.

    Raises
    ------
    ValueError
        An argument is not as said above, or ``background`` is no value of the voxels' type.

    Source: seed 001. Where rows and columns are equally many and equally spaced and nothing lies
    outside the inscribed circle, the middle of the first half turn equals
    ``scipy.ndimage.rotate(voxels, angle, axes=(1, 2), reshape=False, order=1).max(axis=1)``.
    """
    if not 1 <= angles <= _MOST_VIEWS:
        raise ValueError(f"angles is {angles}; it is a number of views from 1 to {_MOST_VIEWS}")
    if not 0 < span_deg <= _FULL_TURN_DEG:
        raise ValueError(f"span_deg is {span_deg}; it is above 0 and up to {_FULL_TURN_DEG:.0f}")
    _, rows, columns = voxels.shape
    grid = RotationGrid(rows, columns, spacing.row_mm, spacing.column_mm)
    seen_from = view_angles(angles, span_deg)
    views, _ = project_rotated(voxels, grid, seen_from, background)
    return RotatingMaximum(
        views=views,
        geometry=tuple(_geometry(grid, angle) for angle in seen_from),
        slice_mm=spacing.slice_mm,
        width_mm=grid.step_mm,
        depth_mm=grid.depth * grid.step_mm,
        centre=grid.centre,
    )


def _geometry(grid: RotationGrid, angle_deg: float) -> ViewGeometry:
    cosine, sine = float(cosdg(angle_deg)), float(sindg(angle_deg))
    to_first_mm = -(grid.width - 1) / 2 * grid.step_mm
    row, column = grid.centre
    return ViewGeometry(
        angle_deg=angle_deg,
        first_pixel=(
            0.0,
            row + sine * to_first_mm / grid.row_mm,
            column + cosine * to_first_mm / grid.column_mm,
        ),
        across=(0.0, sine, cosine),
        along=(0.0, cosine, -sine),
    )
