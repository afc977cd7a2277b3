"""The head of a spooled file: preamble, prefix and file meta information."""

import struct
from dataclasses import dataclass

from pipeline.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_PREAMBLE = bytes(128) + b"DICM"
_META_GROUP = 0x0002
_VERSION = b"\x00\x01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """How an instance came, and which it is."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str
    called_ae_title: str


def part10_header(reception: Reception) -> bytes:
    """Preamble, prefix and file meta information for a data set as it came.

    The preamble is zero, so that the file is nothing else than DICOM (PS3.10 section 7.5).

    Source: PS3.10 section 7.1; always Explicit VR Little Endian.
    """
    calling = _text(reception.calling_ae_title)
    elements = (
        struct.pack("<HH2sHI", _META_GROUP, 0x0001, b"OB", 0, len(_VERSION)) + _VERSION,
        _element(0x0002, b"UI", _uid(reception.sop_class_uid)),
        _element(0x0003, b"UI", _uid(reception.sop_instance_uid)),
        _element(0x0010, b"UI", _uid(reception.transfer_syntax_uid)),
        _element(0x0012, b"UI", _uid(IMPLEMENTATION_CLASS_UID)),
        _element(0x0013, b"SH", _text(IMPLEMENTATION_VERSION_NAME)),
        _element(0x0016, b"AE", calling),
        _element(0x0017, b"AE", calling),
        _element(0x0018, b"AE", _text(reception.called_ae_title)),
    )
    meta = b"".join(elements)
    return _PREAMBLE + _element(0x0000, b"UL", struct.pack("<I", len(meta))) + meta


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", _META_GROUP, number, vr, len(value)) + value


def _uid(text: str) -> bytes:
    value = text.encode("ascii", "replace")
    return value + b"\0" * (len(value) % 2)


def _text(text: str) -> bytes:
    value = text.encode("latin-1", "replace")
    return value + b" " * (len(value) % 2)
