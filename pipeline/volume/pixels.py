"""Pixels of a frame, decoded and rescaled straight into their slice of the volume.

CT becomes Hounsfield Units in int16 with the reference's arithmetic; other modalities keep their
stored values, or become float32 where the header rescales them. A value that does not fit is an
error, never wrapped.

Source: seed 003, ``get_pixels_hu``; PS3.3 C.11.1 (Modality LUT), PS3.5 section 8 and A.4.
"""

import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import UID, JPEGExtended12Bit

from pipeline.errors import PixelDecodeError
from pipeline.kernels.compiled import threads
from pipeline.volume.frame import Frame

Array = npt.NDArray[Any]

_LITTLE_ENDIAN_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})
_NATIVE_TYPES = {
    (8, 0): "u1",
    (8, 1): "i1",
    (16, 0): "<u2",
    (16, 1): "<i2",
    (32, 0): "<u4",
    (32, 1): "<i4",
}
_FLOAT_TYPES = {"FloatPixelData": "<f4", "DoubleFloatPixelData": "<f8"}
_PIXEL_MODULE = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
_PLANES_AT_ONCE = 8
_WHOLE_BITS = 8
_DECODER_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, eq=False, slots=True)
class PlaneOrder:
    """A frame and the slice of the volume that it fills."""

    frame: Frame
    index: int


class PlaneDecoder(Protocol):
    """Who decodes the planes of a volume: this process, or others beside it."""

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array for a volume, which `decode` of the same decoder can fill."""

    def decode(
        self, orders: Sequence[PlaneOrder], target: Array, on_plane: Callable[[int], None]
    ) -> None:
        """Fill slices of the target; tell how many more are done as they are.

        Raises
        ------
        PixelDecodeError
            A plane does not decode, or its values do not fit.
        """


class LocalDecoder:
    """Decodes in this process: plain pixels on threads, compressed ones one after the other.

    The compressed syntaxes' decoders hold the interpreter lock, so threads gain nothing there.
    """

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array in this process's memory."""
        return np.empty(shape, dtype)

    def decode(
        self, orders: Sequence[PlaneOrder], target: Array, on_plane: Callable[[int], None]
    ) -> None:
        """Fill slices of the target.

        Raises
        ------
        PixelDecodeError
            A plane does not decode, or its values do not fit.
        """

        def some(start: int) -> int:
            batch = orders[start : start + _PLANES_AT_ONCE]
            for order in batch:
                decode_plane(order, target)
            return len(batch)

        plain = all(
            order.frame.instance.transfer_syntax_uid in _LITTLE_ENDIAN_NATIVE for order in orders
        )
        with ThreadPoolExecutor(threads() if plain else 1) as pool:
            for done in pool.map(some, range(0, len(orders), _PLANES_AT_ONCE)):
                on_plane(done)


def decode_plane(order: PlaneOrder, target: Array) -> None:
    """Decode and rescale a frame into its slice of a volume.

    Parameters
    ----------
    target
        (slice, row, column), of the type that `voxel_type` gives for the frames of the volume.

    Raises
    ------
    PixelDecodeError
        The pixel data is missing, cut short, in a syntax or state that no decoder takes, or its
        values do not fit.
    """
    frame, plane = order.frame, target[order.index]
    try:
        if _reads_straight(frame, plane):
            _read_straight(frame, plane)
        else:
            _store(frame, _rescaled(frame, _stored(frame)), plane)
    except PixelDecodeError:
        raise
    except _DECODER_ERRORS as error:
        syntax = UID(frame.instance.transfer_syntax_uid).name
        raise PixelDecodeError(
            f"The pixel data of instance {frame.name} ({syntax}) is missing, cut short or damaged "
            f"({type(error).__name__}). Send the series again, or check it where it was made."
        ) from error


def voxel_type(frames: Sequence[Frame]) -> np.dtype[Any]:
    """The type of the voxels of a volume made of frames.

    Raises
    ------
    PixelDecodeError
        A frame does not say what its stored values are.
    """
    if all(_is_ct(frame) for frame in frames):
        return np.dtype(np.int16)
    stored = np.result_type(*{_stored_type(frame) for frame in frames})
    if stored.kind == "f":
        return stored
    rescaled = any(_rescale(frame) != (1.0, 0.0) or _has_table(frame) for frame in frames)
    return np.dtype(np.float32) if rescaled else stored.newbyteorder("=")


