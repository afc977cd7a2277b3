"""What the headers of slices say of their stored values, in words for the receipt."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.volume.frame import Frame


def rescale_text(frames: Sequence[Frame], dtype: np.dtype[Any]) -> str:
    """How stored values of frames become voxels of a type."""
    if any(frame.items_of("ModalityLUTSequence") for frame in frames):
        return f"by Modality LUT, {dtype}"
    slopes = sorted({_number(frame, "RescaleSlope", 1.0) for frame in frames})
    intercepts = sorted({_number(frame, "RescaleIntercept", 0.0) for frame in frames})
    unit = "HU" if frames[0].get("Modality") == "CT" else frames[0].text_of("Units")
    return f"slope {_range(slopes)}, intercept {_range(intercepts)}, {dtype} {unit}".strip()


def padding_of(frames: Sequence[Frame]) -> tuple[int, ...]:
    """Pixel Padding Value (0028,0120) and Range Limit (0028,0121) of frames, all there are."""
    values = {
        int(value)
        for frame in frames
        for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
        if frame.has(keyword) and (value := frame.number_of(keyword)) is not None
    }
    return tuple(sorted(values))


def pixel_warnings(frames: Sequence[Frame]) -> tuple[str, ...]:
    """What a reader of a volume made of frames should know of its values."""
    warnings = _warnings_of_ct(frames) if frames[0].get("Modality") == "CT" else []
    if any(frame.get("PhotometricInterpretation") == "MONOCHROME1" for frame in frames):
        warnings.append("MONOCHROME1: a viewer shows low values bright; voxels are not inverted.")
    if any(frame.get("LossyImageCompression") == "01" for frame in frames):
        warnings.append("Pixels went through lossy compression.")
    return tuple(warnings)


def _warnings_of_ct(frames: Sequence[Frame]) -> list[str]:
    warnings = []
    if any(
        frame.get("RescaleIntercept") is None and not frame.items_of("ModalityLUTSequence")
        for frame in frames
    ):
        warnings.append("Rescale Intercept is missing: stored values were taken for HU.")
    kinds = {frame.text_of("RescaleType") or "HU" for frame in frames}
    if kinds != {"HU"}:
        warnings.append(f"Rescale Type is {', '.join(sorted(kinds))}: values may be no HU.")
    if any(_number(frame, "RescaleSlope", 1.0) != 1.0 for frame in frames):
        warnings.append("Rescale Slope is not 1: values were rounded toward zero to whole HU.")
    if any(not _number(frame, "RescaleIntercept", 0.0).is_integer() for frame in frames):
        warnings.append("Rescale Intercept is no whole number: its fraction was dropped.")
    return warnings


def _number(frame: Frame, keyword: str, otherwise: float) -> float:
    value = frame.number_of(keyword)
    return otherwise if value is None else value


def _range(values: Sequence[float]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g} by slice"
