"""Rotating maximum intensity projection: the patient turned about the long axis, view by view."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import cosdg, sindg

from pipeline.algorithms.registry import Algorithm
from pipeline.errors import NotApplicableError
from pipeline.findings import Code, RotatingProjection
from pipeline.geometry import PlaneGeometry, Spacing, Vector, VolumeGeometry, is_shown_forward
from pipeline.kernels.rotation import project_rotated
from pipeline.kernels.rotation_grid import RotationGrid, view_angles
from pipeline.volume import Volume
from pipeline.volume.padding import without_padding

_MAXIMUM = Code("113078", "DCM", "Maximum intensity projection")
_AIR_HU = -1024.0
_AXIAL_COSINE = 0.8
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


@dataclass(frozen=True, slots=True)
class RotatingMipParameters:
    """From where the patient is seen.

    Parameters
    ----------
    angles
        Number of views, 1 to 720.
    span_deg
        The part of a full turn that views are spread over, above 0 and up to 360; the first view
        is from the front, from where the viewer moves to the patient's left.
    background
        The value around the patient, and the lowest that a view shows; by default -1024 for CT
        and 0 for others.
    """

    angles: int = 48
    span_deg: float = _FULL_TURN_DEG
    background: float | None = None

    def __post_init__(self) -> None:
        whole = isinstance(self.angles, int) and not isinstance(self.angles, bool)
        if not whole or not 1 <= self.angles <= _MOST_VIEWS:
            raise ValueError(
                f"angles is {self.angles!r}; it is a number of views from 1 to {_MOST_VIEWS}"
            )
        if not _is_number(self.span_deg) or not 0 < self.span_deg <= _FULL_TURN_DEG:
            raise ValueError(
                f"span_deg is {self.span_deg!r}; it is above 0 and up to {_FULL_TURN_DEG:.0f}"
            )
        if self.background is not None and not _is_number(self.background):
            raise ValueError(f"background is {self.background!r}; it is a number")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def analyse(volume: Volume, parameters: RotatingMipParameters) -> tuple[RotatingProjection, ...]:
    """Turn an axial volume about its long axis.

    Raises
    ------
    NotApplicableError
        The slices are not axial, a value is not finite, or the background is none that voxels of
        this series can have.
    """
    if abs(volume.geometry.slice_direction[2]) < _AXIAL_COSINE:
        raise NotApplicableError(
            f"A rotating projection is made of axial slices; those of series "
            f"{volume.series_instance_uid} are not axial. Route the axial series."
        )
    voxels, geometry = _facing(volume)
    try:
        turned = rotating_maximum(
            voxels,
            geometry.spacing,
            angles=parameters.angles,
            span_deg=parameters.span_deg,
            background=_background(volume, parameters),
        )
    except ValueError as error:
        raise NotApplicableError(
            f"Series {volume.series_instance_uid} cannot be turned: {error}."
        ) from error
    views = turned.views
    if not is_shown_forward(geometry.slice_direction):
        views, geometry = views[:, ::-1], geometry.reversed_along(0, len(voxels))
    return (
        RotatingProjection(
            name="rotating-mip",
            views=views,
            planes=tuple(_plane(view, turned, geometry) for view in turned.geometry),
            image_type="MIP",
            derivation=(_MAXIMUM,),
            depth_mm=turned.depth_mm,
            description=f"Rotating MIP, {parameters.angles} views, no volume",
        ),
    )


def _background(volume: Volume, parameters: RotatingMipParameters) -> float:
    if parameters.background is not None:
        return parameters.background
    return _AIR_HU if volume.modality == "CT" else 0.0


def _facing(volume: Volume) -> tuple[npt.NDArray[Any], VolumeGeometry]:
    """The volume with its rows towards the back and its columns towards the left."""
    voxels, geometry = without_padding(volume), volume.geometry
    for axis in (1, 2):
        if not is_shown_forward(geometry.directions[axis]):
            geometry = geometry.reversed_along(axis, voxels.shape[axis])
            voxels = np.flip(voxels, axis)
    # Kernels are compiled for the order that volumes are in.
    return np.ascontiguousarray(voxels), geometry


def _plane(view: ViewGeometry, turned: RotatingMaximum, geometry: VolumeGeometry) -> PlaneGeometry:
    """Where a view lies: through the axis of rotation, facing the viewer."""
    x, y, z = geometry.to_patient(view.first_pixel).tolist()
    across = np.asarray(geometry.directions).T @ view.across
    return PlaneGeometry(
        position_mm=(x, y, z),
        row_direction=(float(across[0]), float(across[1]), float(across[2])),
        column_direction=geometry.slice_direction,
        row_mm=turned.slice_mm,
        column_mm=turned.width_mm,
    )


ROTATING_MIP = Algorithm(
    name="rotating-mip",
    version="1",
    title="Maximum intensity projection seen from around the patient",
    modalities=frozenset({"CT", "MR", "PT"}),
    parameters=RotatingMipParameters,
    analyse=analyse,
    series_number_offset=400,
)
