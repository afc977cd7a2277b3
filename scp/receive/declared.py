"""What a data set's head declares that no honest instance does: looked at before it is kept.

Both checks cost next to nothing where nothing is suspect. What they cannot see is left to the
worker, which has a memory limit and a deadline.
"""

import re
import struct
from math import prod

from scp.receive.scan import Encoding, NotUnderstoodError, encoding_of, scan

_DEPTH_LIMIT = 64
_ABSURD_PIXELS = 64 * 2**30
_UNDEFINED = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_DELIMITERS = (0xFFFEE00D, 0xFFFEE0DD)
_PIXEL_DATA = 0x7FE00010
_NUMBER_OF_FRAMES, _ROWS, _COLUMNS = 0x00280008, 0x00280010, 0x00280011
_SIZES = frozenset((_NUMBER_OF_FRAMES, _ROWS, _COLUMNS))
_NUMBER = re.compile(rb" *([0-9]{1,12})")
_LONG_FORM = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT")


def declares_absurd_size(head: bytes, transfer_syntax_uid: str) -> bool:
    """Whether the head declares more than 64 Gi pixels.

    Parameters
    ----------
    head
        The first bytes of the data set; where they end before the image's size, nothing is absurd.
    transfer_syntax_uid
        How it is encoded.
    """
    encoding = encoding_of(transfer_syntax_uid)
    order = encoding.order
    if prod(_looked_up(head, tag, order) for tag in _SIZES) <= _ABSURD_PIXELS:
        return False
    try:
        sizes = scan(head, _SIZES, encoding)
    except NotUnderstoodError:
        return False
    return prod(_size(sizes.get(tag, b""), tag, order) for tag in _SIZES) > _ABSURD_PIXELS


def is_nested_too_deep(head: bytes, transfer_syntax_uid: str) -> bool:
    """Whether sequences in the head stand in each other more than 64 deep."""
    encoding = encoding_of(transfer_syntax_uid)
    if head.count(_encoded(_ITEM, encoding.order)) <= _DEPTH_LIMIT:
        return False
    try:
        return _depth(head, encoding) > _DEPTH_LIMIT
    except struct.error:
        return False


def _looked_up(head: bytes, tag: int, order: str) -> int:
    """The size behind the first bytes that look like a tag, be it one or not; 1 without any."""
    position = head.find(_encoded(tag, order))
    return 1 if position < 0 else _size(head[position + 8 : position + 20], tag, order)


def _size(value: bytes, tag: int, order: str) -> int:
    """A value as a number; 1 where it is none."""
    if tag == _NUMBER_OF_FRAMES:
        number = _NUMBER.match(value)
        return int(number[1]) if number else 1
    return int(struct.unpack_from(f"{order}H", value)[0]) if len(value) > 1 else 1


def _encoded(tag: int, order: str) -> bytes:
    return struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)


def _depth(head: bytes, encoding: Encoding) -> int:
    """How deep elements stand in each other, as far as that can be followed."""
    item = _encoded(_ITEM, encoding.order)
    ends: list[int] = []
    position = deepest = 0
    while position + 8 <= len(head):
        tag, length, position = _element(head, position, encoding)
        if tag == _PIXEL_DATA:
            break
        if tag in _DELIMITERS and ends:
            ends.pop()
        elif tag == _ITEM or head[position : position + 4] == item:
            ends.append(len(head) if length == _UNDEFINED else position + length)
        elif length != _UNDEFINED:
            position += length
        while ends and position >= ends[-1]:
            ends.pop()
        deepest = max(deepest, len(ends))
    return deepest // 2  # a sequence and its item count one each


def _element(head: bytes, position: int, encoding: Encoding) -> tuple[int, int, int]:
    """Tag, length of the value, and where the value begins."""
    order = encoding.order
    group, number, length = struct.unpack_from(f"{order}HHI", head, position)
    tag = group << 16 | number
    if encoding.is_implicit or group == _ITEM >> 16:
        return tag, length, position + 8
    if head[position + 4 : position + 6] in _LONG_FORM:
        (length,) = struct.unpack_from(f"{order}I", head, position + 8)
        return tag, length, position + 12
    (length,) = struct.unpack_from(f"{order}H", head, position + 6)
    return tag, length, position + 8
