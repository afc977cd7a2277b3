"""Planes of a volume as a radiologist hangs them: which ones, and what is at their edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from math import acos, degrees
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.encode.planes import planes_across
from pipeline.geometry import (
    PlaneGeometry,
    VolumeGeometry,
    direction_letters,
    opposite,
)

_NAMES = ("sagittal", "coronal", "axial")
_STRAIGHT_DEGREES = 2


@dataclass(frozen=True, slots=True)
class View:
    """An axis of a volume to look along.

    Parameters
    ----------
    name
        Of the planes across it: axial, coronal or sagittal, whichever they are nearest to.
    axis
        0 for slices, 1 for rows, 2 for columns.
    oblique_degrees
        How far the planes are from that.
    """

    name: str
    axis: int
    oblique_degrees: float

    @property
    def title(self) -> str:
        """The name for a reader."""
        oblique = round(self.oblique_degrees)
        leaning = f", {oblique} degrees oblique" if oblique >= _STRAIGHT_DEGREES else ""
        return self.name.capitalize() + leaning


@dataclass(frozen=True, eq=False, slots=True)
class Cut:
    """An upright plane: (row, column) in the unit of the volume, and where it lies."""

    pixels: npt.NDArray[Any]
    plane: PlaneGeometry


def views(geometry: VolumeGeometry) -> tuple[View, View, View]:
    """The axial, coronal and sagittal view of a grid, each along another of its axes."""
    cosines = np.abs(np.asarray(geometry.directions))
    along = max(
        permutations(range(3)),
        key=lambda axes: float(cosines[list(axes), range(3)].prod()),
    )
    found = [
        View(name, axis, degrees(acos(min(1.0, float(cosines[axis, part])))))
        for part, (name, axis) in enumerate(zip(_NAMES, along, strict=True))
    ]
    sagittal, coronal, axial = found
    return axial, coronal, sagittal


def cut(geometry: VolumeGeometry, voxels: npt.NDArray[Any], axis: int, index: int) -> Cut:
    """The upright plane at an index of an axis: a view of the voxels, head or front up.

    The patient's right is at the left of a picture, his front at the left of a sagittal one.
    """
    one = [slice(None)] * voxels.ndim
    one[axis] = slice(index, index + 1)
    pixels, (plane,) = planes_across(geometry, voxels[tuple(one)], axis)
    return Cut(pixels[0], plane)


def fullest_planes(
    masks: Sequence[npt.NDArray[np.uint8]], shape: tuple[int, ...]
) -> tuple[int, ...]:
    """For each axis the plane that shows most of the masks; the middle one where there are none.

    The centre of two lungs is in neither.

    Parameters
    ----------
    masks
        (slice, row, column) each; 0 is background.
    shape
        Of the volume.
    """
    areas = [np.zeros(size, np.int64) for size in shape]
    for mask in masks:
        for index, plane in enumerate(mask):
            _add_areas(areas, index, plane)
    return tuple(_middle_of_fullest(area) for area in areas)


def _middle_of_fullest(area: npt.NDArray[np.int64]) -> int:
    """The index of the largest area, the middle one where several are as large."""
    fullest = np.flatnonzero(area == area.max())
    return int(fullest[len(fullest) // 2])


def _add_areas(
    areas: Sequence[npt.NDArray[np.int64]], index: int, plane: npt.NDArray[np.uint8]
) -> None:
    """Count the voxels of a slice by slice, row and column, eight at a time."""
    inside = plane != 0
    if not inside.any():
        return
    in_rows = np.bitwise_count(np.packbits(inside, axis=1)).sum(axis=1, dtype=np.int64)
    in_columns = np.bitwise_count(np.packbits(inside, axis=0)).sum(axis=0, dtype=np.int64)
    areas[0][index] += in_rows.sum()
    areas[1][:] += in_rows
    areas[2][:] += in_columns


def edge_letters(plane: PlaneGeometry) -> tuple[str, str, str, str]:
    """What is at the left, right, upper and lower edge.

    Source: PS3.3 C.7.6.1.1.1 (Patient Orientation).
    """
    return (
        direction_letters(opposite(plane.row_direction)),
        direction_letters(plane.row_direction),
        direction_letters(opposite(plane.column_direction)),
        direction_letters(plane.column_direction),
    )
