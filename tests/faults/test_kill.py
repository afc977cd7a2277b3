"""kill -9 of the node at three moments: the same results arrive once."""

from pathlib import Path

import pytest

from config import AeTitle, PeerAddress
from pipeline.phantom import chest_phantom, write_phantom
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


def state(node: NodeProcess) -> str:
    """The only job's state."""
    jobs = node.jobs()["jobs"]
    return jobs[0]["state"] if jobs else ""


def delivered(node: NodeProcess) -> int:
    """How many results the PACS has confirmed."""
    jobs = node.jobs()["jobs"]
    return jobs[0]["delivered"] if jobs else 0


def check_once(node: NodeProcess, orthanc: Orthanc, expected: set[str]) -> None:
    """The same SOP Instance UIDs as undisturbed, each once, and one job."""
    node.wait_for_delivery()
    assert set(orthanc.instances()) == expected
    assert [job["state"] for job in node.jobs()["jobs"]] == ["done"]
    assert node.jobs()["series"][0]["instances"] == SLICES


@pytest.mark.parametrize("group", [False, True], ids=["node", "node and children"])
def test_kill_after_the_first_acknowledged_instance(
    orthanc_node: NodeProcess,
    orthanc: Orthanc,
    phantom: Path,
    expected: set[str],
    *,
    group: bool,
) -> None:
    """What was acknowledged before the kill is there after it; the rest is sent again."""
    first = sorted(phantom.iterdir())[0]
    peer = PeerAddress(AeTitle(AE_TITLE), "127.0.0.1", orthanc_node.port)
    with StoreAssociation("TEST", peer, [CT], 10.0) as association:
        assert association.send(first, CT) == 0
        orthanc_node.kill(group=group)
    orthanc_node.start()
    names = list(Spool(StateFolder(orthanc_node.state).spool).names())
    assert len(names) == 1
    assert orthanc_node.jobs()["series"][0]["instances"] == 1
    store(phantom, AE_TITLE, orthanc_node.port)
    check_once(orthanc_node, orthanc, expected)


@pytest.mark.parametrize("group", [False, True], ids=["node", "node and children"])
def test_kill_during_the_job(
    orthanc_node: NodeProcess,
    orthanc: Orthanc,
    phantom: Path,
    expected: set[str],
    *,
    group: bool,
) -> None:
    """A job that was running is run again, with the same results."""
    store(phantom, AE_TITLE, orthanc_node.port)
    wait_for("the job to run", lambda: state(orthanc_node) == "running")
    orthanc_node.kill(group=group)
    assert state(orthanc_node) == "running"
    orthanc_node.start()
    check_once(orthanc_node, orthanc, expected)
    assert orthanc_node.jobs()["jobs"][0]["attempts"] == 2


@pytest.mark.parametrize("group", [False, True], ids=["node", "node and children"])
def test_kill_during_delivery(
    orthanc_node: NodeProcess,
    orthanc: Orthanc,
    phantom: Path,
    expected: set[str],
    *,
    group: bool,
) -> None:
    """What was delivered is not made again under other UIDs; the rest follows."""
    store(phantom, AE_TITLE, orthanc_node.port)
    wait_for("some results to be delivered", lambda: delivered(orthanc_node) >= 3, 120.0)
    orthanc_node.kill(group=group)
    assert 3 <= delivered(orthanc_node) < len(expected)
    orthanc_node.start()
    check_once(orthanc_node, orthanc, expected)
