"""Proof of delivery over loopback: Storage Commitment and C-FIND at a stand-in archive."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt

from config import AeTitle, DeliverySettings, LimitSettings, NodeSettings, Peer, Settings
from scp.deliver import Courier, accept_answers
from scp.ledger import Ledger
from scp.proof.docket import Docket
from scp.proof.prover import Prover
from scp.proof.report import ReportDesk
from scp.receive.commitment import CommitmentDesk
from scp.receive.contexts import STORAGE_COMMITMENT
from scp.receive.index import Backlog, IndexWriter
from scp.receive.server import Receiver
from scp.receive.store import StoreHandler
from scp.spool import Spool
from tests.support.archive import FIND, NOW, Archive, Clock, line, outbox, uids_of
from tests.support.waiting import wait_for

SETTINGS = DeliverySettings(timeout_s=5.0, proof_timeout_s=60.0)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with three results that are due."""
    with outbox(tmp_path) as ledger:
        yield ledger


class Side:
    """Our side: a courier and a prover to one archive, at a time that the test sets."""

    def __init__(self, folder: Path, ledger: Ledger, port: int, proof: str) -> None:
        self.clock = Clock()
        self.ledger = ledger
        peer = Peer.model_validate(
            {"ae_title": "ARCHIVE", "host": "127.0.0.1", "port": port, "proof": proof}
        )
        docket = Docket(ledger, SETTINGS, self.clock)
        self.prover = Prover("pacs", peer, "HOUNSFIELD", docket, Event())
        self.courier = Courier(
            name="pacs",
            peer=peer,
            calling_ae_title="HOUNSFIELD",
            settings=SETTINGS,
            ledger=ledger,
            results_folder=folder / "results",
            stopping=Event(),
            clock=self.clock,
        )

    def send(self) -> None:
        """Send what is due."""
        self.courier.tick(self.clock())

    def prove(self, later_s: float = 0.0) -> None:
        """Ask for proof of what is due, so much later than before."""
        self.clock.now += timedelta(seconds=later_s)
        self.prover.tick(self.clock())

    def counts(self) -> tuple[int, int, int]:
        """Sent, delivered, set aside."""
        job = line(self.ledger)
        return job.sent, job.delivered, job.set_aside


@contextmanager
def receiving(folder: Path, ledger: Ledger) -> Iterator[int]:
    """A receiver that takes reports into the ledger; its port."""
    settings = Settings(
        node=NodeSettings(port=0), limits=LimitSettings(free_space_mb=0, free_space_percent=0)
    )
    spool = Spool(folder / "spool")
    spool.prepare()
    desk = ReportDesk(Docket(ledger, SETTINGS, Clock()))
    store = StoreHandler(spool, IndexWriter(ledger, Backlog(Clock())))
    handlers = [(evt.EVT_N_EVENT_REPORT, desk)]
    receiver = Receiver(settings, store, handlers=handlers, commitments=CommitmentDesk(ledger))
    receiver.start()
    try:
        yield receiver.port
    finally:
        receiver.stop(1.0)


def test_what_was_sent_is_delivered_once_the_archive_commits(
    tmp_path: Path, ledger: Ledger
) -> None:
    """The report comes on the association that asked; one request for all results."""
    archive = Archive()
    with archive.listening(STORAGE_COMMITMENT) as port:
        side = Side(tmp_path, ledger, port, "commitment")
        side.send()
        assert side.counts() == (3, 0, 0)
        side.prove()
        wait_for("the report", lambda: side.counts() == (0, 3, 0), 20.0)
        side.send()
        side.prove(3600)
    assert len(archive.transactions) == 1
    assert set(archive.stored.values()) == {1}


def test_a_report_on_an_association_of_the_archives_is_taken_by_the_receiver(
    tmp_path: Path, ledger: Ledger
) -> None:
    """The archive proposes its own role; the receiver puts the report into the ledger first."""
    with receiving(tmp_path, ledger) as ours:
        archive = Archive(calls_back=ours)
        with archive.listening(STORAGE_COMMITMENT) as port:
            side = Side(tmp_path, ledger, port, "commitment")
            side.prover.stopping.set()  # as if the node ended before any report
            side.send()
            side.prove()
            wait_for("the report", lambda: side.counts() == (0, 3, 0), 20.0)
    assert archive.answers == [0x0000]


def test_what_the_archive_has_lost_is_sent_again(tmp_path: Path, ledger: Ledger) -> None:
    """Reason 0112: the same bytes again after a wait, and asked for again."""
    lost = next(iter(uids_of(tmp_path)))
    archive = Archive(failures={lost: 0x0112})
    with archive.listening(STORAGE_COMMITMENT) as port:
        side = Side(tmp_path, ledger, port, "commitment")
        side.send()
        side.prove()
        wait_for("the report", lambda: side.counts() == (0, 2, 0), 20.0)
        assert "did not commit to it: 0112" in line(ledger).delivery_reason
        archive.failures.clear()
        side.clock.now += timedelta(seconds=6)
        side.send()
        side.prove()
        wait_for("the report", lambda: side.counts() == (0, 3, 0), 20.0)
    assert archive.stored[lost] == 2
    assert {len(versions) for versions in archive.bytes_of.values()} == {1}


