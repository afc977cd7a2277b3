"""Instances and messages that are wrong: each gets its status, and nothing else is touched."""

import struct
import zlib
from collections.abc import Iterator

import pytest

from config import LimitSettings
from scp.status import Status
from tests.support.data_units import (
    AFFECTED_INSTANCE,
    ANSWERED_ID,
    C_STORE_RQ,
    COMMAND_FIELD,
    CT,
    DATA_SET_TYPE,
    MESSAGE_ID,
    MR,
    NO_DATA_SET,
    P_DATA,
    RELEASE_RP,
    RESPONSE,
    STATUS,
    STORE_CONTEXT,
    ProposedContext,
    Response,
    associate_request,
    command_set,
    echo_command,
    message,
    pdu,
    pdv,
    store_command,
    us,
)
from tests.support.raw_instances import (
    PIXEL_DATA,
    SOP_CLASS,
    SOP_INSTANCE,
    RawInstance,
    bytes_for_checksum,
    nested_sequences,
    new_uid,
    raw_instance,
    store,
)
from tests.support.receivers import LoneReceiver, receiving
from tests.support.spooled import other_files, stored_digests
from tests.support.upper_layer import UpperLayerAssociation
from tests.support.waiting import wait_for

DEFLATED = "1.2.840.10008.1.2.1.99"
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4
BAD_UIDS = ("../../../etc/x", "1.2\nFORGED", "1.2\0.3", "1.2.x", "1" * 65, "")


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneReceiver]:
    """A receiver that takes instances of up to 16 MiB."""
    limits = LimitSettings(instance_mb=16, free_space_mb=0, free_space_percent=0)
    with receiving(LoneReceiver(tmp_path_factory.mktemp("bad"), limits)) as process:
        yield process


@pytest.fixture
def association(receiver: LoneReceiver) -> Iterator[UpperLayerAssociation]:
    """An association of its own for each test."""
    with UpperLayerAssociation(receiver.port) as opened:
        opened.associate()
        yield opened


@pytest.fixture(scope="module")
def bystander(receiver: LoneReceiver) -> Iterator[UpperLayerAssociation]:
    """An association that stays open beside all tests."""
    with UpperLayerAssociation(receiver.port, source="127.0.0.2") as opened:
        opened.associate()
        yield opened
        assert store(opened, raw_instance()).status == 0
        opened.release()


def store_as(
    association: UpperLayerAssociation, instance: RawInstance, elements: dict[int, bytes]
) -> Response:
    """C-STORE with elements of the command changed."""
    number = association.next_message_id()
    command = store_command(instance.sop_class, instance.sop_instance, number) | elements
    association.send(message(STORE_CONTEXT, command_set(command), instance.data_set))
    return association.read_response()


def check_unharmed(receiver: LoneReceiver, association: UpperLayerAssociation) -> None:
    """The association still stores, and nothing of what was refused is left."""
    instance = raw_instance()
    assert store(association, instance).status == 0
    association.release()
    assert stored_digests(receiver.state)[instance.digest] == 1
    assert other_files(receiver.state) == []


@pytest.mark.parametrize("uid", BAD_UIDS, ids=repr)
def test_a_bad_uid_in_the_command_is_refused(
    receiver: LoneReceiver, association: UpperLayerAssociation, uid: str
) -> None:
    """26: neither a path nor a log line can be made of it."""
    instance = raw_instance()
    value = uid.encode() + bytes(len(uid) % 2)
    response = store_as(association, instance, {AFFECTED_INSTANCE: value})
    assert response.status == Status.INVALID_INSTANCE
    check_unharmed(receiver, association)
    assert instance.digest not in stored_digests(receiver.state)
    assert "FORGED" not in {event["event"] for event in receiver.events()}


@pytest.mark.parametrize("uid", BAD_UIDS, ids=repr)
def test_a_bad_uid_in_the_data_set_is_refused(
    receiver: LoneReceiver, association: UpperLayerAssociation, uid: str
) -> None:
    """26: the data set's UIDs are as little trusted as the command's."""
    bad = raw_instance(changes={SOP_INSTANCE: ("UI", uid.encode())})
    assert store(association, bad).status == Status.CANNOT_UNDERSTAND
    check_unharmed(receiver, association)
    assert bad.digest not in stored_digests(receiver.state)


