"""Slices of a series to one volume, by the grt123 rules, checked against the real geometry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.uid import UID

from pipeline.errors import NotAnImageError, PixelDecodeError, SeriesGeometryError
from pipeline.geometry import Spacing, Vector, VolumeGeometry, slice_normal
from pipeline.instance import Instance, decode_pixels

_ORIENTATION_TOLERANCE = 1e-3
_RIGHT_ANGLE_TOLERANCE = 1e-2
_IN_PLANE_TOLERANCE_MM = 1e-3
_DUPLICATE_TOLERANCE_MM = 1e-3
# Real scanners round positions: a brain MR of 7 mm slices jitters by 0.1 mm. A missing slice is
# off by a whole spacing, far beyond either bound.
_SPACING_TOLERANCE_MM = 0.1
_SPACING_TOLERANCE_SHARE = 0.02
_SPACING_TOLERANCE_MOST = 0.4
_MINIMUM_SLICES = 2
_NAMED_POSITIONS = 5

SliceDone = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, slots=True)
class Volume:
    """A rebuilt series.

    Parameters
    ----------
    voxels
        (slice, row, column). CT: int16 Hounsfield Units. Others: the stored values, or float32
        where the header rescales them.
    geometry
        The grid in the patient.
    sources
        One instance per slice, in slice order.
    """

    voxels: npt.NDArray[Any]
    geometry: VolumeGeometry
    sources: tuple[Instance, ...]

    @property
    def modality(self) -> str:
        """Modality (0008,0060) of the series."""
        return str(self.sources[0].header.get("Modality", ""))

    @property
    def series_instance_uid(self) -> str:
        """The series it was rebuilt from."""
        return self.sources[0].series_instance_uid


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a volume was made from its instances.

    Parameters
    ----------
    duplicate_rule
        What was done about instances that share a position.
    kept, dropped
        SOP Instance UIDs, the kept ones in slice order.
    slice_thickness_mm
        Distance of the first two positions, as the reference takes it.
    """

    duplicate_rule: str
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    slice_thickness_mm: float


@dataclass(frozen=True, eq=False, slots=True)
class VolumeResult:
    """A volume and the receipt of its making."""

    volume: Volume
    receipt: Receipt


@dataclass(frozen=True, eq=False, slots=True)
class _Placed:
    """An instance and where it lies along the slice direction, in mm."""

    instance: Instance
    position_mm: float


def build_volume(
    instances: Sequence[Instance], *, on_slice: SliceDone = lambda _done, _of: None
) -> VolumeResult:
    """Rebuild the volume of one series.

    Slices are sorted by position. Where positions are doubled, the multiplicity is counted at
    the first one and the first ``len / multiplicity`` instances by Instance Number are kept.
    Thickness is the distance of the first two positions. Positions are projections on the slice
    normal, so that any orientation works; for an axial series they are the reference's z.

    Parameters
    ----------
    instances
        All instances of one series, in any order.
    on_slice
        Called after each decoded slice with the slices done and their number.

    Raises
    ------
    NotAnImageError
        No instance holds an image.
    SeriesGeometryError
        The slices make no regular stack; the message names what is wrong and where.
    PixelDecodeError
        Pixel data does not decode, or does not fit Hounsfield Units in int16.

    Source: seed 003, ``load_scan`` and ``get_pixels_hu``.
    """
    images = _images(instances)
    series = images[0].series_instance_uid
    _check_one_grid(series, images)
    row_direction, column_direction, slice_direction = _directions(images[0])
    placed = sorted(
        (_Placed(image, _position_mm(image, slice_direction)) for image in images),
        key=lambda item: item.position_mm,
    )
    stack, rule = _one_per_position(series, placed)
    _check_regular(series, stack, slice_direction)
    thickness = abs(stack[0].position_mm - stack[1].position_mm)
    sources = tuple(item.instance for item in stack)
    row_mm, column_mm = (float(value) for value in sources[0].header.PixelSpacing)
    geometry = VolumeGeometry(
        origin_mm=_vector(sources[0].header.ImagePositionPatient),
        row_direction=row_direction,
        column_direction=column_direction,
        slice_direction=slice_direction,
        spacing=Spacing(thickness, row_mm, column_mm),
    )
    kept = {source.sop_instance_uid: None for source in sources}
    receipt = Receipt(
        duplicate_rule=rule,
        kept=tuple(kept),
        dropped=tuple(
            image.sop_instance_uid for image in images if image.sop_instance_uid not in kept
        ),
        slice_thickness_mm=thickness,
    )
    return VolumeResult(Volume(_voxels(sources, on_slice), geometry, sources), receipt)


