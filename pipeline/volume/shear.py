"""Slices shifted back in their planes where the gantry was tilted."""

from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK

from pipeline.geometry import Spacing

Array = npt.NDArray[Any]

# A shift along one axis alone leaves a rounding error on the other.
_NO_PIXEL = 1e-6


def shape_shifted_back(
    shape: tuple[int, ...], spacing: Spacing, shift_mm: tuple[float, float]
) -> tuple[int, int, int]:
    """Slices, rows and columns that `shifted_back` makes of voxels of a shape."""
    slices, rows, columns = shape
    more_rows, more_columns = (
        int(np.ceil(abs(step) * (slices - 1) / size - _NO_PIXEL))
        for step, size in zip(shift_mm, (spacing.row_mm, spacing.column_mm), strict=True)
    )
    return slices, rows + more_rows, columns + more_columns


def shifted_back(
    voxels: Array, spacing: Spacing, shift_mm: tuple[float, float]
) -> tuple[Array, tuple[float, float]]:
    """Move every slice back in its plane, onto one grid that holds them all.

    Parameters
    ----------
    voxels
        (slice, row, column). Not changed.
    spacing
        Of the voxels.
    shift_mm
        How far each slice lies from the one before: along a column (growing row index), along a
        row (growing column index).

    Returns
    -------
    The voxels with as many rows and columns more as the shift takes, linear between pixels and
    the lowest value of the volume beyond the slices; and where pixel (0, 0) of all slices now
    lies, from that of the first slice before: along a column, along a row, in mm.

    Source: PS3.3 C.8.2.1 (Gantry/Detector Tilt); interpolation by SimpleITK.
    """
    last = len(voxels) - 1
    origin_mm = tuple(min(0.0, step * last) for step in shift_mm)
    shape = shape_shifted_back(voxels.shape, spacing, shift_mm)
    _, rows, columns = shape
    moved = np.empty(shape, voxels.dtype)
    resample = SimpleITK.ResampleImageFilter()
    resample.SetInterpolator(SimpleITK.sitkLinear)
    resample.SetSize((columns, rows))
    resample.SetOutputSpacing((spacing.column_mm, spacing.row_mm))
    resample.SetOutputOrigin((origin_mm[1], origin_mm[0]))
    resample.SetDefaultPixelValue(float(voxels.min()))
    for index, plane in enumerate(voxels):
        image = SimpleITK.GetImageFromArray(plane.astype(np.float64))
        image.SetSpacing((spacing.column_mm, spacing.row_mm))
        image.SetOrigin((shift_mm[1] * index, shift_mm[0] * index))
        # A copy: a view does not keep the image alive that it shows.
        values = SimpleITK.GetArrayFromImage(resample.Execute(image))
        moved[index] = np.rint(values) if voxels.dtype.kind in "iu" else values
    return moved, (origin_mm[0], origin_mm[1])
