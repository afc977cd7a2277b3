"""A DICOM upper layer client that sends whatever a test wants: nothing is checked on its way out.

The functions build bytes: data units of the protocol, command sets, whole messages in fragments of
any size. `UpperLayerAssociation` sends them and reads the answers. Bad bytes are made by leaving
the right way at any layer: a wrong length, another context, half a data unit.

Source: PS3.8 section 9.3 (PDUs) and annex E (P-DATA); PS3.7 section 6.3 and annex E (command sets).
"""

import socket
import ssl
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ = 0x01, 0x02, 0x03
P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 0x04, 0x05, 0x06, 0x07

C_STORE_RQ, C_ECHO_RQ, N_EVENT_REPORT_RQ = 0x0001, 0x0030, 0x0100
RESPONSE = 0x8000
NO_DATA_SET, WITH_DATA_SET = 0x0101, 0x0001

AFFECTED_CLASS, COMMAND_FIELD, MESSAGE_ID, ANSWERED_ID = 0x0002, 0x0100, 0x0110, 0x0120
PRIORITY, DATA_SET_TYPE, STATUS, ERROR_COMMENT = 0x0700, 0x0800, 0x0900, 0x0902
AFFECTED_INSTANCE, EVENT_TYPE = 0x1000, 0x1002

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"

PDU_HEADER_BYTES = 6
FRAGMENT_BYTES = 16_000
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_IMPLEMENTATION = "1.2.826.0.1.3680043.8.498.99"


class AssociationEndedError(Exception):
    """The peer aborted the association or closed its connection."""


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context of an A-ASSOCIATE-RQ."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...] = (EXPLICIT,)


DEFAULT_CONTEXTS = (ProposedContext(1, CT), ProposedContext(3, VERIFICATION, (IMPLICIT,)))
STORE_CONTEXT, ECHO_CONTEXT = 1, 3


@dataclass(frozen=True, slots=True)
class Pdu:
    """A data unit as it came."""

    kind: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What a peer answered to a request."""

    command_field: int
    message_id: int
    status: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 section 9.3.4)."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What an A-ASSOCIATE-AC says of each context: its result and its transfer syntax."""

    results: Mapping[int, int]
    transfer_syntaxes: Mapping[int, str]


def pdu(kind: int, body: bytes = b"", *, length: int | None = None) -> bytes:
    """A data unit; ``length`` is what its header says where that is not the truth."""
    return struct.pack(">BBI", kind, 0, len(body) if length is None else length) + body


def associate_request(
    contexts: Iterable[ProposedContext] = DEFAULT_CONTEXTS,
    *,
    calling: str = "RAW",
    called: str = "HOUNSFIELD",
    maximum_length: int = 131_072,
    version_name: bytes = b"RAW",
) -> bytes:
    """An A-ASSOCIATE-RQ."""
    user = (
        _item(0x51, struct.pack(">I", maximum_length))
        + _item(0x52, _IMPLEMENTATION.encode())
        + _item(0x55, version_name)
    )
    titles = f"{called:16}{calling:16}".encode()
    items = _item(0x10, _APPLICATION_CONTEXT.encode())
    items += b"".join(_context_item(context) for context in contexts)
    items += _item(0x50, user)
    return pdu(ASSOCIATE_RQ, struct.pack(">HH", 1, 0) + titles + bytes(32) + items)


def _context_item(context: ProposedContext) -> bytes:
    syntaxes = b"".join(_item(0x40, name.encode()) for name in context.transfer_syntaxes)
    head = struct.pack(">BBBB", context.id, 0, 0, 0)
    return _item(0x20, head + _item(0x30, context.abstract_syntax.encode()) + syntaxes)


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def us(value: int) -> bytes:
    """An unsigned short of a command set."""
    return struct.pack("<H", value)


def ui(text: str) -> bytes:
    """A UID, padded to an even length."""
    value = text.encode("latin-1")
    return value + bytes(len(value) % 2)


