"""Many peers, many associations, many requests at once: nothing is lost and nothing grows."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from config import LimitSettings
from tests.support.data_units import (
    STORE_CONTEXT,
    Acceptance,
    Rejection,
    associate_request,
    command_set,
    message,
    store_command,
)
from tests.support.node import NodeProcess, running
from tests.support.raw_instances import RawInstance, raw_instance, store
from tests.support.receivers import LoneReceiver, descriptor_limit, receiving
from tests.support.spooled import other_files, stored_digests
from tests.support.tracing import slow_syncs
from tests.support.upper_layer import UpperLayerAssociation
from tests.support.waiting import wait_for

SENDERS, REPEATS, SLICES = 20, 5, 6
DESCRIPTORS = 1_100
LOCAL_LIMIT_EXCEEDED = Rejection(result=2, source=3, reason=2)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneReceiver]:
    """A receiver with room for many associations."""
    limits = LimitSettings(
        associations=2_000,
        associations_per_address=2_000,
        pending_requests=128,
        free_space_mb=0,
        free_space_percent=0,
    )
    with receiving(LoneReceiver(tmp_path_factory.mktemp("load"), limits)) as process:
        for _ in range(100):
            associate_and_release(process)
        yield process


def associate_and_release(receiver: LoneReceiver) -> None:
    """One association without any message."""
    with UpperLayerAssociation(receiver.port) as association:
        association.associate()
        association.release()


def check_is_back_to(receiver: LoneReceiver, threads: int, descriptors: int) -> None:
    """Nothing of the associations that ended is held."""
    wait_for("the threads to end", lambda: receiver.use.threads <= threads, 5.0)
    wait_for("descriptors to be closed", lambda: receiver.use.descriptors <= descriptors, 5.0)


def test_twenty_senders_of_one_study_give_each_instance_once(receiver: LoneReceiver) -> None:
    """1: the same study from 20 senders at once, 5 times each: exact counts."""
    study = [raw_instance(20_000) for _ in range(SLICES)]

    def send(number: int) -> list[int]:
        with UpperLayerAssociation(receiver.port, source=f"127.0.1.{number + 1}") as association:
            association.associate()
            statuses = [store(association, each).status for each in study * REPEATS]
            association.release()
            return statuses

    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(senders.map(send, range(SENDERS)))
    assert answers == [[0] * SLICES * REPEATS] * SENDERS
    assert stored_digests(receiver.state) == {each.digest: 1 for each in study}
    assert other_files(receiver.state) == []
    wait_for("the index", lambda: receiver.indexed() == [SLICES], 10.0)


@pytest.mark.parametrize("associations", [300, pytest.param(5_000, marks=pytest.mark.slow)])
def test_associations_leave_nothing_behind(receiver: LoneReceiver, associations: int) -> None:
    """5: the memory of the process grows by less than 5 MB."""
    before = receiver.use
    with ThreadPoolExecutor(4) as peers:
        list(peers.map(lambda _: associate_and_release(receiver), range(associations)))
    check_is_back_to(receiver, before.threads, before.descriptors)
    assert receiver.use.rss_mb - before.rss_mb < 5


def test_health_probes_leave_nothing_behind(receiver: LoneReceiver) -> None:
    """6: connections that are closed at once, as load balancers make them."""
    before = receiver.use
    for _ in range(300):
        UpperLayerAssociation(receiver.port).close()
    check_is_back_to(receiver, before.threads, before.descriptors)
    assert receiver.use.rss_mb - before.rss_mb < 3


def test_requests_ahead_of_their_answers_take_no_memory(receiver: LoneReceiver) -> None:
    """7: 100 C-STOREs of 0.5 MB at once on a slow disk: all are kept, none is held in memory."""
    instances = [raw_instance(500_000) for _ in range(100)]
    before, most = receiver.use, 0.0
    with (
        slow_syncs(receiver.pid, delay_s=0.01),
        UpperLayerAssociation(receiver.port, timeout_s=30.0) as association,
        ThreadPoolExecutor(1) as sender,
    ):
        association.associate()
        sending = sender.submit(_send_all, association, instances)
        statuses = []
        for _ in instances:
            statuses.append(association.read_response().status)
            most = max(most, receiver.use.rss_mb)
        sending.result()
        association.release()
    assert statuses == [0] * len(instances)
    assert most - before.rss_mb < 10
    assert not Counter(each.digest for each in instances) - stored_digests(receiver.state)


def _send_all(association: UpperLayerAssociation, instances: list[RawInstance]) -> None:
    for number, each in enumerate(instances, 1):
        command = command_set(store_command(each.sop_class, each.sop_instance, number))
        association.send(message(STORE_CONTEXT, command, each.data_set))


def test_more_descriptors_than_select_takes(receiver: LoneReceiver) -> None:
    """9: with 1,100 connections open, though the process was started with a limit of 1,024."""
    before = receiver.use
    with descriptor_limit(2 * DESCRIPTORS):
        with ExitStack() as stack:
            for number in range(DESCRIPTORS):
                source = f"127.0.2.{number % 250 + 1}"
                stack.enter_context(UpperLayerAssociation(receiver.port, source=source))
            wait_for("the connections", lambda: receiver.use.descriptors > DESCRIPTORS, 20.0)
            with UpperLayerAssociation(receiver.port) as association:
                association.associate()
                assert store(association, raw_instance()).status == 0
                association.release()
        check_is_back_to(receiver, before.threads, before.descriptors)


def test_one_association_too_many_is_rejected_for_now(tmp_path: Path) -> None:
    """8: the limit is of all receiving processes together; the same peer's retry is accepted."""
    node = NodeProcess(tmp_path / "node", limits={"associations": 4})
    with running(node), ExitStack() as stack:
        held = [stack.enter_context(_accepted(node.port)) for _ in range(4)]
        with UpperLayerAssociation(node.port) as fifth:
            assert fifth.negotiate(associate_request()) == LOCAL_LIMIT_EXCEEDED
        held[0].release()
        stack.enter_context(_accepted(node.port))
        assert [association.echo() for association in held[1:]] == [0, 0, 0]


def _accepted(port: int) -> UpperLayerAssociation:
    """An association, tried again while another one's end is not yet noticed."""

    def retried() -> UpperLayerAssociation | None:
        association = UpperLayerAssociation(port)
        if isinstance(association.negotiate(associate_request()), Acceptance):
            return association
        association.close()
        return None

    return wait_for("the association to be accepted", retried, 2.0)