def _is_ct(frame: Frame) -> bool:
    pixels = frame.instance.pixels
    floating = pixels is not None and pixels.keyword in _FLOAT_TYPES
    return frame.header.get("Modality") == "CT" and not floating


def _has_table(frame: Frame) -> bool:
    return bool(frame.header.get("ModalityLUTSequence"))


def _rescale(frame: Frame) -> tuple[float, float]:
    """Rescale Slope and Intercept; 1 and 0 where there are none."""
    slope, intercept = (
        frame.header.get(keyword) for keyword in ("RescaleSlope", "RescaleIntercept")
    )
    return (
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
    )


def _stored_type(frame: Frame) -> np.dtype[Any]:
    """The type of the stored values.

    Raises
    ------
    PixelDecodeError
        The header does not say, or says what no image has.
    """
    header, pixels = frame.header, frame.instance.pixels
    if pixels is None:
        raise PixelDecodeError(
            f"Instance {frame.name} has no pixel data. Send the series again, or check it where "
            "it was made."
        )
    if pixels.keyword in _FLOAT_TYPES:
        return np.dtype(_FLOAT_TYPES[pixels.keyword])
    bits, signed = header.get("BitsAllocated"), header.get("PixelRepresentation")
    try:
        return np.dtype(_NATIVE_TYPES[int(bits), int(signed)])
    except (KeyError, TypeError, ValueError):
        raise PixelDecodeError(
            f"Instance {frame.name} says Bits Allocated {bits!r} and Pixel Representation "
            f"{signed!r}: no grey image is stored so. Check the series where it was made."
        ) from None


def _reads_straight(frame: Frame, plane: Array) -> bool:
    """Whether the stored bytes, plus a whole number, are the voxels."""
    slope, intercept = _rescale(frame)
    stored = _stored_type(frame)
    return (
        frame.instance.transfer_syntax_uid in _LITTLE_ENDIAN_NATIVE
        and stored.itemsize == plane.dtype.itemsize
        and slope == 1.0
        and not _has_table(frame)
        and (plane.dtype == np.int16 if _is_ct(frame) else stored == plane.dtype)
        and (_is_ct(frame) or intercept == 0.0)
    )


def _read_straight(frame: Frame, plane: Array) -> None:
    """Read into the slice itself and add the intercept there."""
    stored = plane.view(_stored_type(frame))
    _read_native(frame, stored)
    _drop_unused_bits(frame, stored)
    if not _is_ct(frame):
        return
    intercept = int(_rescale(frame)[1])
    _check_fits(frame, int(stored.min()) + intercept, int(stored.max()) + intercept, plane.dtype)
    # In 16 bits the sum may pass the limit of the stored type; as it fits the slice's, it is right.
    np.add(stored, np.array(intercept % 2**16).astype(stored.dtype), out=stored, casting="unsafe")


def _read_native(frame: Frame, stored: Array) -> None:
    pixels = frame.instance.pixels
    assert pixels is not None  # noqa: S101 - _stored_type looked
    with frame.instance.path.open("rb", buffering=0) as file:
        file.seek(pixels.offset + ((frame.number or 1) - 1) * stored.nbytes)
        # One read gives all but where a signal or a network folder cuts it short.
        view = memoryview(stored.data).cast("B")
        done = 0
        while done < stored.nbytes:
            count = file.readinto(view[done:])
            if not count:
                raise EOFError
            done += count


def _drop_unused_bits(frame: Frame, stored: Array) -> None:
    """Shift out what is above Bits Stored; the sign comes from the highest stored bit."""
    bits_stored = int(frame.header.get("BitsStored") or stored.dtype.itemsize * _WHOLE_BITS)
    unused = stored.dtype.itemsize * _WHOLE_BITS - bits_stored
    if stored.dtype.kind in "iu" and unused > 0:
        np.left_shift(stored, unused, out=stored)
        np.right_shift(stored, unused, out=stored)


