"""Padding: values of pixels that show nothing of the patient.

Source: PS3.3 C.7.5.1.1.2 (Pixel Padding Value and Pixel Padding Range Limit).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.volume.frame import Frame
from pipeline.volume.volume import Volume

_WORD = 2**16
_SIGN = 2**15


def with_padding_lowest(volume: Volume) -> npt.NDArray[Any]:
    """The voxels as a projection of maxima may take them.

    Padding is mostly lower than all else and no maximum meets it. Where it is the highest value of
    the volume, it is taken for the lowest of the others.

    Returns
    -------
    (slice, row, column): the volume's own voxels, or a copy where padding was the highest.
    """
    voxels = volume.voxels
    ranges = {_range(frame) for frame in volume.sources}
    padding = ranges.pop() if len(ranges) == 1 else None
    if padding is None or not padding[0] <= voxels.max() <= padding[1]:
        return voxels
    shown = voxels < padding[0]
    if not shown.any():
        return voxels
    lowest = voxels.min(where=shown, initial=voxels.max())
    return np.where(shown, voxels, lowest)


def _range(frame: Frame) -> tuple[float, float] | None:
    """The lowest and the highest value of voxels that are padding; None where none are."""
    slope, intercept = frame.number_of("RescaleSlope"), frame.number_of("RescaleIntercept")
    signed = frame.number_of("PixelRepresentation") == 1
    values = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        stored = frame.number_of(keyword) if frame.has(keyword) else None
        if stored is None:
            break
        if signed and stored >= _SIGN:
            stored -= _WORD  # written as unsigned, as many do
        values.append(stored * (1.0 if slope is None else slope) + (intercept or 0.0))
    return (min(values), max(values)) if values else None
