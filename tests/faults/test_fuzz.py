"""44: damage at every layer of a good association; what is acknowledged is on disk all the same.

hypothesis draws scripts of seeds; a seed says how one case is damaged. Damaged data sets go over
one association and each is to be answered. A damaged message, or a stream of damaged data units,
has an association of its own, and then our half of the connection is closed: the receiver has to
end it at once, however many bytes it still wanted.

What was acknowledged is found by reading our own bytes back as the standard says, so that damage
which happens to be legal is compared with what it really said.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scp.ledger import Ledger
from scp.recover import index_unknown
from scp.spool import Spool
from scp.state_folder import StateFolder
from scp.status import Status
from tests.support.data_units import (
    C_STORE_RQ,
    RESPONSE,
    responses,
)
from tests.support.mutations import damaged_command, damaged_instance, damaged_stream
from tests.support.node import NodeProcess, running
from tests.support.raw_instances import raw_instance, store
from tests.support.reading_back import StoreMessages
from tests.support.receivers import Use, receivers_of
from tests.support.spooled import other_files, stored_digests
from tests.support.upper_layer import AssociationEndedError, UpperLayerAssociation
from tests.support.waiting import wait_for

PART = 10
CASES_OF_A_SCRIPT = 4 * PART
WARM_UP = 10
ANSWERS = {Status.SUCCESS, Status.DATA_SET_MISMATCH, Status.CANNOT_UNDERSTAND}

seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class Script:
    """The seeds of some cases of each kind."""

    data_sets: list[int]
    commands: list[int]
    streams: list[int]


def _some(count: int) -> st.SearchStrategy[list[int]]:
    return st.lists(seeds, min_size=count, max_size=count)


scripts = st.builds(Script, _some(2 * PART), _some(PART), _some(PART))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with its two receivers that leaves all series waiting."""
    folder = tmp_path_factory.mktemp("fuzz") / "node"
    with running(NodeProcess(folder, quiet_time_s=3_600)) as process:
        wait_for("both receivers", lambda: len(receivers_of(process)) == 2)
        yield process


@dataclass
class Fuzzing:
    """Plays scripts, and keeps what the node acknowledged."""

    port: int
    acknowledged: set[str] = field(default_factory=set)
    cases: int = 0

    def play(self, script: Script) -> None:
        """All cases of a script."""
        self._data_sets(script.data_sets)
        for damage, numbers in (
            (damaged_command, script.commands),
            (damaged_stream, script.streams),
        ):
            for seed in numbers:
                self._last_words(damage(Random(seed)))
        self.cases += CASES_OF_A_SCRIPT

    def _data_sets(self, numbers: list[int]) -> None:
        with UpperLayerAssociation(self.port) as association:
            association.associate()
            for seed in numbers:
                instance = damaged_instance(Random(seed))
                status = store(association, instance).status
                assert status in ANSWERS
                if status == Status.SUCCESS:
                    self.acknowledged.add(instance.digest)
            association.release()

    def _last_words(self, stream: bytes) -> None:
        with UpperLayerAssociation(self.port) as association:
            association.associate()
            with suppress(AssociationEndedError):
                association.send(stream)
            association.end_of_sending()
            answers = responses(association.read_to_the_end())
        said = StoreMessages.of(stream)
        for answer in answers:
            if answer.command_field == C_STORE_RQ | RESPONSE and answer.status == Status.SUCCESS:
                assert said.digests.get(answer.message_id), "acknowledged what never was complete"
                self.acknowledged.add(said.digests[answer.message_id].pop(0))


@contextmanager
def steady_sender(port: int) -> Iterator[set[str]]:
    """A sender beside all that on one association; the digests of what it stored."""
    stored: set[str] = set()
    stopping = threading.Event()
    failures: list[BaseException] = []

    def send() -> None:
        try:
            with UpperLayerAssociation(port, source="127.0.0.2") as association:
                association.associate()
                while not stopping.wait(0.02):
                    instance = raw_instance(2_000)
                    assert store(association, instance).status == 0
                    stored.add(instance.digest)
                association.release()
        except BaseException as error:  # noqa: BLE001 - raised by the test
            failures.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield stored
    finally:
        stopping.set()
        thread.join()
    assert not failures, failures
    assert stored


def explore(play: Callable[[Script], None], examples: int) -> None:
    """Let hypothesis draw so many scripts, the same each time."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(scripts)
    def cases(script: Script) -> None:
        play(script)

    cases()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("examples", "least"), [(10, 400), pytest.param(500, 20_000, marks=pytest.mark.slow)]
)
def test_damage_harms_nobody(node: NodeProcess, tmp_path: Path, examples: int, least: int) -> None:
    """The node stays up, memory flat, another sender undisturbed, each acknowledgement true.

    Without its index all of it would be found again, however damaged.
    """
    before = receivers_of(node)
    fuzzing = Fuzzing(node.port)
    with steady_sender(node.port) as stored:
        explore(fuzzing.play, WARM_UP)
        warm = Use.of(*before)
        explore(fuzzing.play, examples)
        used = Use.of(*before)
    assert fuzzing.cases >= least
    assert used.rss_mb - warm.rss_mb < 10
    assert receivers_of(node) == before
    kept = stored_digests(node.state)
    assert fuzzing.acknowledged | stored <= kept.keys()
    assert other_files(node.state) == []
    wait_for("the index", lambda: indexed(node) == sum(kept.values()), 20.0)
    assert all(json.loads(line) for line in node.log_file.read_text().splitlines())
    assert found_again(node, tmp_path) == sum(kept.values())


def indexed(node: NodeProcess) -> int:
    """How many instances the ledger has."""
    return sum(series["instances"] for series in node.jobs()["series"])


def found_again(node: NodeProcess, folder: Path) -> int:
    """How many instances of the spool go into a ledger that knows none."""
    with closing(Ledger(folder / "anew.sqlite")) as ledger:
        ledger.migrate()
        return index_unknown(Spool(StateFolder(node.state).spool), ledger)
