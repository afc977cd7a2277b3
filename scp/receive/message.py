"""DIMSE messages put together from their fragments: instances are streamed, the rest is small."""

from collections.abc import Sequence
from typing import Protocol

from scp.receive.command import StoreCommand, has_data_set
from scp.receive.pdu import AbortReason, Fragment, ProtocolError

_LARGEST_OTHER_DATA_SET = 4 * 2**20
_MIB = 2**20


class Transfer(Protocol):
    """A C-STORE request whose data set is on its way."""

    def write(self, pieces: Sequence[memoryview]) -> None:
        """Take pieces of the data set; they are reused after the return."""

    def finish(self) -> None:
        """All of it is there: keep it, and answer."""

    def discard(self) -> None:
        """It will not be completed."""


class Services(Protocol):
    """What serves whole requests."""

    def begin_store(self, context_id: int, command: StoreCommand) -> Transfer:
        """A C-STORE request whose command set is complete."""

    def receive(self, context_id: int, command_set: bytes, data_set: bytes) -> None:
        """Any other message, complete."""


class MessageReader:
    """Puts the messages of one association together.

    Parameters
    ----------
    services
        Where they go.
    command_bytes
        Largest command set.
    instance_bytes
        Largest data set of a C-STORE request.

    Notes
    -----
    Error handling: what breaks the protocol or a limit raises ProtocolError, and `discard` is to
    follow.
    """

    def __init__(self, services: Services, command_bytes: int, instance_bytes: int) -> None:
        self._services = services
        self._command_bytes = command_bytes
        self._instance_bytes = instance_bytes
        self._command = bytearray()
        self._data_set = bytearray()
        self._context_id = 0
        self._awaits_data_set = False
        self._transfer: Transfer | None = None
        self._waiting: list[memoryview] = []
        self._size = 0

    @property
    def is_inside(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._awaits_data_set or bool(self._command)

    def add(self, fragment: Fragment) -> bool:
        """Take a fragment; whether a message other than C-STORE became complete.

        The data of an instance is only noted: `flush` is to be called before the buffer behind
        the fragments is used again.

        Raises
        ------
        ProtocolError
            It does not belong here, or makes its message too large.
        """
        if self.is_inside and fragment.context_id != self._context_id:
            raise ProtocolError("a message in two presentation contexts")
        self._context_id = fragment.context_id
        if fragment.is_command:
            return self._add_command(fragment)
        return self._add_data(fragment)

    def flush(self) -> None:
        """Write what was noted."""
        if self._transfer is not None and self._waiting:
            self._transfer.write(self._waiting)
            self._waiting = []

    def discard(self) -> None:
        """Let go of a message that will not be completed."""
        if self._transfer is not None:
            self._transfer.discard()
        self._reset()

    def _add_command(self, fragment: Fragment) -> bool:
        if self._awaits_data_set:
            raise ProtocolError("a command before the data set was complete", _UNEXPECTED)
        if len(self._command) + len(fragment.data) > self._command_bytes:
            raise ProtocolError(f"a command set of more than {self._command_bytes} bytes")
        self._command += fragment.data
        return self._begin() if fragment.is_last else False

    def _begin(self) -> bool:
        """The command set is complete; what follows depends on it."""
        command = StoreCommand.parse(self._command)
        if command is None:
            self._awaits_data_set = has_data_set(self._command)
            return not self._awaits_data_set and self._deliver()
        self._transfer = self._services.begin_store(self._context_id, command)
        self._awaits_data_set = command.has_data_set
        if not command.has_data_set:
            self._finish()
        return False

    def _add_data(self, fragment: Fragment) -> bool:
        if not self._awaits_data_set:
            raise ProtocolError("a data set without a command", _UNEXPECTED)
        self._size += len(fragment.data)
        if self._transfer is None:
            return self._add_other_data(fragment)
        if self._size > self._instance_bytes:
            raise ProtocolError(f"an instance of more than {self._instance_bytes // _MIB} MiB")
        self._waiting.append(fragment.data)
        if fragment.is_last:
            self._finish()
        return False

    def _add_other_data(self, fragment: Fragment) -> bool:
        if self._size > _LARGEST_OTHER_DATA_SET:
            raise ProtocolError(f"a data set of more than {_LARGEST_OTHER_DATA_SET // _MIB} MiB")
        self._data_set += fragment.data
        return fragment.is_last and self._deliver()

    def _finish(self) -> None:
        """An instance is complete."""
        self.flush()
        transfer = self._transfer
        self._reset()
        if transfer is not None:
            transfer.finish()

    def _deliver(self) -> bool:
        """A message of another kind is complete."""
        context_id, command, data_set = self._context_id, bytes(self._command), self._data_set
        self._reset()
        self._services.receive(context_id, command, bytes(data_set))
        return True

    def _reset(self) -> None:
        self._command = bytearray()
        self._data_set = bytearray()
        self._awaits_data_set = False
        self._transfer = None
        self._waiting = []
        self._size = 0


_UNEXPECTED = AbortReason.UNEXPECTED_PDU
