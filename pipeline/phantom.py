"""A chest to try a route with: analytic, the same bytes on every run, and no patient.

Only sums, products, quotients and roots make the shapes, and random numbers come from streams
that are guaranteed to stay, so the voxels depend on no machine and no version of a library.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.valuerep import DS

from pipeline import phantom_anatomy as anatomy
from pipeline.encode.context import uid_from
from pipeline.encode.part10 import part10_bytes, set_file_meta
from pipeline.geometry import Spacing, Vector
from pipeline.implementation import IMPLEMENTATION_VERSION_NAME
from pipeline.phantom_header import constant_attributes
from pipeline.phantom_tubes import InLung, draw, vessel_tree

BoolArray = npt.NDArray[np.bool_]
Hounsfield = npt.NDArray[np.int16]

_HEIGHT_MM = 320.0
_WIDTH_MM = 370.0
_LOWEST_HU = -1024
_NOISE_SEED = 19991123
_VESSEL_SEED = 41


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
    between_mm = _HEIGHT_MM / slices if slice_mm is None else slice_mm
    spacing = Spacing(between_mm, pixel_mm, pixel_mm)
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
    x_mm, y_mm, z_mm = phantom.origin_mm
    x = (x_mm + np.arange(columns) * phantom.spacing.column_mm)[np.newaxis, :]
    y = (y_mm + np.arange(rows) * phantom.spacing.row_mm)[:, np.newaxis]
    for index in range(slices):
        made = anatomy.chest_slice(x, y, z_mm + index * phantom.spacing.slice_mm)
        phantom.voxels_hu[index] = made.voxels_hu
        phantom.right[index] = made.right
        phantom.left[index] = made.left


def _draw_tubes(phantom: ChestPhantom) -> None:
    """Vessels and nodule inside the lungs; great vessels and airways outside them."""
    lungs = phantom.right | phantom.left
    inside = phantom.voxels_hu.copy()
    for number, hilum_mm in enumerate(anatomy.HILA_MM):
        for tube in vessel_tree(hilum_mm, _in_lung(number), _VESSEL_SEED + number):
            draw(inside, tube, phantom.spacing, phantom.origin_mm, anatomy.VESSEL_HU)
    draw(inside, anatomy.NODULE, phantom.spacing, phantom.origin_mm, anatomy.NODULE_HU)
    for tubes, hu in (
        (anatomy.GREAT_VESSELS, anatomy.BLOOD_HU),
        (anatomy.CLAVICLES, anatomy.BONE_HU),
        (anatomy.AIRWAYS, anatomy.AIRWAY_HU),
    ):
        for tube in tubes:
            draw(phantom.voxels_hu, tube, phantom.spacing, phantom.origin_mm, hu)
    np.copyto(phantom.voxels_hu, inside, where=lungs)


def _in_lung(number: int) -> InLung:
    """Whether points (n, 3) lie in the right (0) or left (1) lung."""
    return lambda points: anatomy.lungs(points[:, 0], points[:, 1], points[:, 2])[number]


def _add_noise(voxels_hu: Hounsfield) -> None:
    """Add noise of 13 HU standard deviation; the sum of two even ones is near enough to normal."""
    bits = np.random.PCG64(_NOISE_SEED)
    slices, rows, columns = voxels_hu.shape
    for index in range(slices):
        # The raw stream is guaranteed to stay; the normal numbers made of it are not.
        raw = bits.random_raw(-(-rows * columns // 4)).astype("<u8").view(np.uint8)
        one, other = raw[: 2 * rows * columns].reshape(2, rows, columns).astype(np.int16)
        voxels_hu[index] += (one + other - 255) // 8
    np.maximum(voxels_hu, _LOWEST_HU, out=voxels_hu)


def phantom_instances(
    phantom: ChestPhantom,
    *,
    patient_id: str = "HOUNSFIELD-PHANTOM",
    study_seed: str = "demo",
) -> Iterator[Dataset]:
    """The slices as CT images, from feet to head.

    Parameters
    ----------
    phantom
        What they show.
    patient_id
        Patient ID (0010,0020).
    study_seed
        Another seed gives another study: UIDs are made of it, the patient ID and the voxels.

    Yields
    ------
    Data sets of the SOP Class CT Image Storage, with file meta information, ready to be written
    or sent.

    Source: PS3.3 A.3.3 (CT Image IOD).
    """
    digest = hashlib.sha256(phantom.voxels_hu.tobytes())
    digest.update(phantom.spacing.as_array().tobytes())
    identity = uid_from(IMPLEMENTATION_VERSION_NAME, study_seed, patient_id, digest.hexdigest())
    for index in range(len(phantom.voxels_hu)):
        yield _instance(phantom, index, patient_id, identity)


def write_phantom(
    folder: Path,
    phantom: ChestPhantom,
    *,
    patient_id: str = "HOUNSFIELD-PHANTOM",
    study_seed: str = "demo",
) -> list[Path]:
    """Write the slices as Part 10 files, the same bytes every time.

    Parameters
    ----------
    folder
        Made if it is not there; files of the same names are replaced.
    phantom, patient_id, study_seed
        As in `phantom_instances`.

    Returns
    -------
    The files, from feet to head.

    Raises
    ------
    OSError
        The folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    instances = phantom_instances(phantom, patient_id=patient_id, study_seed=study_seed)
    for number, instance in enumerate(instances, start=1):
        path = folder / f"CT{number:04d}.dcm"
        path.write_bytes(part10_bytes(instance))
        paths.append(path)
    return paths


def _instance(phantom: ChestPhantom, index: int, patient_id: str, identity: str) -> Dataset:
    """The slice at ``index`` as a CT image."""
    x_mm, y_mm, z_mm = phantom.origin_mm
    height_mm = z_mm + index * phantom.spacing.slice_mm
    instance = constant_attributes()
    instance.PatientID = patient_id
    instance.StudyInstanceUID = uid_from(identity, "study")
    instance.SeriesInstanceUID = uid_from(identity, "series")
    instance.FrameOfReferenceUID = uid_from(identity, "frame of reference")
    instance.SOPInstanceUID = uid_from(identity, "instance", index)
    instance.InstanceNumber = index + 1
    instance.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    instance.ImagePositionPatient = [DS(mm, auto_format=True) for mm in (x_mm, y_mm, height_mm)]
    instance.SliceLocation = DS(height_mm, auto_format=True)
    instance.SliceThickness = DS(phantom.spacing.slice_mm, auto_format=True)
    instance.PixelSpacing = [
        DS(mm, auto_format=True) for mm in (phantom.spacing.row_mm, phantom.spacing.column_mm)
    ]
    _set_pixels(instance, phantom.voxels_hu[index])
    set_file_meta(instance)
    return instance


def _set_pixels(instance: Dataset, plane_hu: Hounsfield) -> None:
    """Store Hounsfield Units unsigned, as most scanners do."""
    instance.Rows, instance.Columns = plane_hu.shape
    instance.RescaleIntercept = _LOWEST_HU
    stored = (plane_hu.astype(np.int32) - _LOWEST_HU).astype("<u2")
    instance.PixelData = stored.tobytes()
