"""What the headers of slices say of their stored values, in words for the receipt."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from pipeline.volume.frame import Frame


def rescale_text(frames: Sequence[Frame], dtype: np.dtype[Any]) -> str:
    """How stored values of frames become voxels of a type."""
    headers = [frame.header for frame in frames]
    if any(header.get("ModalityLUTSequence") for header in headers):
        return f"by Modality LUT, {dtype}"
    slopes = sorted({_number(header, "RescaleSlope", 1.0) for header in headers})
    intercepts = sorted({_number(header, "RescaleIntercept", 0.0) for header in headers})
    unit = "HU" if headers[0].get("Modality") == "CT" else str(headers[0].get("Units") or "")
    return f"slope {_range(slopes)}, intercept {_range(intercepts)}, {dtype} {unit}".strip()


def padding_of(frames: Sequence[Frame]) -> tuple[int, ...]:
    """Pixel Padding Value (0028,0120) and Range Limit (0028,0121) of frames, all there are."""
    values = {
        int(value)
        for frame in frames
        for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
        if isinstance(value := frame.header.get(keyword), int)
    }
    return tuple(sorted(values))


def pixel_warnings(frames: Sequence[Frame]) -> tuple[str, ...]:
    """What a reader of a volume made of frames should know of its values."""
    header = frames[0].header
    warnings = []
    if header.get("Modality") == "CT":
        warnings += _warnings_of_ct([frame.header for frame in frames])
    if any(frame.header.get("PhotometricInterpretation") == "MONOCHROME1" for frame in frames):
        warnings.append("MONOCHROME1: a viewer shows low values bright; voxels are not inverted.")
    if any(frame.header.get("LossyImageCompression") == "01" for frame in frames):
        warnings.append("Pixels went through lossy compression.")
    return tuple(warnings)


def _warnings_of_ct(headers: Sequence[Dataset]) -> list[str]:
    warnings = []
    kinds = {str(header.get("RescaleType") or "HU") for header in headers}
    if kinds != {"HU"}:
        warnings.append(f"Rescale Type is {', '.join(sorted(kinds))}: values may be no HU.")
    if any(_number(header, "RescaleSlope", 1.0) != 1.0 for header in headers):
        warnings.append("Rescale Slope is not 1: values were rounded toward zero to whole HU.")
    if any(not _number(header, "RescaleIntercept", 0.0).is_integer() for header in headers):
        warnings.append("Rescale Intercept is no whole number: its fraction was dropped.")
    return warnings


def _number(header: Dataset, keyword: str, otherwise: float) -> float:
    value = header.get(keyword)
    return otherwise if value is None else float(value)


def _range(values: Sequence[float]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g} by slice"
