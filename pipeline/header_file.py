"""Finds the data elements of a Part 10 file up to its pixel data, without decoding any.

Big-endian files and any oddity are left to pydicom's own reader.

Source: PS3.10 section 7 (file format), PS3.5 section 7 (data elements and sequences).
"""

import os
import struct
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from pipeline.elements import Header, PixelLocation, Place
from pipeline.kernels.element_scan import (
    CUT_SHORT,
    END,
    LONG_VRS,
    PIXELS,
    SEQUENCE,
    SHORT_VRS,
    UNUSUAL,
    scan_elements,
    vr_code,
)

_PREAMBLE_AND_PREFIX = 132
_GROUP_LENGTH_ELEMENT = 12
_FIRST_READ = 1 << 14
_READ_GROWTH = 4
_ROWS_OF_TABLE = 256
_UNDEFINED_LENGTH = 0xFFFFFFFF
_DEEPEST_NESTING = 32
_TRANSFER_SYNTAX = b"\x02\x00\x10\x00"
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_KEYWORDS = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}
_LONG_CODES = frozenset(LONG_VRS.tolist())
_NAMES = {
    code: bytes(divmod(code, 256)).decode() for code in (*SHORT_VRS.tolist(), *LONG_VRS.tolist())
}
_TAG_AND_LENGTH = struct.Struct("<HHL")
_LONG_LENGTH = struct.Struct("<L")


class _OutOfBytesError(Exception):
    """What was read of the file ends within an element."""


class _UnusualError(Exception):
    """The file is not written in the usual way: pydicom's reader knows what to do."""


def read_header(path: Path) -> Header:
    """Find the elements of a file.

    Raises
    ------
    OSError
        The file cannot be read.
    InvalidDicomError
        It is no Part 10 file, or deflated: inflating it could fill the memory.
    EOFError, ValueError
        The header ends too early or is damaged.
    """
    # Plain system calls: a file object costs more than the header that is read with it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _read(path, descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, descriptor: int) -> Header:
    size = os.fstat(descriptor).st_size
    wanted = _FIRST_READ
    while True:
        content = os.pread(descriptor, wanted, 0)
        try:
            return _scan(content, size)
        except _UnusualError:
            return _read_by_pydicom(path, size)
        except _OutOfBytesError:
            if len(content) >= size:
                raise EOFError("the header ends within an element") from None
            wanted *= _READ_GROWTH


def data_set_offset(part10: bytes) -> int:
    """Where the data set begins, by File Meta Information Group Length (0002,0000)."""
    start = _PREAMBLE_AND_PREFIX
    element = part10[start : start + _GROUP_LENGTH_ELEMENT]
    if element[:8] != b"\x02\x00\x00\x00UL\x04\x00":
        return 0
    return start + _GROUP_LENGTH_ELEMENT + int.from_bytes(element[8:], "little")


def _scan(content: bytes, size: int) -> Header:
    """The header from the first bytes of a file."""
    start = data_set_offset(content)
    if not start or content[_PREAMBLE_AND_PREFIX - 4 : _PREAMBLE_AND_PREFIX] != b"DICM":
        raise _UnusualError
    text = _transfer_syntax(content, start)
    if not text:
        raise _UnusualError
    _refuse_deflated(text)
    if text == ExplicitVRBigEndian:
        raise _UnusualError
    implicit = text == ImplicitVRLittleEndian
    name = content[start + 4 : start + 6]
    if implicit and len(name) == len("VR") and vr_code(name) in _NAMES:
        raise _UnusualError
    places, pixels = _places(content, start, size, implicit=implicit)
    return Header(text, pixels, size, content=content, places=places)


def _transfer_syntax(content: bytes, end: int) -> str:
    """Transfer Syntax UID (0002,0010) of file meta information that ends there; else empty."""
    position = _PREAMBLE_AND_PREFIX
    while position < end:
        _, length, start = _element_header(content, position, implicit=False)
        if content[position : position + len(_TRANSFER_SYNTAX)] == _TRANSFER_SYNTAX:
            return content[start : start + length].decode("ascii").rstrip("\0 ")
        position = start + length
    return ""


def _refuse_deflated(syntax_uid: str) -> None:
    if syntax_uid == DeflatedExplicitVRLittleEndian:
        raise InvalidDicomError("deflated data sets are not read")