def test_an_instance_without_a_uid_is_refused_with_the_reason(
    receiver: LoneReceiver, association: UpperLayerAssociation
) -> None:
    """27: the others of the association, before it and after it, are kept."""
    before = raw_instance()
    assert store(association, before).status == 0
    response = store(association, raw_instance(changes={SOP_INSTANCE: None}))
    assert response.status == Status.CANNOT_UNDERSTAND
    assert response.comment == "SOPInstanceUID missing"
    check_unharmed(receiver, association)
    assert stored_digests(receiver.state)[before.digest] == 1


def test_a_class_of_another_context_is_refused(
    receiver: LoneReceiver, association: UpperLayerAssociation
) -> None:
    """28: an MR instance on the presentation context of CT."""
    assert store(association, raw_instance(sop_class=MR)).status == Status.SOP_CLASS_NOT_SUPPORTED
    check_unharmed(receiver, association)


@pytest.mark.parametrize(
    "changes",
    [{SOP_CLASS: ("UI", MR.encode())}, {SOP_INSTANCE: ("UI", b"1.2.3.4")}],
    ids=["class", "instance"],
)
def test_a_data_set_that_is_not_what_the_command_says_is_refused(
    receiver: LoneReceiver,
    association: UpperLayerAssociation,
    changes: dict[tuple[int, int], tuple[str, bytes]],
) -> None:
    """29: SOP Class or SOP Instance UID differ: A900."""
    assert store(association, raw_instance(changes=changes)).status == Status.DATA_SET_MISMATCH
    check_unharmed(receiver, association)


def test_the_same_bytes_again_change_nothing_and_other_bytes_are_kept_too(
    receiver: LoneReceiver, association: UpperLayerAssociation
) -> None:
    """30: an identical duplicate is one file, another version under the same UID a second."""
    uid = new_uid()
    first = raw_instance(sop_instance=uid)
    other = raw_instance(
        sop_instance=uid, changes={PIXEL_DATA: ("OW", b"another version of the pixels")}
    )
    for instance in (first, first, other, first):
        assert store(association, instance).status == 0
    kept = stored_digests(receiver.state)
    assert (kept[first.digest], kept[other.digest]) == (1, 1)
    check_unharmed(receiver, association)


def test_versions_with_one_size_and_one_checksum_are_both_kept(
    receiver: LoneReceiver, association: UpperLayerAssociation
) -> None:
    """30: a second version that was made to have the first one's CRC-32."""
    first = raw_instance(sop_instance=new_uid())
    version = first.data_set[:-20] + b"another version."
    fitting = bytes_for_checksum(zlib.crc32(version), zlib.crc32(first.data_set))
    second = RawInstance(first.sop_instance, version + fitting)
    assert zlib.crc32(first.data_set) == zlib.crc32(second.data_set)
    assert [store(association, each).status for each in (first, second)] == [0, 0]
    kept = stored_digests(receiver.state)
    assert (kept[first.digest], kept[second.digest]) == (1, 1)


def test_a_depth_bomb_of_sequences_is_refused(
    receiver: LoneReceiver, association: UpperLayerAssociation
) -> None:
    """31: 200 nested sequences: C000; a few are all right."""
    deep = raw_instance(changes={(0x0008, 0x1110): nested_sequences(200)})
    shallow = raw_instance(changes={(0x0008, 0x1110): nested_sequences(5)})
    assert store(association, deep).status == Status.CANNOT_UNDERSTAND
    assert store(association, shallow).status == 0
    check_unharmed(receiver, association)
    assert "RecursionError" not in receiver.log_file.read_text()


def test_a_deflated_syntax_is_not_negotiated_and_not_inflated(receiver: LoneReceiver) -> None:
    """32: a bomb cannot come: its context is refused, and data on it ends the association."""
    contexts = (ProposedContext(1, CT, (DEFLATED,)), ProposedContext(3, CT))
    instance = raw_instance(1_000_000)
    before = receiver.use
    with UpperLayerAssociation(receiver.port) as association:
        accepted = association.associate(contexts)
        assert accepted.results == {1: TRANSFER_SYNTAXES_NOT_SUPPORTED, 3: 0}
        command = command_set(store_command(CT, instance.sop_instance, 1))
        association.send(message(1, command, instance.data_set))
        association.end_of_sending()
        assert not [answer for answer in association.read_to_the_end() if answer.kind == P_DATA]
    assert instance.digest not in stored_digests(receiver.state)
    assert receiver.use.rss_mb - before.rss_mb < 20


