"""Three planes through the middle of a volume, as a radiologist hangs them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.dataset.orientation import TO_LPS, AxialOrder
from pipeline.geometry import Vector, direction_letters, opposite
from pipeline.volume import Volume


@dataclass(frozen=True, eq=False, slots=True)
class MidPlane:
    """A plane of a volume.

    Parameters
    ----------
    name
        Axial, coronal or sagittal: the plane that it is nearest to.
    pixels
        (row, column), in the type of the volume.
    spacing_mm
        Between rows, between columns.
    right, bottom
        Where the right and the lower edge point to in the patient.
    """

    name: str
    pixels: npt.NDArray[Any]
    spacing_mm: tuple[float, float]
    right: Vector
    bottom: Vector

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width."""
        rows, columns = self.pixels.shape
        return rows * self.spacing_mm[0], columns * self.spacing_mm[1]

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """What is at the left, right, upper and lower edge."""
        return (
            direction_letters(opposite(self.right)),
            direction_letters(self.right),
            direction_letters(opposite(self.bottom)),
            direction_letters(self.bottom),
        )


def mid_planes(volume: Volume) -> tuple[MidPlane, MidPlane, MidPlane]:
    """The axial, coronal and sagittal planes of voxels through the middle of a volume.

    The patient's right is at the left of the picture, front or head is up. Nothing is
    interpolated: in an oblique volume the planes are those of its own grid.
    """
    affine_ras = TO_LPS @ volume.geometry.affine
    order = AxialOrder.of(affine_ras)
    voxels = order.to_slices(volume.voxels)
    grid = order.geometry(affine_ras, volume.voxels.shape)
    slices, rows, columns = (size // 2 for size in voxels.shape)
    spacing, left, back = grid.spacing, grid.row_direction, grid.column_direction
    feet = opposite(grid.slice_direction)
    return (
        MidPlane("axial", voxels[slices].copy(), (spacing.row_mm, spacing.column_mm), left, back),
        MidPlane(
            "coronal",
            np.flip(voxels[:, rows], 0).copy(),
            (spacing.slice_mm, spacing.column_mm),
            left,
            feet,
        ),
        MidPlane(
            "sagittal",
            np.flip(voxels[:, :, columns], 0).copy(),
            (spacing.slice_mm, spacing.row_mm),
            back,
            feet,
        ),
    )
