"""Peers that stop in the middle, drip, or never read: each deadline frees what they hold."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config import LimitSettings
from tests.support.data_units import (
    P_DATA,
    STORE_CONTEXT,
    Acceptance,
    associate_request,
    command_set,
    message,
    pdu,
    pdv,
    store_command,
)
from tests.support.node import NodeProcess, running
from tests.support.raw_instances import raw_instance, store
from tests.support.receivers import LoneReceiver, receiving
from tests.support.spooled import other_files
from tests.support.tracing import slow_syncs
from tests.support.upper_layer import AssociationEndedError, UpperLayerAssociation
from tests.support.waiting import wait_for

LIMITS = LimitSettings(
    associations=1,
    negotiation_timeout_s=0.8,
    idle_timeout_s=1.0,
    fragment_timeout_s=0.8,
    pdu_timeout_s=1.0,
    answer_timeout_s=0.8,
    free_space_mb=0,
    free_space_percent=0,
)
LONGEST_S = 1.0
MARGIN_S = 2.0  # the peer is given a second to read that it was aborted, before we close


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneReceiver]:
    """A receiver with short deadlines and room for one association."""
    with receiving(LoneReceiver(tmp_path_factory.mktemp("stalled"), LIMITS)) as process:
        yield process


def associated(receiver: LoneReceiver) -> UpperLayerAssociation:
    """An association, as soon as the only slot is free."""

    def accepted() -> UpperLayerAssociation | None:
        association = UpperLayerAssociation(receiver.port)
        if isinstance(association.negotiate(associate_request()), Acceptance):
            return association
        association.close()
        return None

    return wait_for("the slot to be free", accepted, MARGIN_S)


def store_request() -> bytes:
    """A whole C-STORE-RQ of several PDUs."""
    instance = raw_instance(8_000)
    command = command_set(store_command(instance.sop_class, instance.sop_instance, 1))
    return message(STORE_CONTEXT, command, instance.data_set, 4_000)


def says_nothing(receiver: LoneReceiver) -> UpperLayerAssociation:
    return UpperLayerAssociation(receiver.port)


def half_a_request(receiver: LoneReceiver) -> UpperLayerAssociation:
    association = UpperLayerAssociation(receiver.port)
    association.send(associate_request()[:100])
    return association


def no_message(receiver: LoneReceiver) -> UpperLayerAssociation:
    return associated(receiver)


def half_a_header(receiver: LoneReceiver) -> UpperLayerAssociation:
    association = associated(receiver)
    association.send(store_request()[:3])
    return association


def half_a_pdu(receiver: LoneReceiver) -> UpperLayerAssociation:
    association = associated(receiver)
    association.send(store_request()[:2_000])
    return association


def half_a_message(receiver: LoneReceiver) -> UpperLayerAssociation:
    """The command and a first whole data fragment."""
    association = associated(receiver)
    instance = raw_instance(8_000)
    command = command_set(store_command(instance.sop_class, instance.sop_instance, 1))
    fragment = pdv(STORE_CONTEXT, instance.data_set[:4_000], command=False, last=False)
    association.send(message(STORE_CONTEXT, command) + pdu(P_DATA, fragment))
    return association


def drip(association: UpperLayerAssociation, content: bytes) -> None:
    """Send byte after byte; AssociationEndedError where the peer has enough of it."""
    until = time.monotonic() + 3 * (LONGEST_S + MARGIN_S)
    for byte in content:
        if time.monotonic() > until:
            return
        association.send(bytes([byte]))
        association.listen(0.05)


STALLS = [says_nothing, half_a_request, no_message, half_a_header, half_a_pdu, half_a_message]


@pytest.mark.parametrize("stall", STALLS, ids=lambda stall: stall.__name__)
def test_a_peer_that_stops_is_cut_off_and_its_slot_is_free(
    receiver: LoneReceiver, stall: Callable[[LoneReceiver], UpperLayerAssociation]
) -> None:
    """16: a stall at any place: closed by the deadline of that place, the slot free at once."""
    with stall(receiver) as stalled:
        since = time.monotonic()
        stalled.read_to_the_end()
        assert time.monotonic() - since < LONGEST_S + MARGIN_S
    with associated(receiver) as another:
        assert another.echo() == 0
        another.release()
    assert other_files(receiver.state) == []


@pytest.mark.parametrize("during", ["negotiation", "data"])
def test_a_byte_now_and_then_is_no_progress(receiver: LoneReceiver, during: str) -> None:
    """17: a byte each 50 ms keeps no PDU open beyond its deadline."""
    dripping, content = UpperLayerAssociation(receiver.port), associate_request()
    if during == "data":
        dripping.close()
        dripping, content = associated(receiver), store_request()
    since = time.monotonic()
    with dripping, pytest.raises(AssociationEndedError):
        drip(dripping, content)
    assert time.monotonic() - since < LONGEST_S + MARGIN_S


def test_a_peer_that_never_reads_is_cut_off(receiver: LoneReceiver) -> None:
    """Answers that nobody takes: the association ends, and the slot is free for another."""
    with associated(receiver) as association:
        association.release()
    refused = command_set(store_command("1.2/3", "1" * 64, 1))
    requests = message(STORE_CONTEXT, refused, b"") * 100
    with (
        UpperLayerAssociation(receiver.port, receive_bytes=2_048, timeout_s=10.0) as deaf,
        pytest.raises(AssociationEndedError),
    ):
        deaf.send(associate_request() + requests * 1_000)
    with associated(receiver) as another:
        assert another.echo() == 0


def test_storing_longer_than_every_timeout_keeps_the_association(receiver: LoneReceiver) -> None:
    """21: the peer waits for us, not we for the peer: no deadline of its runs meanwhile."""
    with associated(receiver) as association:
        with slow_syncs(receiver.pid, delay_s=2.0):
            since = time.monotonic()
            assert store(association, raw_instance()).status == 0
            assert time.monotonic() - since > LONGEST_S
        assert association.echo() == 0
        association.release()


def test_sigterm_ends_the_node_whatever_its_peers_do(tmp_path: Path) -> None:
    """20: peers that stall in negotiation, in a PDU and between PDUs: exit within 10 s."""
    with running(NodeProcess(tmp_path / "node")) as node:
        silent, negotiating, storing, idle = (UpperLayerAssociation(node.port) for _ in range(4))
        with silent, negotiating, storing, idle:
            negotiating.send(associate_request()[:100])
            storing.associate()
            storing.send(store_request()[:6_000])
            idle.associate()
            since = time.monotonic()
            assert node.terminate() == 0
            assert time.monotonic() - since < 10
