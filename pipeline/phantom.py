"""A chest to try a route with: analytic, the same bytes on every run, and no patient.

Only sums, products, quotients and roots make the shapes, and random numbers come from streams
that are guaranteed to stay, so the voxels depend on no machine and no version of a library.
"""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from pipeline import phantom_anatomy as anatomy
from pipeline.geometry import Spacing, Vector
from pipeline.phantom_tubes import Tube, draw, vessel_tree

BoolArray = npt.NDArray[np.bool_]
Hounsfield = npt.NDArray[np.int16]

_HEIGHT_MM = 320.0
_WIDTH_MM = 370.0
_LOWEST_HU = -1024
_NOISE_SEED = 19991123
_VESSEL_SEED = 41
_UID_NAMESPACE = uuid.UUID("6f4b1d5e-3b0c-4c0e-9a57-2f0d4f1f7c11")


@dataclass(frozen=True, eq=False, slots=True)
class ChestPhantom:
    """A chest CT and what is known of it.

    Parameters
    ----------
    voxels_hu
        (slice, row, column), int16 Hounsfield Units, axial, slices from feet to head, columns to
        the patient's left.
    spacing
        Distances between voxel centres.
    right, left
        (slice, row, column): the lungs with their vessels.
    """

    voxels_hu: Hounsfield
    spacing: Spacing
    right: BoolArray
    left: BoolArray

    @property
    def origin_mm(self) -> Vector:
        """The centre of voxel (0, 0, 0) in LPS; the middle of the chest is at (0, 0, 0)."""
        slices, rows, columns = self.voxels_hu.shape
        return (
            -(columns - 1) / 2 * self.spacing.column_mm,
            -(rows - 1) / 2 * self.spacing.row_mm,
            -(slices - 1) / 2 * self.spacing.slice_mm,
        )


def chest_phantom(
    slices: int = 128, size: int = 512, slice_mm: float | None = None
) -> ChestPhantom:
    """Make the phantom.

    Parameters
    ----------
    slices
        How many.
    size
        Rows and columns of a slice; they always span 370 mm.
    slice_mm
        Between slices; by default such that they span 320 mm, the whole chest.
    """
    pixel_mm = _WIDTH_MM / size
    spacing = Spacing(slice_mm or _HEIGHT_MM / slices, pixel_mm, pixel_mm)
    shape = (slices, size, size)
    phantom = ChestPhantom(
        np.empty(shape, np.int16), spacing, np.empty(shape, bool), np.empty(shape, bool)
    )
    _paint_slices(phantom)
    _draw_tubes(phantom)
    _add_noise(phantom.voxels_hu)
    return phantom


def _paint_slices(phantom: ChestPhantom) -> None:
    slices, rows, columns = phantom.voxels_hu.shape
    left_mm, back_mm, low_mm = phantom.origin_mm
    x = (left_mm + np.arange(columns) * phantom.spacing.column_mm)[np.newaxis, :]
    y = (back_mm + np.arange(rows) * phantom.spacing.row_mm)[:, np.newaxis]
    for index in range(slices):
        made = anatomy.chest_slice(x, y, low_mm + index * phantom.spacing.slice_mm)
        phantom.voxels_hu[index] = made.voxels_hu
        phantom.right[index] = made.right
        phantom.left[index] = made.left


def _draw_tubes(phantom: ChestPhantom) -> None:
    """Vessels first, so that an airway stays open where one crosses it."""
    voxels = phantom.voxels_hu
    lungs = phantom.right | phantom.left
    in_lungs = voxels.copy()
    for number, hilum in enumerate(anatomy.HILA_MM):
        for tube in vessel_tree(anatomy.HILA_MM[hilum], _in_lung(number), _VESSEL_SEED + number):
            draw(in_lungs, tube, phantom.spacing, phantom.origin_mm, anatomy.VESSEL_HU)
    centre, radius_mm = anatomy.NODULE_MM
    nodule = Tube(centre, centre, radius_mm)
    draw(in_lungs, nodule, phantom.spacing, phantom.origin_mm, anatomy.NODULE_HU)
    for tubes, hu in (
        (anatomy.GREAT_VESSELS, anatomy.BLOOD_HU),
        (anatomy.CLAVICLES, anatomy.BONE_HU),
        (anatomy.AIRWAYS, anatomy.AIRWAY_HU),
    ):
        for tube in tubes:
            draw(voxels, tube, phantom.spacing, phantom.origin_mm, hu)
    voxels[lungs] = in_lungs[lungs]


def _in_lung(number: int) -> Any:
    """Whether points (n, 3) lie in the right (0) or left (1) lung."""
    return lambda points: anatomy.lungs(points[:, 0], points[:, 1], points[:, 2])[number]


def _add_noise(voxels_hu: Hounsfield) -> None:
    """Add noise of 13 HU standard deviation; the sum of two even ones is near enough to normal."""
    bits = np.random.PCG64(_NOISE_SEED)  # its raw stream is guaranteed, its normal numbers are not
    for plane in voxels_hu:
        raw = bits.random_raw(-(-2 * plane.size // 8)).astype("<u8").view(np.uint8)
        pairs = raw[: 2 * plane.size].reshape(2, *plane.shape).astype(np.int16)
        plane += (pairs[0] + pairs[1] - 255) // 8
    np.maximum(voxels_hu, _LOWEST_HU, out=voxels_hu)
