"""What a stream of data units says, read as the standard reads it: what a test compares with."""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.data_units import (
    C_STORE_RQ,
    COMMAND_FIELD,
    MESSAGE_ID,
    P_DATA,
)


@dataclass(slots=True)
class StoreMessages:
    """The complete C-STORE requests of a stream.

    Attributes
    ----------
    digests
        For each Message ID the SHA-256 of the data sets that came with it.
    """

    digests: dict[int, list[str]] = field(default_factory=dict)
    _command: bytearray = field(default_factory=bytearray)
    _data_set: bytearray = field(default_factory=bytearray)
    _message_id: int | None = None

    @classmethod
    def of(cls, stream: bytes) -> "StoreMessages":
        """Read as far as the stream can be read."""
        found = cls()
        for kind, body in _units(stream):
            if kind != P_DATA:
                continue
            for control, fragment in _values(body):
                found._take(control, fragment)
        return found

    def _take(self, control: int, fragment: bytes) -> None:
        is_command, is_last = control & 1, control & 2
        (self._command if is_command else self._data_set).extend(fragment)
        if is_last and is_command:
            elements = dict(_elements(bytes(self._command)))
            is_store = elements.get(COMMAND_FIELD) == struct.pack("<H", C_STORE_RQ)
            number = elements.get(MESSAGE_ID, b"")
            self._message_id = int.from_bytes(number, "little") if is_store else None
            self._command.clear()
            self._data_set.clear()
        elif is_last:
            if self._message_id is not None:
                digest = hashlib.sha256(self._data_set).hexdigest()
                self.digests.setdefault(self._message_id, []).append(digest)
            self._data_set.clear()
            self._message_id = None


def _units(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and body of each data unit; what is there of the last one, too.

    A value is complete by its own length, whether its unit comes to an end or not.
    """
    while len(stream) >= 6:
        kind, _, length = struct.unpack(">BBI", stream[:6])
        yield kind, stream[6 : 6 + length]
        stream = stream[6 + length :]


def _values(body: bytes) -> Iterator[tuple[int, bytes]]:
    while len(body) >= 6:
        (length,) = struct.unpack(">I", body[:4])
        if not 2 <= length <= len(body) - 4:
            return
        yield body[5], body[6 : 4 + length]
        body = body[4 + length :]


def _elements(command: bytes) -> Iterator[tuple[int, bytes]]:
    while len(command) >= 8:
        _, number, length = struct.unpack("<HHI", command[:8])
        yield number, command[8 : 8 + length]
        command = command[8 + length :]
