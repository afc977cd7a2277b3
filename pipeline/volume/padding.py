"""Padding: values of pixels that show nothing of the patient.

Source: PS3.3 C.7.5.1.1.2 (Pixel Padding Value and Pixel Padding Range Limit), C.11.1 (Modality
LUT).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.volume.frame import Frame
from pipeline.volume.volume import Volume

BoolArray = npt.NDArray[np.bool_]
_Range = tuple[float, float]

_WORD = 2**16
_SIGN = 2**15


def lowest_padding(volume: Volume) -> float | None:
    """The one value of all padding, where no voxel is lower; then no maximum meets it.

    Returns
    -------
    None also where no slice says what padding is.
    """
    ranges = set(_ranges(volume))
    found = ranges.pop() if len(ranges) == 1 else None
    if found is None or found[0] != found[1] or volume.voxels.min() < found[0]:
        return None
    return found[0]


def padding_of_voxels(volume: Volume) -> BoolArray | None:
    """Which voxels are padding, each by what its own slice says.

    Returns
    -------
    (slice, row, column); None where none is, or where all are: then they are all there is to show.
    """
    ranges = _ranges(volume)
    if not any(ranges):
        return None
    padded = np.zeros(volume.voxels.shape, np.bool_)
    for plane, found, marks in zip(volume.voxels, ranges, padded, strict=True):
        if found is not None:
            np.logical_and(plane >= found[0], plane <= found[1], out=marks)
    return padded if padded.any() and not padded.all() else None


def without_padding(volume: Volume) -> npt.NDArray[Any]:
    """The voxels as a projection of maxima through all of the volume may take them.

    Returns
    -------
    (slice, row, column): the volume's own voxels where padding is the lowest of them or none is
    there, else a copy with the lowest value of the patient in its place.
    """
    if lowest_padding(volume) is not None or (padded := padding_of_voxels(volume)) is None:
        return volume.voxels
    lowest = volume.voxels.min(where=~padded, initial=volume.voxels.max())
    return np.where(padded, lowest, volume.voxels)


def _ranges(volume: Volume) -> list[_Range | None]:
    """Of each slice the lowest and the highest value of its padding; None where it says none."""
    dtype, is_ct = volume.voxels.dtype, volume.modality == "CT"
    return [_range(frame, dtype, is_ct=is_ct) for frame in volume.sources]


def _range(frame: Frame, dtype: np.dtype[Any], *, is_ct: bool) -> _Range | None:
    """As voxels, made of stored values with the arithmetic that made the volume's."""
    if not frame.has("PixelPaddingValue") or frame.has("ModalityLUTSequence"):
        return None
    slope, intercept = frame.number_of("RescaleSlope"), frame.number_of("RescaleIntercept")
    values = []
    for stored in _stored(frame):
        value = stored * (1.0 if slope is None else slope)
        value = int(value) + int(intercept or 0) if is_ct else value + (intercept or 0.0)
        values.append(float(dtype.type(value)) if dtype.kind == "f" else value)
    return (min(values), max(values)) if values else None


def _stored(frame: Frame) -> list[float]:
    """Pixel Padding Value and, where there is one, Pixel Padding Range Limit."""
    signed = frame.number_of("PixelRepresentation") == 1
    values: list[float] = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        stored = frame.number_of(keyword) if frame.has(keyword) else None
        if stored is None:
            break
        # written as unsigned, as many do
        values.append(stored - _WORD if signed and stored >= _SIGN else stored)
    return values
