"""Peers that mean harm: what they can make a receiver hold is bounded, others are served."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from config import LimitSettings
from tests.support.data_units import (
    ABORT,
    AFFECTED_CLASS,
    AFFECTED_INSTANCE,
    ASSOCIATE_RQ,
    COMMAND_FIELD,
    DATA_SET_TYPE,
    ECHO_CONTEXT,
    EVENT_TYPE,
    MESSAGE_ID,
    N_EVENT_REPORT_RQ,
    NO_DATA_SET,
    P_DATA,
    STORE_CONTEXT,
    Acceptance,
    associate_request,
    command_set,
    message,
    pdu,
    pdv,
    store_command,
    ui,
    us,
)
from tests.support.raw_instances import PATIENT_NAME, SOP_INSTANCE, raw_instance, store
from tests.support.receivers import LoneReceiver, receiving
from tests.support.spooled import other_files, stored_digests
from tests.support.upper_layer import AssociationEndedError, UpperLayerAssociation
from tests.support.waiting import wait_for

PER_ADDRESS = 10
FRAGMENT = bytes(16_000)
FLOOD_S = 5.0
COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
CANARY = "Canary^Sings"


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneReceiver]:
    """A receiver that takes little of one address, and instances of up to 4 MiB."""
    limits = LimitSettings(
        associations_per_address=PER_ADDRESS,
        instance_mb=4,
        free_space_mb=0,
        free_space_percent=0,
    )
    with receiving(LoneReceiver(tmp_path_factory.mktemp("hostile"), limits)) as process:
        with UpperLayerAssociation(process.port) as first:
            first.associate()
            first.release()
        yield process


@pytest.fixture
def attacker(receiver: LoneReceiver) -> Iterator[UpperLayerAssociation]:
    """An association from another address than the others'."""
    with UpperLayerAssociation(receiver.port, source="127.0.0.66") as association:
        association.associate()
        yield association


def check_others_are_served(receiver: LoneReceiver) -> None:
    """A sender from elsewhere associates and stores."""
    with UpperLayerAssociation(receiver.port) as association:
        association.associate()
        instance = raw_instance()
        assert store(association, instance).status == 0
        association.release()
    assert stored_digests(receiver.state)[instance.digest] == 1


def flood(association: UpperLayerAssociation, content: bytes) -> None:
    """Send the same bytes again and again; AssociationEndedError where the peer ends it."""
    until = time.monotonic() + FLOOD_S
    while time.monotonic() < until:
        association.send(content)


def test_a_pdu_of_four_gigabytes_is_not_read(receiver: LoneReceiver) -> None:
    """36: before any association: closed on the length alone."""
    before = receiver.use
    with UpperLayerAssociation(receiver.port, source="127.0.0.66") as association:
        association.send(pdu(ASSOCIATE_RQ, FRAGMENT, length=0xFFFFFFFF))
        with pytest.raises(AssociationEndedError):
            flood(association, FRAGMENT * 64)
    assert receiver.use.rss_mb - before.rss_mb < 10
    check_others_are_served(receiver)


def test_a_data_pdu_of_four_gigabytes_is_not_waited_for(
    receiver: LoneReceiver, attacker: UpperLayerAssociation
) -> None:
    """36: the same within an association: aborted on the length, before any of it came."""
    attacker.send(pdu(P_DATA, length=0xFFFFFFFF))
    assert attacker.read_pdu().kind == ABORT
    check_others_are_served(receiver)


def test_an_endless_command_set_is_cut_off(
    receiver: LoneReceiver, attacker: UpperLayerAssociation
) -> None:
    """37: fragments of a command set that never ends."""
    before = receiver.use
    fragment = pdu(P_DATA, pdv(ECHO_CONTEXT, FRAGMENT, command=True, last=False))
    with pytest.raises(AssociationEndedError):
        flood(attacker, fragment * 64)
    assert receiver.use.rss_mb - before.rss_mb < 10
    check_others_are_served(receiver)


@pytest.mark.parametrize("kind", ["C-STORE", "C-ECHO"])
def test_an_endless_data_set_is_cut_off(
    receiver: LoneReceiver, attacker: UpperLayerAssociation, kind: str
) -> None:
    """37: fragments beyond the largest instance: no memory and no file holds them."""
    before = receiver.use
    command, context = store_command("1.2.840.10008.5.1.4.1.1.2", "1.2.3", 1), STORE_CONTEXT
    if kind == "C-ECHO":
        command, context = command | {COMMAND_FIELD: us(0x0030)}, ECHO_CONTEXT
    attacker.send(message(context, command_set(command)))
    attacker.send(pdu(P_DATA, pdv(context, raw_instance().data_set, command=False, last=False)))
    with pytest.raises(AssociationEndedError):
        flood(attacker, pdu(P_DATA, pdv(context, FRAGMENT, command=False, last=False)) * 64)
    assert receiver.use.rss_mb - before.rss_mb < 20
    wait_for("no temporary to be left", lambda: other_files(receiver.state) == [], 2.0)
    check_others_are_served(receiver)


