"""The data elements of a Part 10 file up to its pixel data: found quickly, decoded on demand.

A series has hundreds of headers and the rebuild reads a few values of each, so only the places of
elements are found here; pydicom decodes a value when it is asked for. Big-endian files and any
oddity are left to pydicom's own reader.

Source: PS3.10 section 7 (file format), PS3.5 section 7 (data elements and sequences).
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.charset import convert_encodings
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

_PREAMBLE_AND_PREFIX = 132
_GROUP_LENGTH_ELEMENT = 12
_FIRST_READ = 1 << 14
_READ_GROWTH = 4
_UNDEFINED_LENGTH = 0xFFFFFFFF
_DEEPEST_NESTING = 32
_CHARACTER_SET = BaseTag(0x00080005)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_KEYWORDS = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_TEXT_VRS = [
    "AE",
    "AS",
    "CS",
    "DA",
    "DT",
    "LO",
    "LT",
    "PN",
    "SH",
    "ST",
    "TM",
    "UC",
    "UI",
    "UR",
    "UT",
]
_NAMES = {name: name.decode() for name in _SHORT_VRS | _LONG_VRS}
# What pydicom takes for the value of an element without bytes; None for every other VR.
_EMPTY: dict[str | None, bytes] = dict.fromkeys(_TEXT_VRS, b"")
_TAG_AND_LENGTH = struct.Struct("<HHL")
_SHORT_LENGTH = struct.Struct("<H")
_LONG_LENGTH = struct.Struct("<L")


class _OutOfBytesError(Exception):
    """What was read of the file ends within an element."""


class _UnusualError(Exception):
    """The file is not written in the usual way: pydicom's reader knows what to do."""


@dataclass(frozen=True, slots=True)
class PixelLocation:
    """Where the pixel data of a file is.

    Parameters
    ----------
    keyword
        PixelData, FloatPixelData or DoubleFloatPixelData.
    offset
        First byte of its value.
    length
        Bytes of its value as declared; None where it is encapsulated (compressed).
    """

    keyword: str
    offset: int
    length: int | None


@dataclass(frozen=True, eq=False, slots=True)
class Header:
    """A data set up to its pixel data.

    Parameters
    ----------
    elements
        The data set, its values not yet decoded.
    transfer_syntax_uid
        Of the whole file.
    pixels
        Where the pixel data is; None where there is none.
    file_size
        In bytes.
    """

    elements: Dataset
    transfer_syntax_uid: str
    pixels: PixelLocation | None
    file_size: int


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
    size = path.stat().st_size
    wanted = _FIRST_READ
    while True:
        with path.open("rb") as file:
            content = file.read(wanted)
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
    meta, _ = _elements(content[:start], _PREAMBLE_AND_PREFIX, implicit=False)
    syntax = meta.get(BaseTag(0x00020010))
    if syntax is None or not syntax.value:
        raise _UnusualError
    syntax_uid = UID(syntax.value.decode("ascii").rstrip("\0 "))
    _refuse_deflated(syntax_uid)
    if syntax_uid == ExplicitVRBigEndian:
        raise _UnusualError
    implicit = syntax_uid == ImplicitVRLittleEndian
    elements, pixels = _elements(content, start, implicit=implicit, file_size=size)
    data_set = Dataset(dict(elements))
    data_set.set_original_encoding(implicit, True, _encodings(elements))  # noqa: FBT003 - pydicom's
    return Header(data_set, str(syntax_uid), pixels, size)


def _refuse_deflated(syntax_uid: UID) -> None:
    if syntax_uid == DeflatedExplicitVRLittleEndian:
        raise InvalidDicomError("deflated data sets are not read")


def _encodings(elements: dict[BaseTag, RawDataElement]) -> list[str]:
    """Python's names for the character sets that the data set declares."""
    declared = elements.get(_CHARACTER_SET)
    return convert_encodings(convert_raw_data_element(declared).value if declared else None)


def _elements(
    content: bytes, position: int, *, implicit: bool, file_size: int | None = None
) -> tuple[dict[BaseTag, RawDataElement], PixelLocation | None]:
    """Elements from a position up to the pixel data or the end of the file."""
    found: dict[BaseTag, RawDataElement] = {}
    end = len(content) if file_size is None else file_size
    while position < end:
        tag, vr, length, start = _element_header(content, position, implicit=implicit)
        if tag in _PIXEL_KEYWORDS:
            known = None if length == _UNDEFINED_LENGTH else length
            return found, PixelLocation(_PIXEL_KEYWORDS[tag], start, known)
        if length == _UNDEFINED_LENGTH:
            nested_implicit = implicit or vr == "UN"
            position = _after_sequence(content, start, implicit=nested_implicit, depth=1)
            length, vr = position - start - _TAG_AND_LENGTH.size, "SQ"
        else:
            nested_implicit, position = implicit, start + length
        if position > len(content):
            raise _OutOfBytesError
        value = content[start : start + length] or _EMPTY.get(vr)
        key = BaseTag(tag)
        found[key] = RawDataElement(
            key,
            vr,
            length,
            value,
            start,
            nested_implicit,
            True,  # noqa: FBT003 - pydicom's
        )
    return found, None


def _element_header(
    content: bytes, position: int, *, implicit: bool
) -> tuple[int, str | None, int, int]:
    """Tag, value representation, length and place of the value of the element at a position."""
    if position + _TAG_AND_LENGTH.size > len(content):
        raise _OutOfBytesError
    group, element, length = _TAG_AND_LENGTH.unpack_from(content, position)
    tag = group << 16 | element
    if implicit:
        return tag, None, length, position + _TAG_AND_LENGTH.size
    name = content[position + 4 : position + 6]
    if name in _SHORT_VRS:
        return tag, _NAMES[name], length >> 16, position + _TAG_AND_LENGTH.size
    if name not in _LONG_VRS:
        raise _UnusualError
    if position + _GROUP_LENGTH_ELEMENT > len(content):
        raise _OutOfBytesError
    (length,) = _LONG_LENGTH.unpack_from(content, position + 8)
    return tag, _NAMES[name], length, position + _GROUP_LENGTH_ELEMENT


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
        _, vr, length, start = _element_header(content, position, implicit=implicit)
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
    _refuse_deflated(UID(str(read_file_meta_info(path).get("TransferSyntaxUID", ""))))
    with path.open("rb") as file:
        elements = pydicom.dcmread(file, stop_before_pixels=True)
        position = file.tell()
        head = file.read(_GROUP_LENGTH_ELEMENT)
    syntax_uid = str(elements.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
    order = "<" if elements.original_encoding[1] else ">"
    return Header(elements, syntax_uid, _location(head, position, order), size)


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
    before = 8 if head[4:6] in _LONG_VRS else 4
    (length,) = struct.unpack_from(f"{order}L", head, before)
    known = None if length == _UNDEFINED_LENGTH else int(length)
    return PixelLocation(keyword, position + before + _LONG_LENGTH.size, known)
