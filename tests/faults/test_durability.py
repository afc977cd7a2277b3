"""What was acknowledged is on disk: after kills, power loss, full disks, locked ledgers, drops."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from scp.state_folder import StateFolder
from scp.status import Status
from tests.support.data_units import (
    ABORT,
    P_DATA,
    STORE_CONTEXT,
    command_set,
    message,
    pdu,
    pdv,
    store_command,
)
from tests.support.node import NodeProcess, running
from tests.support.raw_instances import RawInstance, raw_instance, store
from tests.support.receivers import LoneReceiver, receivers_of, receiving
from tests.support.spooled import other_files, stored_digests
from tests.support.tools import require
from tests.support.upper_layer import AssociationEndedError, UpperLayerAssociation
from tests.support.waiting import wait_for

SENDERS = 3
SEED = 20_261_121


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[LoneReceiver]:
    """A receiver of its own for each test."""
    with receiving(LoneReceiver(tmp_path)) as process:
        yield process


class Senders:
    """Senders that store one new instance after the other, until their association ends.

    Attributes
    ----------
    acknowledged
        The digests of the data sets that were answered with 0000, over all rounds.
    sent
        The digests of those that were begun.
    """

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.sent: set[str] = set()

    def send_until_killed(self, port: int, kill: Callable[[], None], after: int) -> None:
        """Send from all at once, and kill when so many more were acknowledged."""
        goal = len(self.acknowledged) + after
        with ThreadPoolExecutor(SENDERS) as pool:
            sending = [pool.submit(self._send, port) for _ in range(SENDERS)]
            wait_for("acknowledgements", lambda: len(self.acknowledged) >= goal, 20.0)
            kill()
            for each in sending:
                each.result()

    def _send(self, port: int) -> None:
        with (
            suppress(AssociationEndedError, ConnectionError),
            UpperLayerAssociation(port) as association,
        ):
            association.associate()
            while True:
                instance = raw_instance(50_000)
                self.sent.add(instance.digest)
                assert store(association, instance).status == 0
                self.acknowledged.append(instance.digest)

    def check_kept(self, state: Path) -> None:
        """Each acknowledged instance is there once, and nothing that was never sent."""
        kept = stored_digests(state)
        assert set(self.acknowledged) <= kept.keys() <= self.sent
        assert set(kept.values()) == {1}
        assert other_files(state) == []


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """10: kill -9 of a receiver with 3 senders, 4 rounds; the index is whole again each time."""
    receiver, senders, chance = LoneReceiver(tmp_path), Senders(), random.Random(SEED)
    for _ in range(4):
        receiver.start()
        senders.send_until_killed(receiver.port, receiver.kill, chance.randrange(5, 40))
    with receiving(receiver):
        senders.check_kept(receiver.state)
        assert receiver.indexed() == [sum(stored_digests(receiver.state).values())]


@pytest.mark.slow
def test_thirty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """10: the receivers of a node in 28 rounds, which it starts anew, and the whole node in 2."""
    senders, chance = Senders(), random.Random(SEED)
    with running(NodeProcess(tmp_path / "node", match='{ modality = "MR" }')) as node:
        for number in range(30):
            whole = number % 15 == 14
            kill = (lambda: node.kill(group=True)) if whole else (lambda: _kill_receivers(node))
            senders.send_until_killed(node.port, kill, chance.randrange(5, 40))
            if whole:
                node.start()
            wait_for("receivers to be back", lambda: len(receivers_of(node)) == 2, 20.0)
            senders.check_kept(node.state)
        wait_for("the index", lambda: _indexed(node) == len(stored_digests(node.state)), 20.0)


def _kill_receivers(node: NodeProcess) -> None:
    for process_id in receivers_of(node):
        os.kill(process_id, signal.SIGKILL)


def _indexed(node: NodeProcess) -> int:
    return sum(series["instances"] for series in node.jobs()["series"])


def test_a_full_disk_refuses_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    """13: a file system of 8 MB: A700 in the middle of a transfer, nothing partial is left."""
    node = NodeProcess(
        tmp_path / "node",
        limits={"free_space_mb": 0},
        wrapper=_with_small_disk(tmp_path / "node" / "state" / "spool"),
    )
    with running(node), UpperLayerAssociation(node.port) as association:
        state = Path(f"/proc/{node.pid}/root{node.state}")
        filler = StateFolder(state).spool / "filler"
        filler.write_bytes(bytes(4_000_000))
        association.associate()
        kept, refused = _fill(association)
        assert 1 <= len(kept) < 8
        assert [store(association, each).status for each in refused] == [0xA700] * len(refused)
        filler.unlink()
        for instance in refused:
            assert store(association, instance).status == 0
        association.release()
        assert stored_digests(state) == {each.digest: 1 for each in kept + refused}
        assert other_files(state) == []
    assert _events_about_resources(node) == [
        "out of resources, instances are refused",
        "resources are back, instances are taken again",
    ]


def _events_about_resources(node: NodeProcess) -> list[str]:
    events = [json.loads(line)["event"] for line in node.log_file.read_text().splitlines()]
    return [event for event in events if "resources" in event]


def _with_small_disk(folder: Path) -> tuple[str, ...]:
    """A command that runs another one with 8 MB for a folder; it needs name spaces of its own."""
    folder.mkdir(parents=True)
    apart = (require("unshare"), "--map-root-user", "--mount", "sh", "-c")
    command = (*apart, 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"', str(folder))
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"this machine lets no small file system be mounted: {tried.stderr.strip()}")
    return command


def _fill(association: UpperLayerAssociation) -> tuple[list[RawInstance], list[RawInstance]]:
    """Store instances of 0.9 MB until three are refused: the kept ones and the refused."""
    kept: list[RawInstance] = []
    refused: list[RawInstance] = []
    while len(refused) < 3:
        instance = raw_instance(900_000)
        status = store(association, instance).status
        assert status in (Status.SUCCESS, Status.OUT_OF_RESOURCES)
        (refused if status else kept).append(instance)
    return kept, refused


@pytest.mark.parametrize("locked_s", [1.5, pytest.param(10.0, marks=pytest.mark.slow)])
def test_a_locked_ledger_delays_the_index_only(receiver: LoneReceiver, locked_s: float) -> None:
    """14: answers are 0000, and true, while nobody can write the ledger."""
    instances = [raw_instance(10_000) for _ in range(30)]
    with _locked(StateFolder(receiver.state).ledger):
        until = time.monotonic() + locked_s
        with UpperLayerAssociation(receiver.port) as association:
            association.associate()
            for instance in instances:
                assert store(association, instance).status == 0
                assert stored_digests(receiver.state)[instance.digest] == 1
            association.release()
        assert receiver.indexed() == []
        time.sleep(max(0.0, until - time.monotonic()))
    wait_for("the index", lambda: receiver.indexed() == [len(instances)], 10.0)


def test_rows_that_waited_when_the_receiver_died_are_found_again(tmp_path: Path) -> None:
    """14: acknowledged while the ledger was locked, killed before it was free."""
    receiver = LoneReceiver(tmp_path)
    receiver.start()
    with (
        _locked(StateFolder(receiver.state).ledger),
        UpperLayerAssociation(receiver.port) as association,
    ):
        association.associate()
        assert [store(association, raw_instance()).status for _ in range(3)] == [0, 0, 0]
        receiver.kill()
    assert receiver.indexed() == []
    with receiving(receiver):
        assert receiver.indexed() == [3]


@contextmanager
def _locked(ledger: Path) -> Iterator[None]:
    """Nobody else can write the ledger."""
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@pytest.mark.parametrize("way", ["close", "reset", "abort"])
def test_a_hundred_drops_leave_no_temporary(receiver: LoneReceiver, way: str) -> None:
    """15: peers that vanish in the middle of the data set, in each way there is."""
    half = raw_instance(40_000)
    command = command_set(store_command(half.sop_class, half.sop_instance, 1))
    fragment = pdu(P_DATA, pdv(STORE_CONTEXT, half.data_set[:20_000], command=False, last=False))
    for _ in range(34):
        with UpperLayerAssociation(receiver.port) as association:
            association.associate()
            association.send(message(STORE_CONTEXT, command) + fragment + fragment[:5_000])
            if way == "abort":
                association.send(pdu(ABORT, bytes(4)))
            if way == "reset":
                association.reset()
    wait_for("no temporary to be left", lambda: other_files(receiver.state) == [], 5.0)
    wait_for("no file to be open", lambda: not _open_in_spool(receiver), 5.0)
    assert stored_digests(receiver.state) == Counter()


def _open_in_spool(receiver: LoneReceiver) -> list[str]:
    """Files of the spool that the receiver holds open, those without a name too."""
    spool = str(StateFolder(receiver.state).spool)
    links = []
    for descriptor in Path(f"/proc/{receiver.pid}/fd").iterdir():
        with suppress(OSError):
            links.append(str(descriptor.readlink()))
    return [link for link in links if link.startswith(spool)]
