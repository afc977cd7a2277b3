"""How the axes of an array lie in the patient, by its affine."""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry import Spacing, Vector, VolumeGeometry

Affine = npt.NDArray[np.float64]
Array = npt.NDArray[Any]
Axes = tuple[int, int, int]

TO_LPS: Affine = np.diag([-1.0, -1.0, 1.0, 1.0])
_RIGHT_ANGLE_TOLERANCE = 1e-2


def patient_axes(affine: Affine) -> Axes:
    """The array axes that run nearest to left-right, front-back and feet-head, in this order.

    Of all ways to assign them, the one with the largest product of cosines.

    Parameters
    ----------
    affine
        4 x 4, array indices to RAS or LPS mm.

    Raises
    ------
    ValueError
        The affine spans no volume.
    """
    matrix = affine[:3, :3]
    if not np.isfinite(affine).all() or np.linalg.det(matrix) == 0:
        raise ValueError("its affine says not where the voxels lie: it spans no volume")
    cosines = np.abs(matrix / np.linalg.norm(matrix, axis=0))
    across, back, up = max(
        permutations(range(3)), key=lambda axes: float(cosines[range(3), axes].prod())
    )
    return across, back, up


@dataclass(frozen=True, slots=True)
class AxialOrder:
    """The way from an array (x, y, z) to (slice, row, column) and back, by views alone.

    Slices run from feet to head, rows from front to back, columns to the patient's left, each as
    nearly as the grid allows.

    Parameters
    ----------
    axes
        The array axes that become slice, row and column.
    flipped
        Those of slice (0), row (1) and column (2) that run the other way.
    """

    axes: Axes
    flipped: tuple[int, ...]

    @classmethod
    def of(cls, affine_ras: Affine) -> "AxialOrder":
        """The order for an affine (4 x 4, to RAS mm).

        Raises
        ------
        ValueError
            The affine spans no volume.
        """
        lps = TO_LPS @ affine_ras
        x, y, z = patient_axes(lps)
        steps_mm = (lps[2, z], lps[1, y], lps[0, x])
        return cls((z, y, x), tuple(axis for axis, step in enumerate(steps_mm) if step < 0))

    def to_slices(self, array: Array) -> Array:
        """(x, y, z) as (slice, row, column)."""
        return np.flip(array.transpose(self.axes), self.flipped)

    def from_slices(self, array: Array) -> Array:
        """(slice, row, column) as (x, y, z)."""
        return np.flip(array, self.flipped).transpose(np.argsort(self.axes))

    def geometry(self, affine_ras: Affine, shape: tuple[int, ...]) -> VolumeGeometry:
        """The grid of the slices in the patient.

        Parameters
        ----------
        affine_ras
            4 x 4, (x, y, z) to RAS mm.
        shape
            Of the array (x, y, z).

        Raises
        ------
        ValueError
            The axes are not at right angles.
        """
        affine = TO_LPS @ affine_ras @ self._indices(shape)
        spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
        directions = affine[:3, :3] / spacing_mm
        if not np.allclose(directions.T @ directions, np.eye(3), atol=_RIGHT_ANGLE_TOLERANCE):
            raise ValueError("its axes are not at right angles, as after a gantry tilt")
        return VolumeGeometry(
            origin_mm=_vector(affine[:3, 3]),
            row_direction=_vector(directions[:, 2]),
            column_direction=_vector(directions[:, 1]),
            slice_direction=_vector(directions[:, 0]),
            spacing=Spacing(*_vector(spacing_mm)),
        )

    def _indices(self, shape: tuple[int, ...]) -> Affine:
        """4 x 4: (slice, row, column, 1) to (x, y, z, 1)."""
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for axis, source in enumerate(self.axes):
            backwards = axis in self.flipped
            matrix[source, axis] = -1 if backwards else 1
            matrix[source, 3] = shape[source] - 1 if backwards else 0
        return matrix


def _vector(values: Array) -> Vector:
    x, y, z = values
    return float(x), float(y), float(z)
