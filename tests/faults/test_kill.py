"""kill -9 of the node at three moments: the same results arrive once."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config import AeTitle, PeerAddress
from pipeline.phantom import chest_phantom, write_phantom
from scp.ledger import Ledger
from scp.ledger.jobs import JobLine, job_lines
from scp.ledger.series import all_series
from scp.send import StoreAssociation
from scp.spool import Spool
from scp.state_folder import StateFolder
from tests.support.node import AE_TITLE, NodeProcess, running
from tests.support.orthanc import Orthanc, running_orthanc
from tests.support.tools import store
from tests.support.waiting import wait_for

CT = "1.2.840.10008.5.1.4.1.1.2"
SLICES = 64

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the slices that every test sends."""
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder, chest_phantom(slices=SLICES, size=256))
    return folder


@pytest.fixture(scope="module")
def expected(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The SOP Instance UIDs of the results when nothing is killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with (
        running_orthanc(folder / "orthanc") as orthanc,
        running(NodeProcess(folder / "node", orthanc.destination)) as node,
    ):
        store(phantom, AE_TITLE, node.port)
        node.wait_for_delivery()
        return set(orthanc.instances())


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    """An empty Orthanc."""
    with running_orthanc(tmp_path / "orthanc") as server:
        yield server


@pytest.fixture
def node(tmp_path: Path, orthanc: Orthanc) -> Iterator[NodeProcess]:
    """A node that delivers to Orthanc."""
    with running(NodeProcess(tmp_path / "node", orthanc.destination)) as process:
        yield process


class Watch:
    """Looks into a node's ledger from outside."""

    def __init__(self, node: NodeProcess) -> None:
        self._ledger = Ledger(StateFolder(node.state).ledger)

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def line(self) -> JobLine | None:
        """The only job, once there is one."""
        with self._ledger.read() as connection:
            lines = job_lines(connection)
        return lines[0] if lines else None

    def state(self) -> str:
        """The only job's state."""
        line = self.line()
        return line.job.state.value if line else ""

    def delivered(self) -> int:
        """How many results are confirmed."""
        line = self.line()
        return line.delivered if line else 0

    def received(self) -> int:
        """How many instances the index knows."""
        with self._ledger.read() as connection:
            return sum(count for _, count in all_series(connection))


@pytest.fixture
def watch(node: NodeProcess) -> Iterator[Watch]:
    """Looks into the node's ledger."""
    with closing(Watch(node)) as watch:
        yield watch


def check_once(node: NodeProcess, orthanc: Orthanc, expected: set[str]) -> None:
    """The same SOP Instance UIDs as undisturbed, each once, and one job."""
    node.wait_for_delivery()
    assert set(orthanc.instances()) == expected
    assert [job["state"] for job in node.jobs()["jobs"]] == ["done"]
    assert node.jobs()["series"][0]["instances"] == SLICES


@pytest.mark.parametrize("group", [False, True], ids=["node", "node and children"])
def test_kill_after_the_first_acknowledged_instance(
    node: NodeProcess,
    watch: Watch,
    orthanc: Orthanc,
    phantom: Path,
    expected: set[str],
    *,
    group: bool,
) -> None:
    """What was acknowledged before the kill is there after it; the rest is sent again."""
    first = sorted(phantom.iterdir())[0]
    peer = PeerAddress(AeTitle(AE_TITLE), "127.0.0.1", node.port)
    with StoreAssociation("TEST", peer, [CT], 10.0) as association:
        assert association.send(first, CT) == 0
        node.kill(group=group)
    node.start()
    names = list(Spool(StateFolder(node.state).spool).names())
    assert len(names) == 1
    assert watch.received() == 1
    store(phantom, AE_TITLE, node.port)
    check_once(node, orthanc, expected)


@pytest.mark.parametrize("group", [False, True], ids=["node", "node and children"])
def test_kill_during_the_job(
    node: NodeProcess,
    watch: Watch,
    orthanc: Orthanc,
    phantom: Path,
    expected: set[str],
    *,
    group: bool,
) -> None:
    """A job that was running is run again, with the same results."""
    store(phantom, AE_TITLE, node.port)
    wait_for("the job to run", lambda: watch.state() == "running")
    node.kill(group=group)
    assert watch.state() == "running"
    node.start()
    check_once(node, orthanc, expected)
    line = watch.line()
    assert line is not None
    assert line.job.attempts == 2


@pytest.mark.parametrize("group", [False, True], ids=["node", "node and children"])
def test_kill_during_delivery(
    node: NodeProcess,
    watch: Watch,
    orthanc: Orthanc,
    phantom: Path,
    expected: set[str],
    *,
    group: bool,
) -> None:
    """What was delivered is not made again under other UIDs; the rest follows."""
    store(phantom, AE_TITLE, node.port)
    wait_for("some results to be delivered", lambda: watch.delivered() >= 3, 120.0)
    node.kill(group=group)
    assert 3 <= watch.delivered() < len(expected)
    node.start()
    check_once(node, orthanc, expected)
