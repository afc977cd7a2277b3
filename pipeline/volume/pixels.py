"""Pixels of a frame, decoded and rescaled straight into their slice of the volume.

CT becomes Hounsfield Units in int16 with the reference's arithmetic; other modalities keep their
stored values, or become float32 where the header rescales them. A value that does not fit is an
error, never wrapped.

Source: seed 003, ``get_pixels_hu``; PS3.3 C.11.1 (Modality LUT), PS3.5 section 8 and A.4.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import UID, JPEGExtended12Bit

from pipeline.elements import DAMAGED_ELEMENT_ERRORS
from pipeline.errors import PixelDecodeError
from pipeline.kernels.compiled import threads
from pipeline.kernels.stored_values import add_in_place
from pipeline.volume.frame import Frame

Array = npt.NDArray[Any]

_LITTLE_ENDIAN_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})
_NATIVE_TYPES: dict[tuple[float | None, float | None], np.dtype[Any]] = {
    (8, 0): np.dtype("u1"),
    (8, 1): np.dtype("i1"),
    (16, 0): np.dtype("<u2"),
    (16, 1): np.dtype("<i2"),
    (32, 0): np.dtype("<u4"),
    (32, 1): np.dtype("<i4"),
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
_HOUNSFIELD_BITS = 16
_EXPLICIT_VR_BEFORE_VALUE = 8
_DECODER_ERRORS = (*DAMAGED_ELEMENT_ERRORS, MemoryError, OSError, RuntimeError)


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

        plain = all(is_plain(order.frame) for order in orders)
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


def is_plain(frame: Frame) -> bool:
    """Whether the pixels of a frame are stored as they are, in this machine's byte order."""
    return frame.instance.transfer_syntax_uid in _LITTLE_ENDIAN_NATIVE


def voxel_type(frames: Sequence[Frame]) -> np.dtype[Any]:
    """The type of the voxels of a volume made of frames.

    Raises
    ------
    PixelDecodeError
        A frame does not say what its stored values are.
    """
    if all(_is_ct(frame) for frame in frames):
        _check_slopes(frames)
        return np.dtype(np.int16)
    stored = np.result_type(*{_stored_type(frame) for frame in frames})
    if stored.kind == "f":
        return stored
    rescaled = any(
        _rescale(frame) != (1.0, 0.0) or frame.items_of("ModalityLUTSequence") for frame in frames
    )
    return np.dtype(np.float32) if rescaled else stored.newbyteorder("=")


def _check_slopes(frames: Sequence[Frame]) -> None:
    """Raise where a CT slice would hold one value throughout."""
    for frame in frames:
        if _rescale(frame)[0] == 0:
            raise PixelDecodeError(
                f"Instance {frame.name} has the Rescale Slope 0, which leaves no image. Check the "
                "series where it was made."
            )


def _is_ct(frame: Frame) -> bool:
    pixels = frame.instance.pixels
    floating = pixels is not None and pixels.keyword in _FLOAT_TYPES
    return frame.get("Modality") == "CT" and not floating


def _rescale(frame: Frame) -> tuple[float, float]:
    """Rescale Slope and Intercept; 1 and 0 where there are none."""
    slope, intercept = frame.number_of("RescaleSlope"), frame.number_of("RescaleIntercept")
    return (1.0 if slope is None else slope, 0.0 if intercept is None else intercept)


def _stored_type(frame: Frame) -> np.dtype[Any]:
    """The type of the stored values.

    Raises
    ------
    PixelDecodeError
        The header does not say, or says what no image has.
    """
    pixels = frame.instance.pixels
    if pixels is None:
        raise PixelDecodeError(
            f"Instance {frame.name} has no pixel data. Send the series again, or check it where "
            "it was made."
        )
    if pixels.keyword in _FLOAT_TYPES:
        return np.dtype(_FLOAT_TYPES[pixels.keyword])
    form = (frame.number_of("BitsAllocated"), frame.number_of("PixelRepresentation"))
    if form not in _NATIVE_TYPES:
        raise PixelDecodeError(
            f"Instance {frame.name} says Bits Allocated {form[0]} and Pixel Representation "
            f"{form[1]}: no grey image is stored so. Check the series where it was made."
        )
    _check_bits(frame)
    return _NATIVE_TYPES[form]


