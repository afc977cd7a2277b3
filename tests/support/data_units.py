"""The data units of the DICOM upper layer as bytes: built as a test wants them, and read.

Bad bytes are made by leaving the right way at any layer: a wrong length, another context, half a
data unit. Nothing is checked on the way.

Source: PS3.8 section 9.3 (PDUs) and annex E (P-DATA); PS3.7 section 6.3 and annex E (command sets).
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

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


def read_acceptance(body: bytes) -> Acceptance:
    """What the body of an A-ASSOCIATE-AC says."""
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


def read_values(body: bytes) -> Iterator[tuple[int, bytes]]:
    """(message control header, fragment) of each value of a P-DATA-TF."""
    while body:
        (length,) = struct.unpack(">I", body[:4])
        yield body[5], body[6 : 4 + length]
        body = body[4 + length :]


def responses(answers: Iterable[Pdu]) -> list[Response]:
    """The DIMSE responses among data units, each in one fragment as ours are."""
    return [
        read_response(fragment)
        for answer in answers
        if answer.kind == P_DATA
        for _, fragment in read_values(answer.body)
    ]


def read_response(command: bytes) -> Response:
    """What the command set of a response says."""
    elements = {}
    while command:
        _, number, length = struct.unpack("<HHI", command[:8])
        elements[number] = command[8 : 8 + length]
        command = command[8 + length :]
    field, answered, status = (
        int.from_bytes(elements.get(number, b""), "little")
        for number in (COMMAND_FIELD, ANSWERED_ID, STATUS)
    )
    return Response(field, answered, status, elements.get(ERROR_COMMENT, b"").decode().rstrip())
