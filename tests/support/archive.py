"""A stand-in archive that proves what it has, or fails to as a test says; and an outbox for it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.events import Event
from pynetdicom.presentation import build_role

from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.products import Dialect, Form, Product
from scp.ledger import Ledger
from scp.ledger.jobs import JobLine, job_lines
from scp.ledger.outbox import StoredResult, record_results
from scp.receive.contexts import STORAGE_COMMITMENT
from tests.unit.scp.test_ledger import index, make_job, received

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
INSTANCE = "1.2.840.10008.1.20.1.1"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A time that the test sets."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """The present time."""
        return self.now


@contextmanager
def outbox(folder: Path, count: int = 3, destination: str = "pacs") -> Iterator[Ledger]:
    """A ledger with one job whose results are due; the files lie in ``folder/results``."""
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.migrate()
    index(ledger, received(1), received(2))
    make_job(ledger)
    (folder / "results").mkdir()
    results = []
    for number, dataset in enumerate(phantom_instances(chest_phantom(slices=count, size=32))):
        path = folder / "results" / f"{number}.dcm"
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        uids = str(dataset.SOPInstanceUID), CT, str(dataset.SeriesInstanceUID)
        results.append(StoredResult(*uids, path.name, "ab", Product.SEG, Form().key))
    with ledger.write() as connection:
        record_results(connection, 1, results, {destination: Dialect()}, NOW)
    try:
        yield ledger
    finally:
        ledger.close()


def line(ledger: Ledger) -> JobLine:
    """The only job with its deliveries."""
    with ledger.read() as connection:
        (only,) = job_lines(connection)
    return only


@dataclass
class Archive:
    """Takes C-STORE, N-ACTION of Storage Commitment and C-FIND.

    ``stored`` counts how often each instance came, ``callers`` are the ports that they came from.
    ``failures`` are reasons for what it does not
    commit to, ``forgets`` what it loses. ``calls_back`` is the port that it reports to on
    associations of its own; without it it reports on the one that asked; ``is_mute`` never does.
    """

    failures: dict[str, int] = field(default_factory=dict)
    forgets: set[str] = field(default_factory=set)
    calls_back: int = 0
    is_mute: bool = False
    find_status: int = 0x0000
    action_status: int = 0x0000
    stored: Counter[str] = field(default_factory=Counter)
    bytes_of: dict[str, set[bytes]] = field(default_factory=dict)
    callers: set[int] = field(default_factory=set)
    transactions: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    @contextmanager
    def listening(self, *services: str) -> Iterator[int]:
        """Serve CT storage and these services; the port."""
        entity = ApplicationEntity("ARCHIVE")
        entity.add_supported_context(CT)
        for service in services:
            entity.add_supported_context(service)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._act),
            (evt.EVT_C_FIND, self._find),
        ]
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        try:
            yield server.server_address[1]
        finally:
            for thread in self.threads:
                thread.join(20)
            server.shutdown()

    def report(self, information: Dataset, event_type: int) -> None:
        """Report on a new association; the node's answer goes to ``answers``."""
        entity = ApplicationEntity("ARCHIVE")
        entity.add_requested_context(STORAGE_COMMITMENT)
        association = entity.associate(
            "127.0.0.1",
            self.calls_back,
            ae_title="HOUNSFIELD",
            ext_neg=[build_role(STORAGE_COMMITMENT, scp_role=True)],
        )
        assert association.accepted_contexts[0].as_scp
        self._report_on(association, information, event_type)
        association.release()

    def _store(self, event: Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.stored[uid] += 1
        self.callers.add(int(event.assoc.requestor.port))
        self.bytes_of.setdefault(uid, set()).add(event.request.DataSet.getvalue())
        return 0x0000

    def _act(self, event: Event) -> tuple[int, None]:
        asked = event.action_information
        self.transactions.append(str(asked.TransactionUID))
        if self.action_status or self.is_mute:
            return self.action_status, None
        information, event_type = self._decide(asked)
        report: Callable[[], None] = (
            (lambda: self.report(information, event_type))
            if self.calls_back
            else (lambda: self._report_on(event.assoc, information, event_type))
        )
        self.threads.append(threading.Timer(0.1, report))
        self.threads[-1].start()
        return 0x0000, None

    def _decide(self, asked: Dataset) -> tuple[Dataset, int]:
        told = Dataset()
        told.TransactionUID = asked.TransactionUID
        told.ReferencedSOPSequence, told.FailedSOPSequence = [], []
        for item in asked.ReferencedSOPSequence:
            reason = self.failures.get(item.ReferencedSOPInstanceUID)
            if reason is None:
                told.ReferencedSOPSequence.append(item)
            else:
                item.FailureReason = reason
                told.FailedSOPSequence.append(item)
        event_type = 2 if told.FailedSOPSequence else 1
        for name in ("ReferencedSOPSequence", "FailedSOPSequence"):
            if not told[name].value:
                del told[name]
        return told, event_type

    def _report_on(self, association: Any, information: Dataset, event_type: int) -> None:
        answer, _ = association.send_n_event_report(
            information, event_type, STORAGE_COMMITMENT, INSTANCE
        )
        self.answers.append(int(answer.get("Status", -1)))

    def _find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        if self.find_status:
            yield self.find_status, None
            return
        for uid in self.stored.keys() - self.forgets:
            match = Dataset()
            match.QueryRetrieveLevel = "IMAGE"
            match.SeriesInstanceUID = event.identifier.SeriesInstanceUID
            match.SOPInstanceUID = uid
            yield 0xFF00, match


def uids_of(folder: Path) -> Mapping[str, bytes]:
    """The SOP Instance UIDs of an outbox's results, and their files' content."""
    return {
        str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID): path.read_bytes()
        for path in sorted((folder / "results").glob("*.dcm"))
    }
