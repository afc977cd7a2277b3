"""Where voxels lie in the patient: spacing, directions and the affine of a regular grid.

Array axes are (slice, row, column). Positions are in mm in the patient coordinate system of
PS3.3 C.7.6.2.1.1 (LPS: x grows to the patient's left, y to the back, z to the head).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = tuple[float, float, float]
FloatArray = npt.NDArray[np.floating[Any]]

# Towards growing and falling x, y, z of the patient coordinate system (LPS).
_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
# The sine of 15 degrees: a second letter is written where a direction leans by more.
_LEANS = 0.2588


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distances between neighbouring voxel centres, in mm.

    Parameters
    ----------
    slice_mm
        Between slices, along the slice normal.
    row_mm
        Between rows: the first value of Pixel Spacing.
    column_mm
        Between columns: the second value of Pixel Spacing.
    """

    slice_mm: float
    row_mm: float
    column_mm: float

    def as_array(self) -> npt.NDArray[np.float32]:
        """(slice, row, column) in mm, as grt123 hands it on: float32."""
        return np.array([self.slice_mm, self.row_mm, self.column_mm], dtype=np.float32)

    @property
    def in_order(self) -> Vector:
        """(slice, row, column) in mm."""
        return self.slice_mm, self.row_mm, self.column_mm

    @property
    def voxel_volume_mm3(self) -> float:
        """The volume of one voxel."""
        return self.slice_mm * self.row_mm * self.column_mm


@dataclass(frozen=True, slots=True)
class VolumeGeometry:
    """The grid of a volume in the patient.

    Parameters
    ----------
    origin_mm
        The centre of voxel (0, 0, 0): Image Position (Patient) of the first slice.
    row_direction
        Unit vector along a row (growing column index): the first three values of Image
        Orientation (Patient).
    column_direction
        Unit vector along a column (growing row index): the last three values.
    slice_direction
        Unit vector from each slice to the next.
    spacing
        Distances between voxel centres.
    """

    origin_mm: Vector
    row_direction: Vector
    column_direction: Vector
    slice_direction: Vector
    spacing: Spacing

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """4 x 4, float64: (slice, row, column, 1) to (x, y, z, 1) in LPS mm."""
        matrix = np.eye(4)
        matrix[:3, 0] = np.multiply(self.slice_direction, self.spacing.slice_mm)
        matrix[:3, 1] = np.multiply(self.column_direction, self.spacing.row_mm)
        matrix[:3, 2] = np.multiply(self.row_direction, self.spacing.column_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix

    @property
    def directions(self) -> tuple[Vector, Vector, Vector]:
        """Unit vectors of growing (slice, row, column) index."""
        return self.slice_direction, self.column_direction, self.row_direction

    def reversed_along(self, axis: int, count: int) -> "VolumeGeometry":
        """The grid of the same voxels in the opposite order along an axis.

        Parameters
        ----------
        axis
            0 for slices, 1 for rows, 2 for columns.
        count
            How many there are of them.
        """
        last = [0.0, 0.0, 0.0]
        last[axis] = count - 1
        x, y, z = self.to_patient(last)
        field = ("slice_direction", "column_direction", "row_direction")[axis]
        a, b, c = self.directions[axis]
        opposite: dict[str, Any] = {field: (-a, -b, -c)}
        return replace(self, origin_mm=(float(x), float(y), float(z)), **opposite)

    def to_patient(self, indices: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Positions of voxel indices.

        Parameters
        ----------
        indices
            (..., 3) in (slice, row, column), fractions allowed.

        Returns
        -------
        (..., 3) in LPS mm.
        """
        matrix = self.affine
        points: npt.NDArray[np.float64] = np.asarray(indices, dtype=float) @ matrix[:3, :3].T
        return points + matrix[:3, 3]


@dataclass(frozen=True, slots=True)
class PlaneGeometry:
    """An image plane in the patient.

    Parameters
    ----------
    position_mm
        The centre of pixel (0, 0), LPS.
    row_direction
        Unit vector along a row (growing column index).
    column_direction
        Unit vector along a column (growing row index).
    row_mm
        Between rows.
    column_mm
        Between columns.
    """

    position_mm: Vector
    row_direction: Vector
    column_direction: Vector
    row_mm: float
    column_mm: float


def is_shown_forward(direction: Vector) -> bool:
    """Whether an upright image shows a direction downwards or to the right.

    That is the one to the feet, to the back or to the patient's left, whichever it is nearest to.
    """
    x, y, z = direction
    if abs(z) > max(abs(x), abs(y)):
        return z < 0
    return (y if abs(y) > abs(x) else x) > 0


def slice_normal(row_direction: Vector, column_direction: Vector) -> Vector:
    """The unit normal of a slice: row direction x column direction."""
    normal = np.cross(row_direction, column_direction)
    x, y, z = normal / np.linalg.norm(normal)
    return float(x), float(y), float(z)


def direction_letters(direction: Vector) -> str:
    """Where a direction points to: L, R, A, P, H, F, the largest part first.

    Parameters
    ----------
    direction
        Unit vector, LPS.

    Source: PS3.3 C.7.6.1.1.1 (Patient Orientation).
    """
    parts = sorted(
        ((abs(part), letters[part < 0]) for part, letters in zip(direction, _LETTERS, strict=True)),
        key=lambda item: -item[0],
    )
    return "".join(letter for share, letter in parts if share > _LEANS)


def opposite(direction: Vector) -> Vector:
    """The direction that points the other way."""
    x, y, z = direction
    return -x, -y, -z