def _images(instances: Sequence[Instance]) -> list[Instance]:
    """The instances that are single-frame image slices with a place in the patient."""
    images = [instance for instance in instances if instance.has_pixels]
    if not images:
        classes = sorted({UID(str(item.header.get("SOPClassUID", ""))).name for item in instances})
        raise NotAnImageError(
            f"The series holds no image slices but {', '.join(classes)}: no volume can be made of "
            "it. Leave such objects out of the route or of the sender's forward rule."
        )
    series = images[0].series_instance_uid
    if any("SegmentSequence" in image.header for image in images):
        raise NotAnImageError(
            "The series is a segmentation (SEG), not the image it was drawn on: no volume is made "
            "of it. Leave such objects out of the route or of the sender's forward rule."
        )
    if any(int(image.header.get("NumberOfFrames") or 1) > 1 for image in images):
        raise SeriesGeometryError(
            series,
            "it holds multi-frame instances, which this version receives but does not rebuild. "
            "Send the single-frame series.",
        )
    if len(images) < _MINIMUM_SLICES:
        raise SeriesGeometryError(
            series, "it has one slice only, and a volume needs two or more. Send the whole series."
        )
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        missing = [image for image in images if not image.header.get(keyword)]
        if missing:
            raise SeriesGeometryError(
                series,
                f"{keyword} is missing in {len(missing)} of {len(images)} instances, the first "
                f"{missing[0].sop_instance_uid}: where they lie in the patient is not known.",
            )
    for image in images:
        if not _has_sound_plane(image):
            raise SeriesGeometryError(
                series,
                f"position, orientation or pixel spacing of instance {image.sop_instance_uid} is "
                "no plane in space: values are missing, not at right angles or not positive.",
            )
    return images


def _has_sound_plane(image: Instance) -> bool:
    """Whether position, orientation and pixel spacing describe a plane."""
    header = image.header
    position = np.array(header.ImagePositionPatient, float)
    orientation = np.array(header.ImageOrientationPatient, float)
    spacing = np.array(header.PixelSpacing, float)
    if (position.shape, orientation.shape, spacing.shape) != ((3,), (6,), (2,)):
        return False
    axes = orientation.reshape(2, 3)
    at_right_angles = np.allclose(axes @ axes.T, np.eye(2), atol=_RIGHT_ANGLE_TOLERANCE)
    return bool(at_right_angles and np.isfinite(position).all() and (spacing > 0).all())


def _check_one_grid(series: str, images: Sequence[Instance]) -> None:
    """Raise unless all slices share matrix, pixel spacing, orientation and frame of reference."""
    first = images[0].header
    for image in images[1:]:
        header = image.header
        differs = None
        if (header.Rows, header.Columns) != (first.Rows, first.Columns):
            differs = f"matrix ({header.Rows}x{header.Columns} and {first.Rows}x{first.Columns})"
        elif not _close(header.PixelSpacing, first.PixelSpacing, _IN_PLANE_TOLERANCE_MM):
            differs = "pixel spacing"
        elif not _close(
            header.ImageOrientationPatient, first.ImageOrientationPatient, _ORIENTATION_TOLERANCE
        ):
            differs = "orientation"
        elif header.get("FrameOfReferenceUID") != first.get("FrameOfReferenceUID"):
            differs = "frame of reference"
        if differs:
            raise SeriesGeometryError(
                series,
                f"its slices differ in {differs}: instance {image.sop_instance_uid} against "
                f"{images[0].sop_instance_uid}. Send each stack as a series of its own.",
            )


def _directions(image: Instance) -> tuple[Vector, Vector, Vector]:
    """Row, column and slice direction; the slice direction's largest part points up its axis.

    For an axial series that is ascending z, the reference's order, whichever way the rows run.
    """
    orientation = [float(value) for value in image.header.ImageOrientationPatient]
    row_direction, column_direction = _vector(orientation[:3]), _vector(orientation[3:])
    normal = slice_normal(row_direction, column_direction)
    if max(normal, key=abs) < 0:
        normal = _vector([-value for value in normal])
    return row_direction, column_direction, normal


def _position_mm(image: Instance, slice_direction: Vector) -> float:
    return float(np.dot(_vector(image.header.ImagePositionPatient), slice_direction))


