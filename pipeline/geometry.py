"""Where voxels lie in the patient: spacing, directions and the affine of a regular grid.

Array axes are (slice, row, column). Positions are in mm in the patient coordinate system of
PS3.3 C.7.6.2.1.1 (LPS: x grows to the patient's left, y to the back, z to the head).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = tuple[float, float, float]
FloatArray = npt.NDArray[np.floating[Any]]


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


def slice_normal(row_direction: Vector, column_direction: Vector) -> Vector:
    """The unit normal of a slice: row direction x column direction."""
    normal = np.cross(row_direction, column_direction)
    x, y, z = normal / np.linalg.norm(normal)
    return float(x), float(y), float(z)