def _check_bits(frame: Frame) -> None:
    """Raise where the stored bits are not the lowest ones, as old archives have it."""
    allocated, stored, high = (
        frame.number_of(keyword) for keyword in ("BitsAllocated", "BitsStored", "HighBit")
    )
    if stored is None:
        return
    if allocated is None or stored > allocated or (high is not None and high != stored - 1):
        raise PixelDecodeError(
            f"Instance {frame.name} says Bits Allocated {allocated}, Bits Stored {stored} and "
            f"High Bit {high}: where its values lie is not clear. Check the series where it was "
            "made."
        )


def _reads_straight(frame: Frame, plane: Array) -> bool:
    """Whether the stored bytes, plus a whole number, are the voxels."""
    slope, intercept = _rescale(frame)
    stored = _stored_type(frame)
    return (
        is_plain(frame)
        and stored.itemsize == plane.dtype.itemsize
        and slope == 1.0
        and not frame.items_of("ModalityLUTSequence")
        and (plane.dtype == np.int16 if _is_ct(frame) else stored == plane.dtype)
        and (_is_ct(frame) or intercept == 0.0)
    )


def _read_straight(frame: Frame, plane: Array) -> None:
    """Read into the slice itself and add the intercept there."""
    stored = plane.view(_stored_type(frame))
    _read_native(frame, stored)
    _drop_unused_bits(frame, stored)
    if _is_ct(frame):
        intercept = int(_rescale(frame)[1])
        addend = np.array(intercept % 2**_HOUNSFIELD_BITS).astype(stored.dtype)[()]
        lowest, highest = add_in_place(stored.reshape(-1), addend)
        _check_fits(frame, int(lowest) + intercept, int(highest) + intercept, plane.dtype)


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
    bits_stored = int(frame.number_of("BitsStored") or stored.dtype.itemsize * _WHOLE_BITS)
    unused = stored.dtype.itemsize * _WHOLE_BITS - bits_stored
    if stored.dtype.kind in "iu" and unused > 0:
        np.left_shift(stored, unused, out=stored)
        np.right_shift(stored, unused, out=stored)


def _stored(frame: Frame) -> Array:
    """(row, column): the stored values of a frame."""
    shape = (int(frame.number_of("Rows") or 0), int(frame.number_of("Columns") or 0))
    if is_plain(frame):
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
            vr = _big_endian_vr(file, pixels.offset)
            if vr == "OW" and number * size % 2:
                raise NotImplementedError("a frame that begins within a word")
            alone.PixelData = _pixel_bytes(file, pixels.offset + number * size, size)
            alone["PixelData"].VR = vr
    little = bool(UID(frame.instance.transfer_syntax_uid).is_little_endian)
    alone.set_original_encoding(is_implicit_vr=False, is_little_endian=little)
    return alone


def _pixel_bytes(file: BinaryIO, start: int, size: int) -> bytes:
    """The bytes of a frame, filled up to whole words."""
    file.seek(start)
    content = file.read(size)
    if len(content) < size:
        raise EOFError
    return content + bytes(size % 2)


def _big_endian_vr(file: BinaryIO, offset: int) -> str:
    """OB or OW, from before a value: in words, pairs of 8-bit pixels are swapped."""
    file.seek(offset - _EXPLICIT_VR_BEFORE_VALUE)
    return file.read(2).decode("ascii")


def _offsets(frame: Frame) -> dict[str, Any]:
    """The Extended Offset Table of an instance, where it has one."""
    header = frame.instance.header
    if "ExtendedOffsetTable" not in header:
        return {}
    return {"extended_offsets": (header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths)}


def _rescaled(frame: Frame, stored: Array) -> Array:
    """The values that stored ones stand for, in a type that holds them exactly."""
    slope, intercept = _rescale(frame)
    if frame.items_of("ModalityLUTSequence"):
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
