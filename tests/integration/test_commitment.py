"""Storage commitment over loopback: the node in this process, pynetdicom as the sender."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from pipeline.phantom import chest_phantom, phantom_instances
from scp.ledger import CommitmentState
from scp.receive.contexts import STORAGE_COMMITMENT
from scp.status import Status
from tests.support.commitment import (
    CommittingNode,
    Reference,
    Sender,
    ask_on,
    committing,
    peer,
)
from tests.support.ports import free_port
from tests.support.sending import send
from tests.support.waiting import wait_for

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
BEYOND_OURS = "1.2.840.10008.5.1.4.1.1.1"


@pytest.fixture(scope="module")
def slices() -> list[Dataset]:
    return list(phantom_instances(chest_phantom(slices=3, size=32)))


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def listener(sender: Sender) -> Iterator[int]:
    """The port where the sender takes reports."""
    with sender.listening() as port:
        yield port


@pytest.fixture
def node(tmp_path: Path, listener: int) -> Iterator[CommittingNode]:
    """A node that knows the sender."""
    with committing(tmp_path, sender=peer(listener)) as running:
        yield running


def references(slices: list[Dataset]) -> list[Reference]:
    return [(str(each.SOPClassUID), str(each.SOPInstanceUID)) for each in slices]


def wait_until_ended(node: CommittingNode) -> CommitmentState:
    """The state of the only request, once it is over."""

    def ended() -> CommitmentState | None:
        (line,) = node.lines()
        return None if line.state is CommitmentState.PENDING else line.state

    return wait_for("the request to end", ended, 20.0)


def test_what_was_just_acknowledged_is_committed_on_the_same_association(
    tmp_path: Path, node: CommittingNode, sender: Sender, slices: list[Dataset]
) -> None:
    """Asked right behind the last C-STORE response: all are found, index row written or not."""
    send(tmp_path / "sent", slices, node.port)
    association = sender.associate(node.port)
    uid = generate_uid()
    assert ask_on(association, references(slices), uid) == Status.SUCCESS
    report = sender.wait_for_report()
    assert (report.event_type, report.transaction_uid) == (1, uid)
    assert report.committed == references(slices)
    assert not report.failed
    assert not report.on_new_association
    assert wait_until_ended(node) is CommitmentState.REPORTED
    association.release()
    assert len(sender.reports) == 1


def test_a_sender_that_has_left_is_called(
    tmp_path: Path, node: CommittingNode, sender: Sender, slices: list[Dataset]
) -> None:
    send(tmp_path / "sent", slices, node.port)
    uid = sender.ask(node.port, references(slices))
    report = sender.wait_for_report()
    assert (report.event_type, report.transaction_uid) == (1, uid)
    assert report.on_new_association
    assert wait_until_ended(node) is CommitmentState.REPORTED


def test_what_is_not_held_is_named_with_its_reason(
    tmp_path: Path, node: CommittingNode, sender: Sender, slices: list[Dataset]
) -> None:
    """One committed, one never sent, one of another class, one of a class that is not kept."""
    send(tmp_path / "sent", slices[:2], node.port)
    held, as_mr = references(slices)[:2]
    asked = [held, (CT, "1.2.3"), (MR, as_mr[1]), (BEYOND_OURS, "1.2.4")]
    association = sender.associate(node.port)
    ask_on(association, asked, generate_uid())
    report = sender.wait_for_report()
    association.release()
    assert report.event_type == 2
    assert report.committed == [held]
    assert report.failed == {"1.2.3": 0x0112, as_mr[1]: 0x0119, "1.2.4": 0x0122}


def test_an_instance_whose_file_is_gone_is_not_committed(
    tmp_path: Path, node: CommittingNode, sender: Sender, slices: list[Dataset]
) -> None:
    """The ledger has its row; the spool is the truth."""
    send(tmp_path / "sent", slices[:1], node.port)
    (name,) = node.spool.names()
    node.spool.path(name).unlink()
    association = sender.associate(node.port)
    ask_on(association, references(slices[:1]), generate_uid())
    assert sender.wait_for_report().failed == {str(slices[0].SOPInstanceUID): 0x0112}
    association.release()


def test_the_same_request_again_gets_the_stored_answer_again(
    tmp_path: Path, node: CommittingNode, sender: Sender, slices: list[Dataset]
) -> None:
    """Even where the instance has come since; other instances under the same UID are refused."""
    association = sender.associate(node.port)
    uid = generate_uid()
    ask_on(association, references(slices[:1]), uid)
    first = sender.wait_for_report()
    send(tmp_path / "sent", slices[:1], node.port)
    assert ask_on(association, references(slices[:1]), uid) == Status.SUCCESS
    assert sender.wait_for_report(2) == first
    assert first.failed
    assert ask_on(association, references(slices), uid) == Status.DUPLICATE_TRANSACTION
    association.release()
    assert len(node.lines()) == 1


def test_a_sender_that_is_down_is_called_again(
    tmp_path: Path, sender: Sender, slices: list[Dataset]
) -> None:
    """The report waits with its reason until the sender listens."""
    port = free_port()
    with committing(tmp_path, sender=peer(port)) as node:
        sender.ask(node.port, references(slices))
        wait_for("a failed attempt", lambda: node.lines()[0].attempts, 20.0)
        assert "cannot be reached" in node.lines()[0].reason
        with sender.listening(port):
            assert sender.wait_for_report().event_type == 2
            assert wait_until_ended(node) is CommitmentState.REPORTED


def test_a_report_that_the_sender_refuses_on_its_association_is_tried_on_a_new_one(
    node: CommittingNode, sender: Sender, slices: list[Dataset]
) -> None:
    """And what it refuses for good there is set aside with its answer."""
    sender.status = 0x0115
    association = sender.associate(node.port)
    ask_on(association, references(slices), generate_uid())
    assert sender.wait_for_report(2).on_new_association
    association.release()
    assert wait_until_ended(node) is CommitmentState.SET_ASIDE
    assert "answered 0115" in node.lines()[0].reason


def test_a_stranger_that_has_left_is_set_aside(
    tmp_path: Path, sender: Sender, slices: list[Dataset]
) -> None:
    """No peer has its AE title: the reason names the setting."""
    with committing(tmp_path) as node:
        sender.ask(node.port, references(slices))
        assert wait_until_ended(node) is CommitmentState.SET_ASIDE
        assert "peers.NAME.ae_title" in node.lines()[0].reason


def test_the_plain_way_reports_on_a_new_association(
    tmp_path: Path, sender: Sender, listener: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the library's own server serves, requests are kept and reported all the same."""
    monkeypatch.setattr("scp.receive.server.missing_hooks", lambda: ["Association.gone"])
    with committing(tmp_path, sender=peer(listener)) as node:
        uid = sender.ask(node.port, [(CT, "1.2.3")])
        assert sender.wait_for_report().transaction_uid == uid
        assert wait_until_ended(node) is CommitmentState.REPORTED


def test_requests_that_are_none_are_refused(node: CommittingNode, sender: Sender) -> None:
    """Each with its status; the association goes on, and nothing is kept."""
    association = sender.associate(node.port)
    asked = [(CT, "1.2.3")]
    assert ask_on(association, asked, "1.2", instance="1.2.9") == Status.NO_SUCH_INSTANCE
    assert ask_on(association, asked, "1.2", action=2) == Status.NO_SUCH_ACTION
    assert ask_on(association, [], "1.2") == Status.INVALID_ARGUMENT
    assert ask_on(association, asked, "") == Status.INVALID_ARGUMENT
    assert association.accepted_contexts[0].abstract_syntax == STORAGE_COMMITMENT
    association.release()
    assert node.lines() == []