def _stored(frame: Frame) -> Array:
    """(row, column): the stored values of a frame."""
    shape = (int(frame.header.Rows), int(frame.header.Columns))
    if frame.instance.transfer_syntax_uid in _LITTLE_ENDIAN_NATIVE:
        stored: Array = np.empty(shape, _stored_type(frame))
        _read_native(frame, stored)
        _drop_unused_bits(frame, stored)
        return stored
    decoded = _decoded(frame)
    if decoded.shape != shape:
        raise PixelDecodeError(
            f"Instance {frame.name} decodes to {decoded.shape}, its header says {shape}. Check the "
            "series where it was made."
        )
    return decoded


def _decoded(frame: Frame) -> Array:
    """The stored values by the decoder of the transfer syntax."""
    syntax = UID(frame.instance.transfer_syntax_uid)
    alone = _alone(frame)
    if syntax == JPEGExtended12Bit and int(alone.BitsStored) > _WHOLE_BITS:
        from pipeline.volume.jpeg12 import decode_jpeg12  # noqa: PLC0415 - a rare need, a large library

        return decode_jpeg12(alone)
    decoded, _ = get_decoder(syntax).as_array(alone, raw=True)
    return np.asarray(decoded)


def _alone(frame: Frame) -> Dataset:
    """The frame as a data set of its own, of no more than its pixels need."""
    pixels = frame.instance.pixels
    assert pixels is not None  # noqa: S101 - _stored_type looked
    alone = Dataset()
    for keyword in _PIXEL_MODULE:
        alone.add(frame.header[keyword])
    alone.file_meta = FileMetaDataset()
    alone.file_meta.TransferSyntaxUID = UID(frame.instance.transfer_syntax_uid)
    number = (frame.number or 1) - 1
    with frame.instance.path.open("rb") as file:
        file.seek(pixels.offset)
        if pixels.length is None:
            frames = int(frame.instance.header.get("NumberOfFrames") or 1)
            alone.PixelData = encapsulate(
                [get_frame(file, number, number_of_frames=frames, **_offsets(frame))]
            )
            alone["PixelData"].VR = "OB"
        else:
            size = int(alone.Rows) * int(alone.Columns) * int(alone.BitsAllocated) // _WHOLE_BITS
            file.seek(number * size, 1)
            alone.PixelData = file.read(size + size % 2)
            alone["PixelData"].VR = "OW"
    little = bool(UID(frame.instance.transfer_syntax_uid).is_little_endian)
    alone.set_original_encoding(is_implicit_vr=False, is_little_endian=little)
    return alone


def _offsets(frame: Frame) -> dict[str, Any]:
    """The Extended Offset Table of an instance, where it has one."""
    header = frame.instance.header
    if "ExtendedOffsetTable" not in header:
        return {}
    return {"extended_offsets": (header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths)}


def _rescaled(frame: Frame, stored: Array) -> Array:
    """The values that stored ones stand for, in a type that holds them exactly."""
    slope, intercept = _rescale(frame)
    if _has_table(frame):
        return np.asarray(apply_modality_lut(stored, frame.header))
    if not _is_ct(frame):
        if (slope, intercept) == (1.0, 0.0):
            return stored
        return np.asarray(stored * slope + intercept)
    scaled = stored.astype(np.int64) if slope == 1.0 else np.trunc(slope * stored.astype(float))
    return np.asarray(scaled + int(intercept))


def _store(frame: Frame, values: Array, plane: Array) -> None:
    if plane.dtype.kind in "iu":
        _check_fits(frame, values.min(), values.max(), plane.dtype)
    plane[...] = values


def _check_fits(frame: Frame, lowest: float, highest: float, dtype: np.dtype[Any]) -> None:
    """Raise where values would wrap."""
    limits = np.iinfo(dtype)
    if lowest < limits.min or highest > limits.max:
        unit = "Hounsfield Units" if _is_ct(frame) else "as values"
        raise PixelDecodeError(
            f"Instance {frame.name} holds {lowest:.0f} to {highest:.0f} {unit}, more than "
            f"{limits.bits} bits take: its rescale or pixel data is wrong. Check the series where "
            "it was made."
        )
