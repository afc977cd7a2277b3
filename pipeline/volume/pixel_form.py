"""How the pixels of a frame are stored, and what values they stand for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import PixelDecodeError
from pipeline.volume.frame import Frame

_LITTLE_ENDIAN_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})
_NATIVE_TYPES: dict[tuple[float | None, float | None], np.dtype[Any]] = {
    (8, 0): np.dtype("u1"),
    (8, 1): np.dtype("i1"),
    (16, 0): np.dtype("<u2"),
    (16, 1): np.dtype("<i2"),
    (32, 0): np.dtype("<u4"),
    (32, 1): np.dtype("<i4"),
}
_FLOAT_TYPES: dict[str, np.dtype[Any]] = {
    "FloatPixelData": np.dtype("<f4"),
    "DoubleFloatPixelData": np.dtype("<f8"),
}


@dataclass(frozen=True, slots=True)
class PixelForm:
    """The form of stored values.

    Parameters
    ----------
    stored
        Their type.
    unused_bits
        How many bits at the top say nothing.
    is_ct
        Whether they stand for Hounsfield Units.
    slope, intercept
        Value = stored value x slope + intercept.
    has_table
        Whether a Modality LUT Sequence goes before slope and intercept.
    """

    stored: np.dtype[Any]
    unused_bits: int
    is_ct: bool
    slope: float
    intercept: float
    has_table: bool

    @property
    def is_rescaled(self) -> bool:
        """Whether values are others than the stored ones."""
        return self.has_table or (self.slope, self.intercept) != (1.0, 0.0)


def is_plain(frame: Frame) -> bool:
    """Whether the pixels of a frame are stored as they are, in this machine's byte order."""
    return frame.instance.transfer_syntax_uid in _LITTLE_ENDIAN_NATIVE


def form_of(frame: Frame) -> PixelForm:
    """The form of a frame's stored values.

    Raises
    ------
    PixelDecodeError
        The header does not say, or says what no grey image has.
    """
    stored, unused_bits = _stored_type(frame)
    slope, intercept = frame.number_of("RescaleSlope"), frame.number_of("RescaleIntercept")
    return PixelForm(
        stored=stored,
        unused_bits=unused_bits,
        is_ct=stored.kind != "f" and frame.get("Modality") == "CT",
        slope=1.0 if slope is None else slope,
        intercept=0.0 if intercept is None else intercept,
        has_table=bool(frame.items_of("ModalityLUTSequence")),
    )


def forms_of(frames: Sequence[Frame]) -> list[PixelForm]:
    """The form of each frame of a volume.

    Raises
    ------
    PixelDecodeError
        A frame does not say what its stored values are, or leaves no image.
    """
    forms = [form_of(frame) for frame in frames]
    for frame, form in zip(frames, forms, strict=True):
        if form.is_ct and form.slope == 0:
            raise PixelDecodeError(
                f"Instance {frame.name} has the Rescale Slope 0, which leaves no image. Check the "
                "series where it was made."
            )
    return forms


def voxel_type(forms: Sequence[PixelForm]) -> np.dtype[Any]:
    """The type of the voxels of a volume made of frames of these forms."""
    if all(form.is_ct for form in forms):
        return np.dtype(np.int16)
    stored = np.result_type(*{form.stored for form in forms})
    if stored.kind == "f":
        return stored
    rescaled = any(form.is_rescaled for form in forms)
    return np.dtype(np.float32) if rescaled else stored.newbyteorder("=")


def _stored_type(frame: Frame) -> tuple[np.dtype[Any], int]:
    """The type of the stored values, and how many bits at the top say nothing.

    Raises
    ------
    PixelDecodeError
        The header does not say, or says what no grey image has.
    """
    pixels = frame.instance.pixels
    if pixels is None:
        raise PixelDecodeError(
            f"Instance {frame.name} has no pixel data. Send the series again, or check it where "
            "it was made."
        )
    if pixels.keyword in _FLOAT_TYPES:
        return _FLOAT_TYPES[pixels.keyword], 0
    allocated, signed = frame.number_of("BitsAllocated"), frame.number_of("PixelRepresentation")
    stored = _NATIVE_TYPES.get((allocated, signed))
    if stored is None or allocated is None:
        raise PixelDecodeError(
            f"Instance {frame.name} says Bits Allocated {allocated} and Pixel Representation "
            f"{signed}: no grey image is stored so. Check the series where it was made."
        )
    return stored, _unused_bits(frame, allocated)


def _unused_bits(frame: Frame, allocated: float) -> int:
    """How many bits at the top say nothing.

    Raises
    ------
    PixelDecodeError
        The stored bits are not the lowest ones, as in old archives.
    """
    stored, high = frame.number_of("BitsStored"), frame.number_of("HighBit")
    if stored is None:
        return 0
    if stored > allocated or (high is not None and high != stored - 1):
        raise PixelDecodeError(
            f"Instance {frame.name} says Bits Allocated {allocated}, Bits Stored {stored} and "
            f"High Bit {high}: where its values lie is not clear. Check the series where it was "
            "made."
        )
    return int(allocated - stored)
