"""A quick look at the head of an encoded data set, without decoding it.

It finds the elements at the top level that the receiver asks for, and no more: what it does not
understand at once is left to pydicom, which takes ten times as long.
"""

import struct
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

from pydicom.uid import UID

_UNDEFINED = 0xFFFFFFFF
_ITEM_GROUP = 0xFFFE
_DELIMITERS = (0xFFFEE00D, 0xFFFEE0DD)
_DEPTH_LIMIT = 16
_LONG_FORM = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_SHORT_FORM = frozenset(
    (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
     b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US")
)  # fmt: skip

_Element = tuple[int, int, int]  # tag, length of the value, where the value begins


class NotUnderstoodError(Exception):
    """The head has to be read by other means, or is longer than what is there of it."""


class Encoding(NamedTuple):
    """How a transfer syntax encodes elements."""

    is_implicit: bool
    is_little: bool

    @property
    def order(self) -> str:
        """The byte order as `struct` writes it."""
        return "<" if self.is_little else ">"


@lru_cache(maxsize=64)
def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """The encoding of a transfer syntax."""
    syntax = UID(transfer_syntax_uid)
    return Encoding(bool(syntax.is_implicit_VR), bool(syntax.is_little_endian))


def scan(data: bytes, wanted: Collection[int], encoding: Encoding) -> dict[int, bytes]:
    """The encoded values of the wanted elements that stand at the top level.

    Parameters
    ----------
    data
        The head of the data set; it may end anywhere behind the last wanted element.
    wanted
        Tags; reading ends behind the largest.
    encoding
        How it is encoded.

    Raises
    ------
    NotUnderstoodError
        An element is not what the transfer syntax says, nesting is deep, or the head ends early.

    Source: PS3.5 sections 7.1 and 7.5.
    """
    found: dict[int, bytes] = {}
    last, end = max(wanted), len(data)
    depth, before = 0, -1
    elements = _implicit if encoding.is_implicit else _explicit
    for tag, length, position in elements(data, encoding.order):
        if tag in _DELIMITERS:
            depth -= 1
        elif length == _UNDEFINED:
            depth += 1
        elif position + length > end and tag <= last:
            raise NotUnderstoodError
        elif depth == 0:
            if tag > last:
                return found
            if tag <= before:
                raise NotUnderstoodError
            before = tag
            if tag in wanted:
                found[tag] = data[position : position + length]
        if not 0 <= depth <= _DEPTH_LIMIT:
            raise NotUnderstoodError
    return found


def _implicit(data: bytes, order: str) -> Iterator[_Element]:
    """All elements of an implicit VR data set; those of undefined length are entered."""
    unpack = struct.Struct(f"{order}HHI").unpack_from
    position, end = 0, len(data)
    while position < end:
        try:
            group, number, length = unpack(data, position)
        except struct.error as error:
            raise NotUnderstoodError from error
        position += 8
        yield group << 16 | number, length, position
        if length != _UNDEFINED:
            position += length


def _explicit(data: bytes, order: str) -> Iterator[_Element]:
    """All elements of an explicit VR data set; those of undefined length are entered."""
    unpack = struct.Struct(f"{order}HH2sH").unpack_from
    unpack_length = struct.Struct(f"{order}I").unpack_from
    position, end = 0, len(data)
    while position < end:
        try:
            group, number, vr, length = unpack(data, position)
            position += 8
            if vr not in _SHORT_FORM:
                if group == _ITEM_GROUP:
                    (length,) = unpack_length(data, position - 4)
                elif vr in _LONG_FORM:
                    (length,) = unpack_length(data, position)
                    position += 4
                else:
                    raise NotUnderstoodError
        except struct.error as error:
            raise NotUnderstoodError from error
        yield group << 16 | number, length, position
        if length != _UNDEFINED:
            position += length
