"""Taking a stream of PDUs apart, against the library's own encoding."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.pdu import A_ABORT_RQ, A_RELEASE_RQ, P_DATA_TF

from scp.receive.command import StoreCommand, store_response
from scp.receive.message import MessageReader
from scp.receive.pdu import (
    LARGEST_CONTROL_PDU,
    AbortReason,
    PduReader,
    ProtocolError,
    abort_pdu,
    command_pdus,
)
from scp.status import Status

CT = "1.2.840.10008.5.1.4.1.1.2"
PDU_BYTES = 4096
RELEASE_REQUEST = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"


@dataclass
class Recorder:
    """Takes the place of the services: keeps what it gets."""

    stores: list[tuple[int, StoreCommand, bytes]] = field(default_factory=list)
    others: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    discarded: int = 0

    def begin_store(self, context_id: int, command: StoreCommand) -> "Recording":
        """A C-STORE request begins."""
        return Recording(self, context_id, command)

    def receive(self, context_id: int, command_set: bytes, data_set: bytes) -> None:
        """Another message is complete."""
        self.others.append((context_id, command_set, data_set))


@dataclass
class Recording:
    """A data set on its way."""

    recorder: Recorder
    context_id: int
    command: StoreCommand
    data: bytearray = field(default_factory=bytearray)

    def write(self, pieces: Sequence[memoryview]) -> None:
        """Keep the pieces."""
        for piece in pieces:
            self.data += piece

    def finish(self) -> None:
        """It is complete."""
        self.recorder.stores.append((self.context_id, self.command, bytes(self.data)))

    def discard(self) -> None:
        """It is not."""
        self.recorder.discarded += 1


def encoded(message: DIMSEMessage, context_id: int, largest: int) -> bytes:
    """A message as the library sends it."""
    parts = []
    for values in message.encode_msg(context_id, largest):
        pdu = P_DATA_TF()
        pdu.from_primitive(values)
        parts.append(pdu.encode())
    return b"".join(parts)


def store_request(data_set: bytes, message_id: int = 7) -> DIMSEMessage:
    """A C-STORE request of the library's."""
    primitive = C_STORE()
    primitive.MessageID = message_id
    primitive.AffectedSOPClassUID = CT
    primitive.AffectedSOPInstanceUID = "1.2.3"
    primitive.Priority = 2
    primitive.DataSet = BytesIO(data_set)
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    return message


def echo_request() -> DIMSEMessage:
    """A C-ECHO request of the library's."""
    primitive = C_ECHO()
    primitive.MessageID = 9
    primitive.AffectedSOPClassUID = "1.2.840.10008.1.1"
    message = C_ECHO_RQ()
    message.primitive_to_message(primitive)
    return message


def read(stream: bytes, cuts: Sequence[int] = (), instance_bytes: int = 2**20) -> Recorder:
    """What a stream holds that arrives in pieces; each piece is gone when the next comes."""
    recorder = Recorder()
    reader, messages = PduReader(PDU_BYTES), MessageReader(recorder, 1024, instance_bytes)
    reader.is_established = True
    waiting = bytearray()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for begin, end in pairwise(edges):
        waiting += stream[begin:end]
        buffer = bytearray(waiting)
        position = _take_all(reader, messages, memoryview(buffer))
        messages.flush()
        waiting = waiting[position:]
        buffer[:] = bytes(len(buffer))
    assert not reader.is_inside
    assert not messages.is_inside
    return recorder


def _take_all(reader: PduReader, messages: MessageReader, data: memoryview) -> int:
    position = 0
    while position < len(data):
        thing, used = reader.take(data[position:])
        position += used
        if thing is None and not used:
            break
        if thing is not None and not isinstance(thing, bytes):
            messages.add(thing)
    return position


@given(
    data_sets=st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=3),
    largest=st.integers(20, PDU_BYTES),
    cuts=st.lists(st.integers(1, 12000), max_size=40),
)
def test_instances_arrive_bit_for_bit_however_they_are_cut(
    data_sets: list[bytes], largest: int, cuts: list[int]
) -> None:
    """The library's PDUs of any size, in pieces of any size, with an echo after each instance."""
    echo = encoded(echo_request(), 1, largest)
    stream = b"".join(
        encoded(store_request(data_set, number), 3, largest) + echo
        for number, data_set in enumerate(data_sets)
    )
    recorder = read(stream, cuts)
    assert [(context, data) for context, _, data in recorder.stores] == [
        (3, data_set) for data_set in data_sets
    ]
    assert [command.message_id for _, command, _ in recorder.stores] == [*range(len(data_sets))]
    assert {command.sop_instance_uid for _, command, _ in recorder.stores} == {"1.2.3"}
    assert len(recorder.others) == len(data_sets)


