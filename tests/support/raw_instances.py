"""Small instances as encoded bytes: what a test sends is what it compares with."""

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from tests.support.data_units import (
    CT,
    FRAGMENT_BYTES,
    STORE_CONTEXT,
    Response,
)
from tests.support.upper_layer import UpperLayerAssociation

_ROOT = "1.2.826.0.1.3680043.8.498.88"
STUDY, SERIES = f"{_ROOT}.1", f"{_ROOT}.2"
SOP_CLASS, SOP_INSTANCE = (0x0008, 0x0016), (0x0008, 0x0018)
PATIENT_NAME, SERIES_INSTANCE = (0x0010, 0x0010), (0x0020, 0x000E)
PIXEL_DATA = (0x7FE0, 0x0010)

_LONG_FORM = ("OB", "OW", "SQ", "UN", "UT")
_numbers = count(1)

Tag = tuple[int, int]
Element = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class RawInstance:
    """An instance: what its C-STORE command says, and its data set in Explicit VR Little Endian."""

    sop_instance: str
    data_set: bytes
    sop_class: str = CT

    @property
    def digest(self) -> str:
        """SHA-256 of the data set."""
        return hashlib.sha256(self.data_set).hexdigest()


def new_uid() -> str:
    """A UID that no other instance of this run has."""
    return f"{_ROOT}.3.{next(_numbers)}"


def raw_instance(
    pixel_bytes: int = 64,
    *,
    sop_class: str = CT,
    sop_instance: str = "",
    series: str = SERIES,
    changes: Mapping[Tag, Element | None] | None = None,
) -> RawInstance:
    """An instance with elements changed, added, or left out where None is given."""
    sop_instance = sop_instance or new_uid()
    elements: dict[Tag, Element | None] = {
        SOP_CLASS: ("UI", sop_class.encode()),
        SOP_INSTANCE: ("UI", sop_instance.encode()),
        (0x0008, 0x0060): ("CS", b"CT"),
        PATIENT_NAME: ("PN", b"Nobody^Test"),
        (0x0020, 0x000D): ("UI", STUDY.encode()),
        SERIES_INSTANCE: ("UI", series.encode()),
        PIXEL_DATA: ("OW", _pixels(pixel_bytes, sop_instance)),
        **(changes or {}),
    }
    data_set = b"".join(
        element(tag, *content) for tag, content in sorted(elements.items()) if content is not None
    )
    return RawInstance(sop_instance, data_set, sop_class)


def store(
    association: UpperLayerAssociation,
    instance: RawInstance,
    *,
    context_id: int = STORE_CONTEXT,
    fragment_bytes: int = FRAGMENT_BYTES,
) -> Response:
    """C-STORE an instance; the answer."""
    return association.store(
        instance.sop_class,
        instance.sop_instance,
        instance.data_set,
        context_id=context_id,
        fragment_bytes=fragment_bytes,
    )


def element(tag: Tag, vr: str, value: bytes) -> bytes:
    """A data element in Explicit VR Little Endian, padded to an even length."""
    value += (b"\0" if vr in ("UI", *_LONG_FORM) else b" ") * (len(value) % 2)
    head = struct.pack("<HH", *tag) + vr.encode()
    if vr in _LONG_FORM:
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def nested_sequences(depth: int) -> Element:
    """A sequence whose items hold one another, all of undefined length."""
    opened = struct.pack("<HH", 0x0008, 0x1140) + b"SQ" + struct.pack("<HI", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    item_end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    sequence_end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    inner = depth - 1
    return "SQ", (item + opened) * inner + item + item_end + (sequence_end + item_end) * inner


def bytes_for_checksum(before: int, wanted: int) -> bytes:
    """The four bytes that lead from one CRC-32 to another."""
    ones = 0xFFFFFFFF
    table = [zlib.crc32(bytes([value]), ones) ^ ones for value in range(256)]
    register = wanted ^ ones
    for _ in range(4):
        value = next(i for i, entry in enumerate(table) if entry >> 24 == register >> 24)
        register = ((register ^ table[value]) << 8 | value) & ones
    return struct.pack("<I", register ^ before ^ ones)


def _pixels(length: int, seed: str) -> bytes:
    """Bytes of this length that no other instance has."""
    digest = hashlib.sha256(seed.encode()).digest()
    return (digest * (length // len(digest) + 1))[:length]
