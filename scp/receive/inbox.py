"""The bytes of one association: one buffer that is used again and again, and the deadlines."""

import mmap
import time
from dataclasses import dataclass

from config import LimitSettings
from scp.receive.message import MessageReader
from scp.receive.pdu import HEADER_BYTES, LARGEST_CONTROL_PDU, PduReader
from scp.receive.peer_socket import PeerSocket

_BUFFER_BYTES = 2 * (HEADER_BYTES + LARGEST_CONTROL_PDU)


class PeerGoneError(Exception):
    """The peer has closed the connection."""


class PeerTooSlowError(Exception):
    """A deadline has passed.

    Parameters
    ----------
    why
        In words.
    setting
        The limit.
    """

    def __init__(self, why: str, setting: str) -> None:
        super().__init__(why)
        self.setting = setting


@dataclass(frozen=True, slots=True)
class _Deadline:
    at: float
    why: str
    setting: str


class Inbox:
    """Receives from a peer and takes apart what came.

    Parameters
    ----------
    peer
        The socket.
    messages
        Where data goes.
    limits
        Sizes and times.
    begun_at
        When the connection was accepted, in the clock of `time.monotonic`.
    """

    def __init__(
        self, peer: PeerSocket, messages: MessageReader, limits: LimitSettings, begun_at: float
    ) -> None:
        self._peer = peer
        self._messages = messages
        self._limits = limits
        self._pdus = PduReader(limits.pdu_bytes)
        self._buffer = memoryview(mmap.mmap(-1, _BUFFER_BYTES))
        self._begin = self._end = 0
        self._negotiate_by = begun_at + limits.negotiation_timeout_s
        self._last_bytes = self._quiet_since = begun_at
        self._pdu_since: float | None = None
        self._completed = 0

    @property
    def negotiate_by(self) -> float:
        """When the association has to be accepted."""
        return self._negotiate_by

    def hasten(self, timeout_s: float) -> None:
        """Leave less time for the negotiation from now on."""
        self._negotiate_by = min(self._negotiate_by, time.monotonic() + timeout_s)

    def establish(self) -> None:
        """The association is accepted: data may come."""
        self._pdus.is_established = True
        self.rest()

    def rest(self) -> None:
        """Count silence from now on: what came before was answered only now."""
        self._quiet_since = self._last_bytes = time.monotonic()

    def read(self, until: float | None = None) -> bytes | None:
        """Wait for bytes and act on them, until there is something for others to do.

        Parameters
        ----------
        until
            When to return at the latest, in the clock of `time.monotonic`.

        Returns
        -------
        A PDU other than P-DATA-TF; None where a message was queued or the time is over.

        Raises
        ------
        PeerGoneError, PeerTooSlowError, ProtocolError
            The association is to be ended.
        """
        while True:
            is_for_others, pdu = self._take_all()
            if is_for_others:
                return pdu
            if not self._receive(until):
                return None

    def _take_all(self) -> tuple[bool, bytes | None]:
        """Take apart what is in the buffer; whether there is something for others, and the PDU."""
        if self._begin == self._end:
            return False, None
        try:
            while self._begin < self._end:
                thing, used = self._pdus.take(self._buffer[self._begin : self._end])
                self._begin += used
                if thing is None:
                    if not used:
                        break
                elif isinstance(thing, bytes):
                    return True, thing
                elif self._messages.add(thing):
                    return True, None
        finally:
            self._messages.flush()
            self._note_progress()
        return False, None

    def _receive(self, until: float | None) -> bool:
        """Add bytes to the buffer; False where the time is over first."""
        self._make_room()
        while True:
            size = self._peer.receive_into(self._buffer[self._end :])
            if size:
                self._end += size
                return True
            if size == 0:
                raise PeerGoneError
            deadline = self._deadline()
            wait_until = deadline.at if until is None else min(until, deadline.at)
            if not self._peer.wait_for_bytes(wait_until):
                if until is not None and until <= deadline.at:
                    return False
                raise PeerTooSlowError(deadline.why, deadline.setting)

    def _make_room(self) -> None:
        """Move what is left, the beginning of a header or of a short PDU, to the front."""
        left = self._end - self._begin
        if left and self._begin:
            self._buffer[:left] = bytes(self._buffer[self._begin : self._end])
        self._begin, self._end = 0, left

    def _note_progress(self) -> None:
        """Know since when there is silence, and since when the present PDU comes.

        Our own work on what came counts for nobody's silence.
        """
        self._last_bytes = time.monotonic()
        is_inside = self._pdus.is_inside or self._begin < self._end
        if self._pdus.completed != self._completed:
            self._completed = self._pdus.completed
            self._pdu_since = None
        if not is_inside:
            self._pdu_since = None
        elif self._pdu_since is None:
            self._pdu_since = self._last_bytes
        if not is_inside and not self._messages.is_inside:
            self._quiet_since = self._last_bytes

    def _deadline(self) -> _Deadline:
        """The first of the deadlines that hold now."""
        limits = self._limits
        gap = _Deadline(
            self._last_bytes + limits.fragment_timeout_s,
            "silence within a message",
            "limits.fragment_timeout_s",
        )
        if not self._pdus.is_established:
            return _Deadline(
                self._negotiate_by,
                "no association was negotiated in time",
                "limits.negotiation_timeout_s",
            )
        if self._pdu_since is not None:
            whole = _Deadline(
                self._pdu_since + limits.pdu_timeout_s,
                "a PDU took too long",
                "limits.pdu_timeout_s",
            )
            return min(gap, whole, key=_time)
        if self._messages.is_inside:
            return gap
        return _Deadline(
            self._quiet_since + limits.idle_timeout_s,
            "silence between messages",
            "limits.idle_timeout_s",
        )


def _time(deadline: _Deadline) -> float:
    return deadline.at
