"""Command sets of C-STORE, decoded and encoded without a Dataset.

Source: PS3.7 sections 6.3.1 (Implicit VR Little Endian) and 9.3.1.
"""

import struct
from dataclasses import dataclass
from typing import Self

from scp.receive.scan import Encoding, NotUnderstoodError, scan
from scp.status import Status

_GROUP_LENGTH = 0x0000
_SOP_CLASS_UID = 0x0002
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_RESPONDED_MESSAGE_ID = 0x0120
_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_SOP_INSTANCE_UID = 0x1000
_ASKED = frozenset((_SOP_CLASS_UID, _COMMAND_FIELD, _MESSAGE_ID, _DATA_SET_TYPE, _SOP_INSTANCE_UID))

_ENCODING = Encoding(is_implicit=True, is_little=True)
_C_STORE_RQ = 0x0001
_C_STORE_RSP = 0x8001
_NO_DATA_SET = 0x0101
_COMMENT_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """The command set of a C-STORE request."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    has_data_set: bool

    @classmethod
    def parse(cls, command_set: bytes | bytearray) -> Self | None:
        """The command, or None where it is another one or cannot be understood."""
        try:
            found = scan(bytes(command_set), _ASKED, _ENCODING)
            if _number(found[_COMMAND_FIELD]) != _C_STORE_RQ:
                return None
            return cls(
                message_id=_number(found[_MESSAGE_ID]),
                sop_class_uid=_uid(found.get(_SOP_CLASS_UID, b"")),
                sop_instance_uid=_uid(found.get(_SOP_INSTANCE_UID, b"")),
                has_data_set=_number(found[_DATA_SET_TYPE]) != _NO_DATA_SET,
            )
        except (NotUnderstoodError, KeyError, struct.error):
            return None


def has_data_set(command_set: bytes | bytearray) -> bool:
    """Whether a data set follows any command set; not where that cannot be understood."""
    try:
        found = scan(bytes(command_set), {_DATA_SET_TYPE}, _ENCODING)
        return _number(found[_DATA_SET_TYPE]) != _NO_DATA_SET
    except (NotUnderstoodError, KeyError, struct.error):
        return False


def store_response(
    command: StoreCommand, status: Status, comment: str = "", *, names_instance: bool = True
) -> bytes:
    """The command set of a C-STORE response.

    Parameters
    ----------
    command
        What is answered.
    status
        The outcome.
    comment
        Error Comment (0000,0902), cut to 64 characters; none where empty.
    names_instance
        Whether to repeat the UIDs: not where they are none.
    """
    elements = []
    if names_instance:
        elements.append(_element(_SOP_CLASS_UID, _padded(command.sop_class_uid, b"\0")))
    elements += [
        _element(_COMMAND_FIELD, struct.pack("<H", _C_STORE_RSP)),
        _element(_RESPONDED_MESSAGE_ID, struct.pack("<H", command.message_id)),
        _element(_DATA_SET_TYPE, struct.pack("<H", _NO_DATA_SET)),
        _element(_STATUS, struct.pack("<H", status)),
    ]
    if comment:
        elements.append(_element(_ERROR_COMMENT, _padded(comment[:_COMMENT_CHARACTERS], b" ")))
    if names_instance:
        elements.append(_element(_SOP_INSTANCE_UID, _padded(command.sop_instance_uid, b"\0")))
    rest = b"".join(elements)
    return _element(_GROUP_LENGTH, struct.pack("<I", len(rest))) + rest


def _number(value: bytes) -> int:
    (number,) = struct.unpack("<H", value)
    return int(number)


def _uid(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\0 ")


def _padded(text: str, padding: bytes) -> bytes:
    value = text.encode("ascii", "replace")
    return value + padding * (len(value) % 2)


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0x0000, number, len(value)) + value
