"""PDUs read in place: P-DATA-TF in pieces as they come, every other PDU whole.

Source: PS3.8 section 9.3; a presentation data value (PDV) is a part of a P-DATA-TF PDU.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

HEADER_BYTES = 6
LARGEST_CONTROL_PDU = 131072
_P_DATA = 0x04
_KNOWN = frozenset(range(0x01, 0x08))
_PDV_HEADER_BYTES = 6
_LENIENCE_BYTES = 128  # some senders do not count the PDV's own header
_IS_COMMAND, _IS_LAST = 0x01, 0x02
_unpack_pdu = struct.Struct(">BxI").unpack_from
_unpack_pdv = struct.Struct(">IBB").unpack_from


class AbortReason(IntEnum):
    """Why the provider aborts (PS3.8 section 9.3.8)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    INVALID_PARAMETER = 6


class ProtocolError(Exception):
    """The peer broke the protocol or a limit; its association is to be aborted."""

    def __init__(self, why: str, reason: AbortReason = AbortReason.INVALID_PARAMETER) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(slots=True)
class Fragment:
    """A piece of a command set or data set.

    Parameters
    ----------
    context_id
        Of the presentation context.
    is_command
        Whether it is of the command set.
    is_last
        Whether the command set or data set ends with it.
    data
        A view of the caller's buffer.
    """

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


class PduReader:
    """Takes a stream of bytes apart, without a copy of the data.

    Parameters
    ----------
    largest_data_pdu
        Longest P-DATA-TF PDU that is taken, in bytes: the maximum length that the peer was told.
    """

    def __init__(self, largest_data_pdu: int) -> None:
        self._largest = largest_data_pdu + _LENIENCE_BYTES
        self._left_of_pdu = 0
        self._left_of_pdv = -1
        self._context_id = 0
        self._control = 0
        self.is_established = False
        self.completed = 0

    @property
    def is_inside(self) -> bool:
        """Whether a PDU has begun and not ended."""
        return self._left_of_pdu > 0 or self._left_of_pdv >= 0

    def take(self, data: memoryview) -> tuple[Fragment | bytes | None, int]:
        """The first thing in the data, and how many bytes it and what led to it took.

        Parameters
        ----------
        data
            What was received and not taken yet.

        Returns
        -------
        A fragment, or a whole PDU of another kind than P-DATA-TF, or None where more bytes are
        needed.

        Raises
        ------
        ProtocolError
            The bytes are no valid PDU, or too many.
        """
        used = 0
        if not self.is_inside:
            control_pdu, used = self._begin_pdu(data)
            if not self.is_inside:
                return control_pdu, used
        if self._left_of_pdv < 0:
            if len(data) - used < _PDV_HEADER_BYTES:
                return None, used
            self._begin_pdv(data, used)
            used += _PDV_HEADER_BYTES
        fragment = self._fragment(data[used:])
        return fragment, used + (len(fragment.data) if fragment else 0)

    def _begin_pdu(self, data: memoryview) -> tuple[bytes | None, int]:
        """Enter a P-DATA-TF PDU, or take another one whole."""
        if len(data) < HEADER_BYTES:
            return None, 0
        kind, length = _unpack_pdu(data)
        if kind not in _KNOWN:
            raise ProtocolError("a PDU of unknown type", AbortReason.UNRECOGNIZED_PDU)
        if kind == _P_DATA:
            self._check_data_pdu(length)
            self._left_of_pdu = length
            return None, HEADER_BYTES
        if length > LARGEST_CONTROL_PDU:
            raise ProtocolError(f"a PDU of {length} bytes")
        if len(data) < HEADER_BYTES + length:
            return None, 0
        self.completed += 1
        return bytes(data[: HEADER_BYTES + length]), HEADER_BYTES + length

    def _check_data_pdu(self, length: int) -> None:
        if not self.is_established:
            raise ProtocolError("data without an association", AbortReason.UNEXPECTED_PDU)
        if length > self._largest:
            raise ProtocolError(f"a PDU of {length} bytes; more than limits.pdu_bytes")
        if length < _PDV_HEADER_BYTES:
            raise ProtocolError("a P-DATA-TF PDU without a PDV")

    def _begin_pdv(self, data: memoryview, position: int) -> None:
        length, self._context_id, self._control = _unpack_pdv(data, position)
        if length < _PDV_HEADER_BYTES - 4 or length + 4 > self._left_of_pdu:
            raise ProtocolError("a PDV that does not fit its PDU")
        self._left_of_pdv = length + 4 - _PDV_HEADER_BYTES
        self._left_of_pdu -= _PDV_HEADER_BYTES

    def _fragment(self, data: memoryview) -> Fragment | None:
        """As much of the PDV as is there."""
        piece = data[: self._left_of_pdv]
        if not piece and self._left_of_pdv:
            return None
        self._left_of_pdv -= len(piece)
        self._left_of_pdu -= len(piece)
        ends = self._left_of_pdv == 0
        if ends:
            self._end_pdv()
        return Fragment(
            self._context_id,
            bool(self._control & _IS_COMMAND),
            ends and bool(self._control & _IS_LAST),
            piece,
        )

    def _end_pdv(self) -> None:
        self._left_of_pdv = -1
        if self._left_of_pdu == 0:
            self.completed += 1
        elif self._left_of_pdu < _PDV_HEADER_BYTES:
            raise ProtocolError("a P-DATA-TF PDU that ends within a PDV's header")


def abort_pdu(reason: AbortReason) -> bytes:
    """An A-ABORT PDU of the service provider (PS3.8 section 9.3.8)."""
    return struct.pack(">BxIxxBB", 0x07, 4, 0x02, reason)


def command_pdus(context_id: int, command_set: bytes, largest: int) -> Iterator[bytes]:
    """The P-DATA-TF PDUs of a command set.

    Parameters
    ----------
    context_id
        Of the presentation context.
    command_set
        Encoded.
    largest
        The longest PDU that the peer takes; 0 for any.

    Raises
    ------
    ProtocolError
        The peer takes no PDU that would hold anything.
    """
    step = largest - _PDV_HEADER_BYTES if largest else len(command_set)
    if step < 1:
        raise ProtocolError("a maximum length that holds nothing")
    for begin in range(0, len(command_set), step):
        piece = command_set[begin : begin + step]
        control = _IS_COMMAND | (_IS_LAST if begin + step >= len(command_set) else 0)
        header = struct.pack(
            ">BxIIBB", _P_DATA, len(piece) + 6, len(piece) + 2, context_id, control
        )
        yield header + piece