@pytest.mark.parametrize(
    ("reason", "state"), [(0x0110, "sent"), (0x0213, "sent"), (0x0119, "set aside")]
)
def test_other_reasons_are_asked_again_or_set_aside(
    tmp_path: Path, ledger: Ledger, reason: int, state: str
) -> None:
    """A failure of the moment is asked again; a conflict of class and instance is no moment's."""
    archive = Archive(failures=dict.fromkeys(uids_of(tmp_path), reason))
    with archive.listening(STORAGE_COMMITMENT) as port:
        side = Side(tmp_path, ledger, port, "commitment")
        side.send()
        side.prove()
        wait_for("the answer", lambda: archive.answers, 20.0)
        assert side.counts() == ((3, 0, 0) if state == "sent" else (0, 0, 3))
        assert f"{reason:04X}" in line(ledger).delivery_reason
        archive.failures.clear()
        side.prove(6)
        expected = (0, 3, 0) if state == "sent" else (0, 0, 3)
        wait_for("the second report", lambda: side.counts() == expected, 20.0)
    assert set(archive.stored.values()) == {1}


def test_a_report_that_never_comes_is_asked_for_again(tmp_path: Path, ledger: Ledger) -> None:
    """After the time of the settings, under a new Transaction UID; the result is not sent again."""
    archive = Archive(is_mute=True)
    with archive.listening(STORAGE_COMMITMENT) as port:
        side = Side(tmp_path, ledger, port, "commitment")
        side.prover.stopping.set()
        side.send()
        side.prove()
        side.prove(59)
        assert len(archive.transactions) == 1
        assert "has not reported yet" in line(ledger).delivery_reason
        archive.is_mute = False
        side.prover.stopping.clear()
        side.prove(2)
        wait_for("the report", lambda: side.counts() == (0, 3, 0), 20.0)
    assert len(set(archive.transactions)) == 2
    assert set(archive.stored.values()) == {1}


def test_a_report_on_nothing_that_was_asked_changes_nothing(tmp_path: Path, ledger: Ledger) -> None:
    """A stranger cannot make a result delivered: it would have to guess the Transaction UID."""
    told = Dataset()
    told.TransactionUID = generate_uid()
    told.ReferencedSOPSequence = [Dataset()]
    with receiving(tmp_path, ledger) as ours, Archive().listening() as port:
        side = Side(tmp_path, ledger, port, "commitment")
        side.send()
        stranger = Archive(calls_back=ours)
        stranger.report(told, 1)
    assert stranger.answers == [0x0115]
    assert side.counts() == (3, 0, 0)


@pytest.mark.parametrize("proof", ["commitment", "readback"])
def test_an_archive_without_the_service_is_set_aside_with_the_setting(
    tmp_path: Path, ledger: Ledger, proof: str
) -> None:
    """It will not offer it later either; what was sent is not called delivered."""
    with Archive().listening() as port:
        side = Side(tmp_path, ledger, port, proof)
        side.send()
        side.prove()
    assert side.counts() == (0, 0, 3)
    assert "set peers.pacs.proof to" in line(ledger).delivery_reason


def test_an_archive_that_refuses_the_request_for_now_is_asked_later(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Status 0213 of the N-ACTION."""
    archive = Archive(action_status=0x0213)
    with archive.listening(STORAGE_COMMITMENT) as port:
        side = Side(tmp_path, ledger, port, "commitment")
        side.send()
        side.prove()
        assert "0213" in line(ledger).delivery_reason
        archive.action_status = 0
        side.prove(6)
        wait_for("the report", lambda: side.counts() == (0, 3, 0), 20.0)


def test_an_archive_that_is_down_is_asked_later_until_it_is_given_up(
    tmp_path: Path, ledger: Ledger
) -> None:
    """The reason says that it was sent, and why the proof could not be had."""
    with Archive().listening() as port:
        side = Side(tmp_path, ledger, port, "commitment")
        side.send()
    side.prove()
    assert side.counts() == (3, 0, 0)
    assert "cannot be reached" in line(ledger).delivery_reason
    side.prove(73 * 3600)
    assert side.counts() == (0, 0, 3)
    assert "given up" in line(ledger).delivery_reason


def test_what_is_found_at_the_archive_is_delivered(tmp_path: Path, ledger: Ledger) -> None:
    """What is not found is waited for first, then sent again: the same bytes."""
    lost = next(iter(uids_of(tmp_path)))
    archive = Archive(forgets={lost})
    with archive.listening(FIND) as port:
        side = Side(tmp_path, ledger, port, "readback")
        side.send()
        side.prove()
        assert side.counts() == (1, 2, 0)
        assert "does not find it" in line(ledger).delivery_reason
        side.prove(61)
        assert side.counts() == (0, 2, 0)
        archive.forgets.clear()
        side.clock.now += timedelta(seconds=6)
        side.send()
        side.prove()
    assert side.counts() == (0, 3, 0)
    assert archive.stored[lost] == 2
    assert {len(versions) for versions in archive.bytes_of.values()} == {1}


def test_an_archive_that_cannot_answer_a_query_now_is_asked_later(
    tmp_path: Path, ledger: Ledger
) -> None:
    archive = Archive(find_status=0xA700)
    with archive.listening(FIND) as port:
        side = Side(tmp_path, ledger, port, "readback")
        side.send()
        side.prove()
        assert side.counts() == (3, 0, 0)
        assert "A700" in line(ledger).delivery_reason
        archive.find_status = 0
        side.prove(6)
    assert side.counts() == (0, 3, 0)


def test_settings_that_ask_for_no_more_proof_take_what_was_answered(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Otherwise it would stay sent for ever."""
    with Archive().listening() as port:
        side = Side(tmp_path, ledger, port, "commitment")
        side.send()
        peer = Peer(ae_title=AeTitle("ARCHIVE"), host="127.0.0.1", port=port)
    accept_answers(ledger, {"pacs": peer}, NOW)
    assert side.counts() == (0, 3, 0)