def command_set(elements: Mapping[int, bytes]) -> bytes:
    """A command set of elements of group 0000, by their element numbers."""
    body = b"".join(
        struct.pack("<HHI", 0, number, len(value)) + value
        for number, value in sorted(elements.items())
    )
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def store_command(sop_class: str, sop_instance: str, message_id: int) -> dict[int, bytes]:
    """The elements of a C-STORE-RQ, for `command_set`."""
    return {
        AFFECTED_CLASS: ui(sop_class),
        COMMAND_FIELD: us(C_STORE_RQ),
        MESSAGE_ID: us(message_id),
        PRIORITY: us(0),
        DATA_SET_TYPE: us(WITH_DATA_SET),
        AFFECTED_INSTANCE: ui(sop_instance),
    }


def echo_command(message_id: int) -> dict[int, bytes]:
    """The elements of a C-ECHO-RQ, for `command_set`."""
    return {
        AFFECTED_CLASS: ui(VERIFICATION),
        COMMAND_FIELD: us(C_ECHO_RQ),
        MESSAGE_ID: us(message_id),
        DATA_SET_TYPE: us(NO_DATA_SET),
    }


def pdv(context_id: int, fragment: bytes, *, command: bool, last: bool) -> bytes:
    """A presentation data value with its message control header."""
    return struct.pack(">IBB", len(fragment) + 2, context_id, command + 2 * last) + fragment


def message(
    context_id: int,
    command: bytes,
    data_set: bytes | None = None,
    fragment_bytes: int = FRAGMENT_BYTES,
) -> bytes:
    """A whole message: each fragment in a P-DATA-TF of its own."""
    parts = [(command, True)] + ([(data_set, False)] if data_set is not None else [])
    return b"".join(
        pdu(P_DATA, pdv(context_id, fragment, command=is_command, last=last))
        for content, is_command in parts
        for fragment, last in _fragments(content, fragment_bytes)
    )


def _fragments(content: bytes, fragment_bytes: int) -> Iterator[tuple[bytes, bool]]:
    for start in range(0, max(1, len(content)), fragment_bytes):
        yield content[start : start + fragment_bytes], start + fragment_bytes >= len(content)


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
            return _acceptance(answer.body)
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
            for control, fragment in _pdvs(answer.body):
                command += fragment
                if control & 2:
                    return _response(bytes(command))

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


def _acceptance(body: bytes) -> Acceptance:
    results, syntaxes = {}, {}
    for kind, content in _items(body[68:]):
        if kind == 0x21:
            number = content[0]
            results[number] = content[2]
            for _, name in _items(content[4:]):
                syntaxes[number] = name.decode()
    return Acceptance(results, syntaxes)


def _items(content: bytes) -> Iterator[tuple[int, bytes]]:
    while content:
        kind, _, length = struct.unpack(">BBH", content[:4])
        yield kind, content[4 : 4 + length]
        content = content[4 + length :]


def _pdvs(body: bytes) -> Iterator[tuple[int, bytes]]:
    """(message control header, fragment) of each value of a P-DATA-TF."""
    while body:
        (length,) = struct.unpack(">I", body[:4])
        yield body[5], body[6 : 4 + length]
        body = body[4 + length :]


def responses(answers: Iterable[Pdu]) -> list[Response]:
    """The DIMSE responses among data units, each in one fragment as ours are."""
    return [
        _response(fragment)
        for answer in answers
        if answer.kind == P_DATA
        for _, fragment in _pdvs(answer.body)
    ]


def _response(command: bytes) -> Response:
    elements = {}
    while command:
        _, number, length = struct.unpack("<HHI", command[:8])
        elements[number] = command[8 : 8 + length]
        command = command[8 + length :]
    numbers = [
        int.from_bytes(elements.get(number, b""), "little")
        for number in (COMMAND_FIELD, ANSWERED_ID, STATUS)
    ]
    return Response(*numbers, elements.get(ERROR_COMMENT, b"").decode().rstrip())