def _one_per_position(series: str, placed: Sequence[_Placed]) -> tuple[list[_Placed], str]:
    """One instance per position by the reference's rule, where that rule is sound."""
    first = placed[0].position_mm
    multiplicity = sum(
        1 for item in placed if abs(item.position_mm - first) <= _DUPLICATE_TOLERANCE_MM
    )
    if multiplicity == len(placed):
        raise SeriesGeometryError(series, "all its slices lie at one position.")
    if multiplicity == 1:
        kept, rule = list(placed), "every position once"
    else:
        kept = _first_pass(series, placed, len(placed) // multiplicity)
        rule = f"positions {multiplicity} times; the first {len(kept)} by Instance Number kept"
    positions = _count_positions(placed)
    if not len(kept) == _count_positions(kept) == positions:
        raise SeriesGeometryError(
            series,
            f"its {len(placed)} instances lie at {positions} positions, and the first {len(kept)} "
            f"by Instance Number are at {_count_positions(kept)} of them: passes, phases or echoes "
            "are mixed. Send each as a series of its own.",
        )
    return kept, rule


def _first_pass(series: str, placed: Sequence[_Placed], count: int) -> list[_Placed]:
    """The first ``count`` instances by Instance Number, in order of position."""
    if any(item.instance.header.get("InstanceNumber") in (None, "") for item in placed):
        raise SeriesGeometryError(
            series, "positions are doubled and Instance Number is missing, so passes mix."
        )
    by_number = sorted(placed, key=lambda item: float(item.instance.header.InstanceNumber))
    return sorted(by_number[:count], key=lambda item: item.position_mm)


def _count_positions(placed: Sequence[_Placed]) -> int:
    gaps = (other.position_mm - one.position_mm for one, other in pairwise(placed))
    return 1 + sum(1 for gap in gaps if gap > _DUPLICATE_TOLERANCE_MM)


def _check_regular(series: str, stack: Sequence[_Placed], slice_direction: Vector) -> None:
    """Raise where slices are missing, unevenly spaced or shifted sideways (gantry tilt)."""
    gaps = np.diff([item.position_mm for item in stack])
    typical = float(np.median(gaps))
    tolerance = max(_SPACING_TOLERANCE_MM, _SPACING_TOLERANCE_SHARE * typical)
    tolerance = min(tolerance, _SPACING_TOLERANCE_MOST * typical)
    wrong = np.flatnonzero(np.abs(gaps - typical) > tolerance)
    if wrong.size:
        named = ", ".join(
            f"{gaps[i]:.2f} mm after {stack[i].position_mm:.2f} mm"
            for i in wrong[:_NAMED_POSITIONS]
        )
        raise SeriesGeometryError(
            series,
            f"its slices are {typical:.2f} mm apart, but {wrong.size} of {gaps.size} gaps differ: "
            f"{named}. Slices are missing or two stacks are mixed; send the whole series again.",
        )
    origin = np.array(_vector(stack[0].instance.header.ImagePositionPatient))
    for item in stack[1:]:
        offset = np.array(_vector(item.instance.header.ImagePositionPatient)) - origin
        sideways = offset - np.dot(offset, slice_direction) * np.array(slice_direction)
        if float(np.linalg.norm(sideways)) > tolerance:
            raise SeriesGeometryError(
                series,
                f"its slices shift sideways by {np.linalg.norm(sideways):.2f} mm at instance "
                f"{item.instance.sop_instance_uid}, as with a tilted gantry. Send a series without "
                "tilt.",
            )


def _voxels(sources: Sequence[Instance], on_slice: SliceDone) -> npt.NDArray[Any]:
    """Decode and rescale all slices into one array (slice, row, column)."""
    first = _rescaled(sources[0])
    voxels = np.empty((len(sources), *first.shape), dtype=first.dtype)
    voxels[0] = first
    on_slice(1, len(sources))
    for index, source in enumerate(sources[1:], start=1):
        plane = _rescaled(source)
        if plane.dtype != voxels.dtype:
            raise PixelDecodeError(
                f"Instance {source.sop_instance_uid} stores {plane.dtype} values, the first slice "
                f"{voxels.dtype}: the series mixes kinds of pixels."
            )
        voxels[index] = plane
        on_slice(index + 1, len(sources))
    return voxels


def _rescaled(source: Instance) -> npt.NDArray[Any]:
    """The values that the stored pixels of a slice stand for."""
    header = source.header
    if int(header.get("SamplesPerPixel") or 1) != 1:
        raise PixelDecodeError(f"Instance {source.sop_instance_uid} is a colour image.")
    stored = decode_pixels(source)
    if stored.shape != (header.Rows, header.Columns):
        raise PixelDecodeError(
            f"Instance {source.sop_instance_uid} decodes to {stored.shape}, its header says "
            f"({header.Rows}, {header.Columns})."
        )
    slope = 1.0 if header.get("RescaleSlope") is None else float(header.RescaleSlope)
    intercept = 0.0 if header.get("RescaleIntercept") is None else float(header.RescaleIntercept)
    if header.get("Modality") == "CT":
        return _hounsfield(source, stored, slope, intercept)
    if slope == 1.0 and intercept == 0.0:
        return stored
    rescaled: npt.NDArray[np.float32] = (stored * slope + intercept).astype(np.float32)
    return rescaled


def _hounsfield(
    source: Instance, stored: npt.NDArray[Any], slope: float, intercept: float
) -> npt.NDArray[np.int16]:
    """HU in int16 with the reference's arithmetic: truncated toward zero; never wrapped."""
    scaled = stored.astype(np.int64) if slope == 1.0 else np.trunc(slope * stored.astype(float))
    values = scaled + int(intercept)
    limits = np.iinfo(np.int16)
    if values.min() < limits.min or values.max() > limits.max:
        raise PixelDecodeError(
            f"Instance {source.sop_instance_uid} holds {values.min():.0f} to {values.max():.0f} "
            "Hounsfield Units, more than 16 bits take: its rescale or pixel data is wrong."
        )
    return values.astype(np.int16)


def _close(one: Sequence[float], other: Sequence[float], tolerance: float) -> bool:
    return bool(np.allclose(np.array(one, float), np.array(other, float), rtol=0, atol=tolerance))


def _vector(values: Sequence[Any]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