def test_an_absurd_size_is_refused_from_the_header(
    receiver: LoneReceiver, association: UpperLayerAssociation
) -> None:
    """33: 10,000 frames of 65,535 x 65,535 pixels are declared, 64 bytes of them sent."""
    sizes = {
        (0x0028, 0x0008): ("IS", b"10000"),
        (0x0028, 0x0010): ("US", us(65_535)),
        (0x0028, 0x0011): ("US", us(65_535)),
    }
    absurd = raw_instance(changes=dict(sizes))
    before = receiver.use
    assert store(association, absurd).status == Status.CANNOT_UNDERSTAND
    assert receiver.use.rss_mb - before.rss_mb < 5
    check_unharmed(receiver, association)
    assert absurd.digest not in stored_digests(receiver.state)


def _data_first() -> bytes:
    fragment = pdv(STORE_CONTEXT, raw_instance().data_set, command=False, last=True)
    return pdu(P_DATA, fragment)


def _response_of_its_own() -> bytes:
    elements = {
        COMMAND_FIELD: us(C_STORE_RQ | RESPONSE),
        ANSWERED_ID: us(1),
        DATA_SET_TYPE: us(NO_DATA_SET),
        STATUS: us(0),
    }
    return message(STORE_CONTEXT, command_set(elements))


GARBAGE = {
    "empty P-DATA": pdu(P_DATA),
    "PDV without a context": pdu(P_DATA, struct.pack(">I", 0)),
    "PDV without a control header": pdu(P_DATA, struct.pack(">IB", 1, STORE_CONTEXT)),
    "PDV beyond its PDU": pdu(P_DATA, struct.pack(">IBB", 1_000, STORE_CONTEXT, 3) + b"short"),
    "PDV that ends in its length": pdu(P_DATA, b"\0\0"),
    "context that was not proposed": message(99, command_set(echo_command(1))),
    "garbage for a command set": message(STORE_CONTEXT, b"\xff" * 100),
    "empty command set": message(STORE_CONTEXT, b""),
    "command set without a command": message(STORE_CONTEXT, command_set({MESSAGE_ID: us(1)})),
    "command of an unknown kind": message(
        STORE_CONTEXT,
        command_set({COMMAND_FIELD: us(0x0FF0), MESSAGE_ID: us(1), DATA_SET_TYPE: us(NO_DATA_SET)}),
    ),
    "data before a command": _data_first(),
    "responses that nobody waits for": _response_of_its_own() * 100,
    "unknown PDU type": pdu(0x42, bytes(10)),
    "second A-ASSOCIATE-RQ": associate_request(),
    "A-RELEASE-RP without a request": pdu(RELEASE_RP, bytes(4)),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_ends_its_own_association_only(
    receiver: LoneReceiver,
    association: UpperLayerAssociation,
    bystander: UpperLayerAssociation,
    garbage: bytes,
) -> None:
    """35: the association with garbage on it ends, one beside it goes on."""
    association.send(garbage)
    answers = association.read_to_the_end()
    assert not [answer for answer in answers if answer.kind == P_DATA]
    assert bystander.echo() == 0
    wait_for("no temporary to be left", lambda: other_files(receiver.state) == [], 2.0)


def test_command_and_data_set_may_share_a_pdu(
    receiver: LoneReceiver, association: UpperLayerAssociation
) -> None:
    """A whole message in a single P-DATA-TF, twice without waiting for the answer."""
    instances = [raw_instance(), raw_instance()]
    for number, each in enumerate(instances, 1):
        command = command_set(store_command(CT, each.sop_instance, number))
        values = pdv(STORE_CONTEXT, command, command=True, last=True)
        values += pdv(STORE_CONTEXT, each.data_set, command=False, last=True)
        association.send(pdu(P_DATA, values))
    assert [association.read_response().status for _ in instances] == [0, 0]
    kept = stored_digests(receiver.state)
    assert [kept[each.digest] for each in instances] == [1, 1]


@pytest.mark.parametrize("fragment_bytes", [1, 2, 7, 100])
def test_small_fragments_are_put_together(
    receiver: LoneReceiver, association: UpperLayerAssociation, fragment_bytes: int
) -> None:
    """A sender may cut command and data set wherever it wants."""
    instance = raw_instance(301)
    assert store(association, instance, fragment_bytes=fragment_bytes).status == 0
    assert stored_digests(receiver.state)[instance.digest] == 1
