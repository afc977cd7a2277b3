"""The stored pixel values of a frame, read or decoded from its file.

Source: PS3.5 section 8 (pixel data), A.4 (encapsulated transfer syntaxes).
"""

import os
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, JPEGExtended12Bit

from pipeline.volume.frame import Frame

Array = npt.NDArray[Any]

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
_WHOLE_BITS = 8
_EXPLICIT_VR_BEFORE_VALUE = 8


def read_native(frame: Frame, stored: Array) -> None:
    """Fill an array, which has the size and type of the frame, from its file.

    Raises
    ------
    EOFError
        The file ends too early.
    OSError
        It cannot be read.
    """
    pixels = frame.instance.pixels
    assert pixels is not None  # noqa: S101 - its form is known
    start = pixels.offset + ((frame.number or 1) - 1) * stored.nbytes
    view = memoryview(stored.data).cast("B")
    descriptor = os.open(frame.instance.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # One read gives all but where a signal or a network folder cuts it short.
        done = 0
        while done < stored.nbytes:
            count = os.preadv(descriptor, [view[done:]], start + done)
            if not count:
                raise EOFError
            done += count
    finally:
        os.close(descriptor)


def decode(frame: Frame) -> Array:
    """(row, column): the stored values by the decoder of the transfer syntax.

    Raises
    ------
    Exception
        Whatever that decoder raises.
    """
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
    assert pixels is not None  # noqa: S101 - its form is known
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
