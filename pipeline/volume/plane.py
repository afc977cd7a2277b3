"""Frames as planes in the patient, and which frames of a series are taken for slices at all."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.uid import UID

from pipeline.elements import Header
from pipeline.errors import NotAnImageError, SeriesGeometryError
from pipeline.geometry import Vector
from pipeline.instance import Instance
from pipeline.volume.frame import Frame
from pipeline.volume.receipt import Dropped

_RIGHT_ANGLE_TOLERANCE = 1e-2
_ORIENTATION_TOLERANCE = 1e-3
_IN_PLANE_TOLERANCE_MM = 1e-3
_NAMED = 5
_GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_LOCALIZERS = frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM"})
_PAGES = frozenset({"DOSE", "DOSE_INFO", "SCREEN SAVE", "SCREEN_SAVE", "PRINT", "PASTED"})


@dataclass(frozen=True, eq=False, slots=True)
class Plane:
    """A frame and where it lies in the patient.

    Parameters
    ----------
    frame
        What holds its pixels.
    position_mm
        Image Position (Patient), LPS.
    orientation
        Image Orientation (Patient): direction of a row, then of a column.
    pixel_spacing_mm
        Between rows, between columns.
    shape
        Rows, columns.
    frame_of_reference_uid
        Empty where the header names none.
    instance_number, acquisition_number
        None where the header has none.
    """

    frame: Frame
    position_mm: Vector
    orientation: tuple[float, ...]
    pixel_spacing_mm: tuple[float, float]
    shape: tuple[int, int]
    frame_of_reference_uid: str
    instance_number: float | None
    acquisition_number: float | None


def images_only(instances: Sequence[Instance]) -> tuple[list[Instance], list[Dropped]]:
    """The instances that hold a grey image, and those left out for holding something else.

    Raises
    ------
    NotAnImageError
        None holds an image from which a volume can be made.
    """
    if not instances:
        raise NotAnImageError("The series has no instances: there are no image slices in it.")
    kept, dropped = list(instances), []
    for is_other, reason in _NO_SLICES:
        others = [item for item in kept if is_other(item.elements)]
        if not others:
            continue
        rest = [item for item in kept if not is_other(item.elements)]
        if not rest:
            classes = ", ".join(sorted({_class_name(item) for item in others}))
            raise NotAnImageError(
                f"The series holds {reason} ({classes}) and no image slices: no volume can be made "
                "of it. Leave such objects out of the route or of the sender's forward rule."
            )
        kept = rest
        dropped += [Dropped(item.sop_instance_uid, reason) for item in others]
    return kept, dropped


def slices_only(frames: Sequence[Frame]) -> tuple[list[Frame], list[Dropped]]:
    """Leave out localizers, dose pages and secondary captures that came among the slices.

    A series made of one such kind alone is kept as it is.
    """
    kept, dropped = list(frames), []
    for is_other, reason in _STRAY_IMAGES:
        others = [frame for frame in kept if is_other(frame)]
        if 0 < len(others) < len(kept):
            kept = [frame for frame in kept if not is_other(frame)]
            dropped += [Dropped(frame.name, reason) for frame in others]
    return kept, dropped


def planes_of(series: str, frames: Sequence[Frame]) -> list[Plane]:
    """The planes of frames.

    Raises
    ------
    SeriesGeometryError
        A frame does not say where it lies, or what it says is no plane.
    """
    planes = []
    for frame in frames:
        plane = _plane(frame)
        if plane is None:
            raise SeriesGeometryError(series, _why_no_plane(frame, frames))
        planes.append(plane)
    return planes


def check_one_grid(series: str, planes: Sequence[Plane]) -> None:
    """Raise unless all planes share matrix, pixel spacing, orientation and frame of reference.

    Raises
    ------
    SeriesGeometryError
        They do not; the message names those in the minority.
    """
    groups = _groups(planes, lambda one, other: not _differences(one, other))
    if len(groups) == 1:
        return
    groups.sort(key=len)
    differences = {what for group in groups for what in _differences(groups[-1][0], group[0])}
    raise SeriesGeometryError(
        series,
        f"its slices differ in {' and '.join(sorted(differences))}: they fall into "
        f"{len(groups)} stacks of {', '.join(str(len(group)) for group in groups)}, the smallest "
        f"being {named(plane.frame.name for plane in groups[0])}. Send each stack as a series of "
        "its own.",
    )


def named(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _why_no_plane(frame: Frame, frames: Sequence[Frame]) -> str:
    """What keeps a frame of a series from being a plane."""
    for keyword in _GEOMETRY:
        missing = [item.name for item in frames if item.get(keyword) is None]
        if missing:
            return (
                f"{keyword} is missing in {len(missing)} of {len(frames)} instances "
                f"({named(missing)}): where they lie in the patient is not known. Send the series "
                "from where it was made."
            )
    return (
        f"position, orientation or pixel spacing of instance {frame.name} is no plane in space: "
        "values are missing, not at right angles or not positive. Send the series from where it "
        "was made."
    )


def _plane(frame: Frame) -> Plane | None:
    """The plane of a frame; None where its header describes none."""
    position = frame.numbers_of("ImagePositionPatient")
    orientation = frame.numbers_of("ImageOrientationPatient")
    spacing = frame.numbers_of("PixelSpacing")
    if not _is_sound(position, orientation, spacing):
        return None
    x, y, z = position
    row_mm, column_mm = spacing
    return Plane(
        frame=frame,
        position_mm=(x, y, z),
        orientation=orientation,
        pixel_spacing_mm=(row_mm, column_mm),
        shape=(int(frame.number_of("Rows") or 0), int(frame.number_of("Columns") or 0)),
        frame_of_reference_uid=frame.text_of("FrameOfReferenceUID"),
        instance_number=frame.number_of("InstanceNumber"),
        acquisition_number=frame.number_of("AcquisitionNumber"),
    )


def _is_sound(
    position: tuple[float, ...], orientation: tuple[float, ...], spacing: tuple[float, ...]
) -> bool:
    """Whether position, orientation and pixel spacing describe a plane."""
    if (len(position), len(orientation), len(spacing)) != (3, 6, 2):
        return False
    row, column = orientation[:3], orientation[3:]
    products = (_dot(row, row) - 1, _dot(column, column) - 1, _dot(row, column))
    at_right_angles = all(abs(value) <= _RIGHT_ANGLE_TOLERANCE for value in products)
    return at_right_angles and min(spacing) > 0 and bool(np.isfinite(position).all())


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _groups(planes: Sequence[Plane], same: Callable[[Plane, Plane], bool]) -> list[list[Plane]]:
    """The planes, each with the first one that it agrees with."""
    groups: list[list[Plane]] = []
    for plane in planes:
        for group in groups:
            if same(group[0], plane):
                group.append(plane)
                break
        else:
            groups.append([plane])
    return groups


def _differences(one: Plane, other: Plane) -> list[str]:
    """In what two planes differ that are to share a grid."""
    same = {
        "matrix": one.shape == other.shape,
        "frame of reference": one.frame_of_reference_uid == other.frame_of_reference_uid,
        "pixel spacing": _close(
            one.pixel_spacing_mm, other.pixel_spacing_mm, _IN_PLANE_TOLERANCE_MM
        ),
        "orientation": _close(one.orientation, other.orientation, _ORIENTATION_TOLERANCE),
    }
    return [what for what, is_same in same.items() if not is_same]


def _close(one: Sequence[float], other: Sequence[float], tolerance: float) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def _image_type(frame: Frame) -> set[str]:
    value = frame.get("ImageType")
    values = value if isinstance(value, tuple) else (value,)
    return {str(item).upper() for item in values}


def _is_localizer(frame: Frame) -> bool:
    return bool(_image_type(frame) & _LOCALIZERS)


def _is_page(frame: Frame) -> bool:
    return bool(_image_type(frame) & _PAGES)


def _is_secondary_capture(frame: Frame) -> bool:
    sop_class = str(frame.instance.elements.get("SOPClassUID"))
    return sop_class == _SECONDARY_CAPTURE or sop_class.startswith(f"{_SECONDARY_CAPTURE}.")


def _class_name(instance: Instance) -> str:
    return UID(str(instance.elements.get("SOPClassUID") or "")).name


def _is_no_image(header: Header) -> bool:
    return not (header.has("Rows") and header.has("Columns"))


def _is_segmentation(header: Header) -> bool:
    return header.has("SegmentSequence")


def _is_colour(header: Header) -> bool:
    """Whether pixels have several samples, or stand for the colours of a palette."""
    palette = header.get("PhotometricInterpretation") == "PALETTE COLOR"
    return palette or header.get("SamplesPerPixel") not in (None, 1)


_NO_SLICES: tuple[tuple[Callable[[Header], bool], str], ...] = (
    (_is_no_image, "objects without an image"),
    (_is_segmentation, "segmentations (SEG)"),
    (_is_colour, "colour images"),
)
_STRAY_IMAGES: tuple[tuple[Callable[[Frame], bool], str], ...] = (
    (_is_localizer, "a localizer"),
    (_is_page, "a dose page or screen capture"),
    (_is_secondary_capture, "a secondary capture"),
)
