"""The data elements of a Part 10 file up to its pixel data, decoded on demand.

A series has hundreds of headers and the rebuild reads a few values of each: those are decoded
here, and pydicom decodes the rest when it is asked for.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import ImplicitVRLittleEndian

from pipeline.errors import UnreadableInstanceError

# What pydicom raises on damaged elements, when it reads a file and when it decodes a value.
DAMAGED_ELEMENT_ERRORS = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
_TEXT_VRS = "AE AS CS DA DT LO LT PN SH ST TM UC UI UR UT".split()  # noqa: SIM905 - as the standard has it
# What pydicom takes for the value of an element without bytes; None for every other VR.
_EMPTY: dict[str | None, bytes] = dict.fromkeys(_TEXT_VRS, b"")
_NUMBER_VRS = frozenset({"DS", "IS"})
# Of these every value is plain ASCII or a number, whatever the character set of the data set.
_QUICK_VRS = frozenset({"CS", "DA", "DS", "DT", "IS", "TM", "UI", "US"})
_CHARACTER_SET = BaseTag(0x00080005)
_SHORT_TEXT_VRS = frozenset({"LO", "SH"})
_ESCAPE = 0x1B
_LITTLE_ENDIAN = True
_UID = "SOPInstanceUID"

# Value representation (None where the syntax leaves it out), offset and length of the value, and
# whether elements within it have no representations. A plain tuple: a series has tens of thousands.
Place = tuple[str | None, int, int, bool]
Value = str | int | float | tuple["Value", ...] | None


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


class Header:
    """A data set up to its pixel data.

    Parameters
    ----------
    transfer_syntax_uid
        Of the whole file.
    pixels
        Where the pixel data is; None where there is none.
    file_size
        In bytes.
    data_set
        The data set, where it is decoded already.
    content, places
        Else the bytes that hold it, and where its elements are in them.
    """

    __slots__ = ("_content", "_data_set", "_places", "file_size", "pixels", "transfer_syntax_uid")

    def __init__(
        self,
        transfer_syntax_uid: str,
        pixels: PixelLocation | None,
        file_size: int,
        *,
        data_set: Dataset | None = None,
        content: bytes = b"",
        places: dict[int, Place] | None = None,
    ) -> None:
        self.transfer_syntax_uid = transfer_syntax_uid
        self.pixels = pixels
        self.file_size = file_size
        self._data_set = data_set
        self._content = content
        self._places = places

    @property
    def data_set(self) -> Dataset:
        """The whole data set by pydicom, its values decoded as they are asked for."""
        if self._data_set is None:
            self._data_set = self._raw_data_set()
        return self._data_set

    def has(self, attribute: str | int) -> bool:
        """Whether an attribute, named by its keyword or its tag, is there."""
        if self._places is None:
            return attribute in self.data_set
        tag = attribute if isinstance(attribute, int) else _tag(attribute)
        return tag in self._places

    def get(self, keyword: str) -> Value:
        """A number, a text, a tuple of several; None where the attribute is missing or empty.

        Numbers that are none come as their text.

        Raises
        ------
        UnreadableInstanceError
            The value does not decode.
        """
        if self._places is not None:
            place = self._places.get(_tag(keyword))
            if place is None:
                return None
            vr, offset, length, _ = place
            if vr is None:
                vr = _dictionary_vr(keyword)
            value = self._content[offset : offset + length]
            if vr in _QUICK_VRS or (vr in _SHORT_TEXT_VRS and _is_plain_ascii(value)):
                return _decoded(vr, value)
        try:
            return plain_value(self.data_set.get(keyword))
        except DAMAGED_ELEMENT_ERRORS as error:
            name = "an instance" if keyword == _UID else f"instance {self.get(_UID)}"
            raise UnreadableInstanceError(
                f"{keyword} of {name} is damaged ({type(error).__name__}). Check the series where "
                "it was made."
            ) from error

    def with_only(self, is_wanted: Callable[[int], bool]) -> "Header":
        """The same with the elements whose tags are wanted; none is decoded on the way."""
        if self._places is None:
            return self._with(data_set=_only(self.data_set, is_wanted))
        parts, places, end = [], {}, 0
        for tag, (vr, offset, length, implicit) in self._places.items():
            if is_wanted(tag):
                parts.append(self._content[offset : offset + length])
                places[tag] = (vr, end, length, implicit)
                end += length
        return self._with(content=b"".join(parts), places=places)

    def _with(self, **held: Any) -> "Header":
        return Header(self.transfer_syntax_uid, self.pixels, self.file_size, **held)

    def _raw_data_set(self) -> Dataset:
        content, places = self._content, self._places or {}
        elements = {}
        for tag, (vr, offset, length, implicit) in places.items():
            key = BaseTag(tag)
            value = content[offset : offset + length] or _EMPTY.get(vr)
            elements[key] = RawDataElement(key, vr, length, value, offset, implicit, _LITTLE_ENDIAN)
        encodings = _encodings(elements)
        data_set = Dataset(dict(elements))
        data_set.set_original_encoding(
            self.transfer_syntax_uid == ImplicitVRLittleEndian, _LITTLE_ENDIAN, encodings
        )
        return data_set


def _only(data_set: Dataset, is_wanted: Callable[[int], bool]) -> Dataset:
    """A data set of the elements whose tags are wanted, decoded or not as they are."""
    tags = filter(is_wanted, data_set.keys())
    wanted = Dataset({tag: data_set.get_item(tag) for tag in tags})
    implicit, little_endian = data_set.original_encoding
    wanted.set_original_encoding(implicit, little_endian, data_set.original_character_set)
    return wanted


def plain_value(value: Any) -> Value:
    """A value of pydicom's as a plain number, text or tuple; None where it is empty."""
    if isinstance(value, MultiValue | list | tuple):
        return tuple(plain_value(item) for item in value) or None
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    return None if value is None else str(value) or None


def _encodings(elements: dict[BaseTag, RawDataElement]) -> list[str]:
    """Python's names for the character sets that the data set declares."""
    declared = elements.get(_CHARACTER_SET)
    return convert_encodings(convert_raw_data_element(declared).value if declared else None)


@cache
def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag


@cache
def _dictionary_vr(keyword: str) -> str:
    return dictionary_VR(keyword)


@lru_cache(maxsize=4096)
def _decoded(vr: str, value: bytes) -> Value:
    """The value of an element of one of the quick representations; slices share most of them."""
    if vr == "US":
        numbers = struct.unpack(f"<{len(value) // 2}H", value[: len(value) // 2 * 2])
        return numbers[0] if len(numbers) == 1 else numbers or None
    text = value.decode("latin-1").rstrip("\0 ")
    if not text:
        return None
    parts = tuple(_number(part) if vr in _NUMBER_VRS else part.strip() for part in text.split("\\"))
    return parts[0] if len(parts) == 1 else parts


def _is_plain_ascii(value: bytes) -> bool:
    """Whether bytes say the same in every character set."""
    return value.isascii() and _ESCAPE not in value


def _number(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text.strip() or None