def test_other_pdus_come_whole() -> None:
    """A release request that arrives byte by byte is given when it is complete."""
    reader = PduReader(PDU_BYTES)
    for size in range(len(RELEASE_REQUEST)):
        assert reader.take(memoryview(RELEASE_REQUEST[:size])) == (None, 0)
    assert reader.take(memoryview(RELEASE_REQUEST)) == (RELEASE_REQUEST, len(RELEASE_REQUEST))
    pdu = A_RELEASE_RQ()
    pdu.decode(RELEASE_REQUEST)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"\x09\x00\x00\x00\x00\x04", AbortReason.UNRECOGNIZED_PDU),
        (b"\x00\x00\x00\x00\x00\x04", AbortReason.UNRECOGNIZED_PDU),
        (b"\x04\x00\xff\xff\xff\xff", AbortReason.INVALID_PARAMETER),
        (b"\x04\x00\x00\x00\x00\x00", AbortReason.INVALID_PARAMETER),
        (
            b"\x05\x00" + (LARGEST_CONTROL_PDU + 1).to_bytes(4),
            AbortReason.INVALID_PARAMETER,
        ),
        (b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x05\x01\x03ab", AbortReason.INVALID_PARAMETER),
        (b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x01\x01\x03ab", AbortReason.INVALID_PARAMETER),
        (b"\x04\x00\x00\x00\x00\x09\x00\x00\x00\x04\x01\x03abc", AbortReason.INVALID_PARAMETER),
    ],
    ids=[
        "unknown type",
        "type 0",
        "4 GiB",
        "no PDV",
        "long release",
        "PDV longer than its PDU",
        "PDV shorter than its header",
        "rest that is no PDV",
    ],
)
def test_what_is_no_pdu_is_refused(stream: bytes, reason: AbortReason) -> None:
    """The length is looked at before anything is waited for."""
    with pytest.raises(ProtocolError) as refused:
        read(stream)
    assert refused.value.reason is reason


def test_data_before_the_association_is_refused() -> None:
    """Nothing is buffered for a peer that has not been let in."""
    with pytest.raises(ProtocolError, match="without an association"):
        PduReader(PDU_BYTES).take(memoryview(b"\x04\x00\x00\x00\x10\x00"))


@pytest.mark.parametrize(
    "controls",
    [[2], [0], [3, 3], [3, 1], [1, 0]],
    ids=["data first", "data piece first", "two commands", "command in data", "data in command"],
)
def test_fragments_out_of_order_are_refused(controls: list[int]) -> None:
    """Each fragment has to be what the message is at."""
    command = b"".join(command_pdus(1, _store_command(), 0))[12:]
    stream = b"".join(
        b"\x04\x00"
        + (len(command) + 6).to_bytes(4)
        + (len(command) + 2).to_bytes(4)
        + bytes((1, control))
        + command
        for control in controls
    )
    with pytest.raises(ProtocolError):
        read(stream)


def test_a_message_stays_in_its_context() -> None:
    """A data set under another context than its command's."""
    command = b"".join(command_pdus(1, _store_command(), 0))
    data_set = b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x03\x02ab"
    with pytest.raises(ProtocolError, match="two presentation contexts"):
        read(command + data_set)


@pytest.mark.parametrize("what", ["command", "instance"])
def test_endless_fragments_are_cut_off(what: str) -> None:
    """A byte cap on what one message may be."""
    recorder = Recorder()
    messages = MessageReader(recorder, 1024, 2000)
    reader = PduReader(PDU_BYTES)
    reader.is_established = True
    if what == "instance":
        _take_all(reader, messages, memoryview(b"".join(command_pdus(1, _store_command(), 0))))
    control = b"\x01" if what == "command" else b"\x00"
    piece = memoryview(b"\x04\x00\x00\x00\x02\x06\x00\x00\x02\x02\x01" + control + bytes(512))
    with pytest.raises(ProtocolError, match="more than"):
        _take_all(reader, messages, memoryview(bytes(piece) * 10))
    messages.discard()
    assert recorder.discarded == (what == "instance")


def _store_command() -> bytes:
    """The command set of a C-STORE request, as the library encodes it."""
    (first, *_) = store_request(b"x").encode_msg(1, 0)
    return bytes(first.presentation_data_value_list[0][1][1:])


@given(
    status=st.sampled_from(Status),
    comment=st.text("Out of room, 7", max_size=80),
    largest=st.integers(7, 300) | st.just(0),
    names_instance=st.booleans(),
)
def test_the_response_is_what_the_library_decodes(
    status: Status, comment: str, largest: int, names_instance: bool
) -> None:
    """Our encoding of a C-STORE response, in PDUs of any size."""
    command = StoreCommand(513, CT, "1.2.3", has_data_set=True)
    response = store_response(command, status, comment, names_instance=names_instance)
    message = DIMSEMessage()
    for encoded_pdu in command_pdus(5, response, largest):
        assert not largest or len(encoded_pdu) - 6 <= largest
        pdu = P_DATA_TF()
        pdu.decode(encoded_pdu)
        is_complete = message.decode_msg(pdu.to_primitive())
    assert is_complete
    decoded = message.message_to_primitive()
    assert (decoded.MessageIDBeingRespondedTo, decoded.Status) == (513, status)
    assert (decoded.AffectedSOPInstanceUID == "1.2.3") is names_instance
    assert (decoded.ErrorComment or "").strip() == comment[:64].strip()


def test_a_maximum_length_that_holds_nothing_is_refused() -> None:
    """Else the answer would have no end."""
    with pytest.raises(ProtocolError, match="holds nothing"):
        list(command_pdus(1, b"command", 6))


def test_the_abort_is_what_the_library_decodes() -> None:
    """Source and reason are in their places."""
    pdu = A_ABORT_RQ()
    pdu.decode(abort_pdu(AbortReason.UNEXPECTED_PDU))
    assert (pdu.source, pdu.reason_diagnostic) == (2, 2)


@given(noise=st.binary(max_size=300))
def test_noise_as_a_command_is_never_more_than_no_c_store(noise: bytes) -> None:
    """Whatever comes as a command set, it is told from a C-STORE request without an error."""
    parsed = StoreCommand.parse(noise)
    assert parsed is None or parsed.message_id >= 0