def _places(
    content: bytes, position: int, end: int, *, implicit: bool
) -> tuple[dict[int, Place], PixelLocation | None]:
    """Where elements are, from a position up to the pixel data or the end of the file."""
    found: dict[int, Place] = {}
    data = np.frombuffer(content, np.uint8)
    table = np.empty((_ROWS_OF_TABLE, 4), np.int64)
    while True:
        count, position, why = scan_elements(data, position, end, int(implicit), table)
        for tag, vr, offset, length in table[:count].tolist():
            found[tag] = (_NAMES.get(vr), offset, length, implicit)
        if why == END:
            return found, None
        if why == PIXELS:
            tag, _, offset, length = table[count].tolist()
            known = None if length == _UNDEFINED_LENGTH else length
            return found, PixelLocation(_PIXEL_KEYWORDS[tag], offset, known)
        if why == CUT_SHORT:
            raise _OutOfBytesError
        if why == UNUSUAL:
            raise _UnusualError
        if why == SEQUENCE:
            tag, vr, offset, _ = table[count].tolist()
            nested_implicit = implicit or _NAMES.get(vr) == "UN"
            position = _after_sequence(content, offset, implicit=nested_implicit, depth=1)
            length = position - offset - _TAG_AND_LENGTH.size
            found[tag] = ("SQ", offset, length, nested_implicit)


def _element_header(
    content: bytes, position: int, *, implicit: bool
) -> tuple[str | None, int, int]:
    """Representation, length and place of the value of an element within a sequence."""
    start = position + _TAG_AND_LENGTH.size
    if start > len(content):
        raise _OutOfBytesError
    if implicit:
        return None, _TAG_AND_LENGTH.unpack_from(content, position)[2], start
    representation = _NAMES.get(vr_code(content[position + 4 : position + 6]))
    if representation is None:
        raise _UnusualError
    if vr_code(representation.encode()) in _LONG_CODES:
        if position + _GROUP_LENGTH_ELEMENT > len(content):
            raise _OutOfBytesError
        (length,) = _LONG_LENGTH.unpack_from(content, position + 8)
        return representation, length, position + _GROUP_LENGTH_ELEMENT
    return representation, int.from_bytes(content[position + 6 : start], "little"), start


def _after_sequence(content: bytes, position: int, *, implicit: bool, depth: int) -> int:
    """Where a sequence of undefined length ends, its delimiter included."""
    if depth > _DEEPEST_NESTING:
        raise ValueError("sequences are nested too deep")
    while True:
        tag, length = _item_header(content, position)
        position += _TAG_AND_LENGTH.size
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise _UnusualError
        if length == _UNDEFINED_LENGTH:
            position = _after_item(content, position, implicit=implicit, depth=depth)
        else:
            position += length


def _after_item(content: bytes, position: int, *, implicit: bool, depth: int) -> int:
    """Where an item of undefined length ends, its delimiter included."""
    while True:
        if _item_header(content, position)[0] == _ITEM_END:
            return position + _TAG_AND_LENGTH.size
        vr, length, start = _element_header(content, position, implicit=implicit)
        if length == _UNDEFINED_LENGTH:
            nested_implicit = implicit or vr == "UN"
            position = _after_sequence(content, start, implicit=nested_implicit, depth=depth + 1)
        else:
            position = start + length


def _item_header(content: bytes, position: int) -> tuple[int, int]:
    if position + _TAG_AND_LENGTH.size > len(content):
        raise _OutOfBytesError
    group, element, length = _TAG_AND_LENGTH.unpack_from(content, position)
    return group << 16 | element, length


def _read_by_pydicom(path: Path, size: int) -> Header:
    _refuse_deflated(str(read_file_meta_info(path).get("TransferSyntaxUID", "")))
    with path.open("rb") as file:
        elements = pydicom.dcmread(file, stop_before_pixels=True)
        position = file.tell()
        head = file.read(_GROUP_LENGTH_ELEMENT)
    syntax_uid = str(elements.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
    order = "<" if elements.original_encoding[1] else ">"
    return Header(syntax_uid, _location(head, position, order), size, data_set=elements)


def _location(head: bytes, position: int, order: str) -> PixelLocation | None:
    """Where the value of the element that begins with these bytes is, if it is pixel data.

    Some files switch between explicit and implicit encoding, so the bytes tell and not the syntax.
    """
    if len(head) < _TAG_AND_LENGTH.size:
        return None
    group, element = struct.unpack_from(f"{order}HH", head)
    keyword = _PIXEL_KEYWORDS.get(group << 16 | element)
    if keyword is None:
        return None
    before = 8 if vr_code(head[4:6]) in _LONG_CODES else 4
    (length,) = struct.unpack_from(f"{order}L", head, before)
    known = None if length == _UNDEFINED_LENGTH else int(length)
    return PixelLocation(keyword, position + before + _LONG_LENGTH.size, known)