def test_idle_connections_of_one_address_do_not_shut_out_others(receiver: LoneReceiver) -> None:
    """39: TCP connections that ask for nothing count against their own address only."""
    before = receiver.use
    with ExitStack() as stack:
        for _ in range(3 * PER_ADDRESS):
            idle = UpperLayerAssociation(receiver.port, source="127.0.0.66")
            stack.enter_context(idle)
        check_others_are_served(receiver)
        assert receiver.use.threads - before.threads <= 2 * PER_ADDRESS
        assert not _is_accepted(receiver, "127.0.0.66")
    wait_for("the address to be free again", lambda: _is_accepted(receiver, "127.0.0.66"), 2.0)


def test_connections_that_stay_after_their_end_are_few(receiver: LoneReceiver) -> None:
    """Whoever is aborted and does not close has no slot any more: no threads without end."""
    before = receiver.use
    with ExitStack() as stack:
        for _ in range(300):
            rude = UpperLayerAssociation(receiver.port, source="127.0.0.67")
            stack.enter_context(rude)
            with suppress(AssociationEndedError):
                rude.send(pdu(0xFF))
                rude.read_pdu()
        assert receiver.use.threads - before.threads < 100
        check_others_are_served(receiver)


def _is_accepted(receiver: LoneReceiver, source: str) -> bool:
    with UpperLayerAssociation(receiver.port, source=source) as association:
        try:
            return isinstance(association.negotiate(associate_request()), Acceptance)
        except AssociationEndedError:
            return False


def test_event_reports_start_no_threads_without_end(
    receiver: LoneReceiver, attacker: UpperLayerAssociation
) -> None:
    """41: 300 N-EVENT-REPORT requests in a row."""
    before = receiver.use
    report = {
        AFFECTED_CLASS: ui(COMMITMENT),
        COMMAND_FIELD: us(N_EVENT_REPORT_RQ),
        MESSAGE_ID: us(1),
        DATA_SET_TYPE: us(NO_DATA_SET),
        AFFECTED_INSTANCE: ui(COMMITMENT_INSTANCE),
        EVENT_TYPE: us(1),
    }
    attacker.send(message(ECHO_CONTEXT, command_set(report)) * 300)
    attacker.end_of_sending()
    most = 0
    with suppress(AssociationEndedError):
        while True:
            most = max(most, receiver.use.threads)
            attacker.read_pdu()
    assert most - before.threads < 10
    check_others_are_served(receiver)


def test_a_version_name_forges_no_log_line(receiver: LoneReceiver) -> None:
    """42: control characters in the Implementation Version Name, of a caller that is rejected."""
    forged = b'\n{"event":"x"}\x1b'
    for called in ("HOUNSFIELD", "SOMEONE"):
        with UpperLayerAssociation(receiver.port) as association:
            association.send(associate_request(called=called, version_name=forged))
            association.end_of_sending()
            assert association.read_to_the_end()
    assert "\x1b" not in receiver.log_file.read_text()
    assert "x" not in {event["event"] for event in receiver.events()}


def test_titles_forge_no_log_line(receiver: LoneReceiver) -> None:
    """42: the same in the AE titles, which the log quotes."""
    with UpperLayerAssociation(receiver.port) as association:
        association.send(associate_request(calling="X\n{}\r\x1b[2J", called="Y\nZ"))
        association.end_of_sending()
        association.read_to_the_end()
    assert receiver.events()
    assert "\x1b" not in receiver.log_file.read_text()


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_no_patient_is_in_the_log(tmp_path: Path, level: str) -> None:
    """43: a name in good, damaged and refused instances, at every level."""
    name = ("PN", CANARY.encode())
    instances = [
        raw_instance(changes={PATIENT_NAME: name}),
        raw_instance(changes={PATIENT_NAME: name, SOP_INSTANCE: ("UI", CANARY.encode())}),
        raw_instance(changes={PATIENT_NAME: name, SOP_INSTANCE: None}),
        raw_instance(changes={PATIENT_NAME: ("??", CANARY.encode())}),
        raw_instance(changes={PATIENT_NAME: name, (0x0020, 0x0013): ("IS", CANARY.encode())}),
    ]
    receiver = LoneReceiver(tmp_path, level=level)
    with receiving(receiver), UpperLayerAssociation(receiver.port) as association:
        association.associate()
        for instance in instances:
            store(association, instance)
        damaged = instances[0].data_set.replace(b"PN", b"\xff\xff")
        association.store(instances[0].sop_class, instances[0].sop_instance, damaged)
        command = store_command(CANARY, CANARY, association.next_message_id())
        association.send(message(STORE_CONTEXT, command_set(command), damaged))
        association.release()
    assert "Canary" not in receiver.log_file.read_text()
    assert receiver.events() or level != "debug"
