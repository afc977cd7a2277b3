"""A DICOM upper layer client that sends whatever a test wants, and reads what it gets."""

import socket
import ssl
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.data_units import (
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    ECHO_CONTEXT,
    FRAGMENT_BYTES,
    P_DATA,
    PDU_HEADER_BYTES,
    RELEASE_RP,
    RELEASE_RQ,
    STORE_CONTEXT,
    Acceptance,
    Pdu,
    ProposedContext,
    Rejection,
    Response,
    associate_request,
    command_set,
    echo_command,
    message,
    pdu,
    read_acceptance,
    read_response,
    read_values,
    store_command,
)


class AssociationEndedError(Exception):
    """The peer aborted the association or closed its connection."""


@dataclass(slots=True)
class UpperLayerAssociation:
    """A connection to an association server.

    Parameters
    ----------
    port
        Where the server listens on this machine.
    source
        The loopback address to come from: each of 127.0.0.0/8 is a peer of its own.
    timeout_s
        Longest wait for the server.
    tls
        Wraps the connection where given.
    receive_bytes
        Size of our receive buffer, 0 for the system's.
    """

    port: int
    source: str = "127.0.0.1"
    timeout_s: float = 10.0
    tls: ssl.SSLContext | None = None
    receive_bytes: int = 0
    _socket: socket.socket = field(init=False)
    _message_id: int = 0
    _unread: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        connection = socket.socket()
        try:
            if self.receive_bytes:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_bytes)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(self.timeout_s)
            connection.bind((self.source, 0))
            connection.connect(("127.0.0.1", self.port))
            self._socket = self.tls.wrap_socket(connection) if self.tls else connection
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, content: bytes) -> None:
        """Send bytes as they are.

        Raises
        ------
        AssociationEndedError
            The peer has closed the connection.
        """
        try:
            self._socket.sendall(content)
        except (ConnectionError, ssl.SSLError) as error:
            raise AssociationEndedError(str(error)) from error

    def read_pdu(self) -> Pdu:
        """The next data unit.

        Raises
        ------
        AssociationEndedError
            The peer closed the connection first.
        """
        kind, _, length = struct.unpack(">BBI", self._read(PDU_HEADER_BYTES))
        return Pdu(kind, self._read(length))

    def associate(self, *arguments: Iterable[ProposedContext], **options: str) -> Acceptance:
        """Negotiate with an `associate_request` of these arguments; it must be accepted."""
        answer = self.negotiate(associate_request(*arguments, **options))  # type: ignore[arg-type]
        assert isinstance(answer, Acceptance), answer
        return answer

    def negotiate(self, request: bytes) -> Acceptance | Rejection:
        """Send an A-ASSOCIATE-RQ and read what it gets."""
        self.send(request)
        answer = self.read_pdu()
        if answer.kind == ASSOCIATE_AC:
            return read_acceptance(answer.body)
        if answer.kind == ASSOCIATE_RJ:
            return Rejection(*answer.body[1:4])
        raise AssociationEndedError(f"the answer is a PDU of type {answer.kind}")

    def echo(self, context_id: int = ECHO_CONTEXT) -> int:
        """The status of a C-ECHO."""
        self.send(message(context_id, command_set(echo_command(self.next_message_id()))))
        return self.read_response().status

    def store(
        self,
        sop_class: str,
        sop_instance: str,
        data_set: bytes,
        *,
        context_id: int = STORE_CONTEXT,
        fragment_bytes: int = FRAGMENT_BYTES,
    ) -> Response:
        """C-STORE a data set; the answer."""
        command = command_set(store_command(sop_class, sop_instance, self.next_message_id()))
        self.send(message(context_id, command, data_set, fragment_bytes))
        return self.read_response()

    def next_message_id(self) -> int:
        """An identifier that this association has not used for long."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def read_response(self) -> Response:
        """The next DIMSE response.

        Raises
        ------
        AssociationEndedError
            The peer aborted or closed the connection in place of it.
        """
        command = bytearray()
        while True:
            answer = self.read_pdu()
            if answer.kind != P_DATA:
                raise AssociationEndedError(f"a PDU of type {answer.kind} came")
            for control, fragment in read_values(answer.body):
                command += fragment
                if control & 2:
                    return read_response(bytes(command))

    def release(self) -> None:
        """Release the association, and close."""
        self.send(pdu(RELEASE_RQ, bytes(4)))
        while self.read_pdu().kind != RELEASE_RP:
            pass
        self.close()

    def end_of_sending(self) -> None:
        """Close our half of the connection: the peer reads its end, we can still read."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def read_to_the_end(self) -> list[Pdu]:
        """The data units that come until the peer closes; TimeoutError where it does not."""
        answers = []
        with suppress(AssociationEndedError):
            while True:
                answers.append(self.read_pdu())
        return answers

    def listen(self, seconds: float) -> None:
        """Take what comes within a time.

        Raises
        ------
        AssociationEndedError
            The peer closed the connection.
        """
        self._socket.settimeout(seconds)
        with suppress(TimeoutError):
            self._unread += self._received()
        self._socket.settimeout(self.timeout_s)

    def reset(self) -> None:
        """Close the connection so that the peer gets an error in place of its end."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        """Close the connection without any farewell."""
        self._socket.close()

    def _read(self, length: int) -> bytes:
        while len(self._unread) < length:
            self._unread += self._received()
        wanted = bytes(self._unread[:length])
        del self._unread[:length]
        return wanted

    def _received(self) -> bytes:
        try:
            content = self._socket.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            raise AssociationEndedError(str(error)) from error
        if not content:
            raise AssociationEndedError("the peer closed the connection")
        return content
