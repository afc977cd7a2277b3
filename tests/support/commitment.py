"""Storage commitment: a node's part in this process, and a sender that asks and listens."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.events import Event

from config import AeTitle, DeliverySettings, LimitSettings, NodeSettings, Peer, Settings
from scp.commitment.clerk import CommitmentClerk
from scp.commitment.courier import CommitmentCourier, peers_by_title
from scp.ledger import Ledger
from scp.ledger.commitments import CommitmentLine, all_commitments
from scp.periodic import PeriodicThread
from scp.receive.commitment import CommitmentDesk
from scp.receive.contexts import STORAGE_COMMITMENT
from scp.receive.index import Backlog, IndexWriter
from scp.receive.server import Receiver
from scp.receive.store import StoreHandler
from scp.spool import Spool
from tests.support.node import AE_TITLE
from tests.support.waiting import wait_for

INSTANCE = "1.2.840.10008.1.20.1.1"
SENDER = "SENDER"
_TICK_S = 0.02

Reference = tuple[str, str]
"""SOP Class and Instance UID."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a sender was told."""

    event_type: int
    transaction_uid: str
    committed: list[Reference]
    failed: dict[str, int]
    on_new_association: bool


@dataclass
class Sender:
    """Asks for commitment, and takes reports on its own associations or as a listener.

    ``status`` is what it answers to reports.
    """

    status: int = 0x0000
    reports: list[Report] = field(default_factory=list)

    def associate(self, port: int, *, title: str = SENDER) -> Association:
        """An association for requests; reports are taken on it."""
        entity = ApplicationEntity(title)
        entity.dimse_timeout = 20
        entity.add_requested_context(STORAGE_COMMITMENT)
        association = entity.associate(
            "127.0.0.1",
            port,
            ae_title=AE_TITLE,
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._take, [False])],
        )
        assert association.is_established
        assert association.accepted_contexts
        return association

    def ask(self, port: int, references: Sequence[Reference], *, uid: str = "") -> str:
        """Ask on an association that ends at once; the Transaction UID."""
        association = self.associate(port)
        uid = uid or generate_uid()
        assert ask_on(association, references, uid) == 0x0000
        association.release()
        return uid

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[int]:
        """Take reports on associations of the node's; the port."""
        entity = ApplicationEntity(SENDER)
        entity.add_supported_context(STORAGE_COMMITMENT, scu_role=False, scp_role=True)
        server = entity.start_server(
            ("127.0.0.1", port),
            block=False,
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._take, [True])],
        )
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()

    def wait_for_report(self, number: int = 1) -> Report:
        """The report of this number."""
        wait_for(f"report {number}", lambda: len(self.reports) >= number, 20.0)
        return self.reports[number - 1]

    def _take(self, event: Event, on_new_association: bool) -> tuple[int, None]:
        told = event.event_information
        self.reports.append(
            Report(
                int(event.event_type or 0),
                str(told.TransactionUID),
                [_pair(item) for item in told.get("ReferencedSOPSequence", ())],
                {
                    str(item.ReferencedSOPInstanceUID): int(item.FailureReason)
                    for item in told.get("FailedSOPSequence", ())
                },
                on_new_association,
            )
        )
        return self.status, None


def _pair(item: Dataset) -> Reference:
    return str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)


def ask_on(
    association: Association,
    references: Sequence[Reference],
    uid: str,
    *,
    instance: str = INSTANCE,
    action: int = 1,
) -> int:
    """Send an N-ACTION request; the status of the answer."""
    answer, _ = association.send_n_action(
        request(references, uid), action, STORAGE_COMMITMENT, instance
    )
    return int(answer.Status)


def request(references: Sequence[Reference], uid: str) -> Dataset:
    """The Action Information of a request."""
    asked = Dataset()
    asked.TransactionUID = uid
    asked.ReferencedSOPSequence = []
    for sop_class, sop_instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
        asked.ReferencedSOPSequence.append(item)
    return asked


@dataclass
class CommittingNode:
    """Receiver, clerk and couriers on one ledger and spool."""

    port: int
    ledger: Ledger
    spool: Spool

    def lines(self) -> list[CommitmentLine]:
        """What ``hounsfield commitments`` lists."""
        with self.ledger.read() as connection:
            return all_commitments(connection)


def peer(port: int) -> Peer:
    """The sender, in the node's settings."""
    return Peer(ae_title=AeTitle(SENDER), host="127.0.0.1", port=port, role="sender")


@contextmanager
def committing(folder: Path, **peers: Peer) -> Iterator[CommittingNode]:
    """Take and report commitments with these peers in the settings."""
    settings = Settings(
        node=NodeSettings(port=0),
        limits=LimitSettings(free_space_mb=0, free_space_percent=0),
        delivery=DeliverySettings(first_retry_s=0.2, longest_retry_s=0.2, timeout_s=5.0),
        peers=peers,
    )
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(Ledger(folder / "ledger.sqlite")))
        ledger.migrate()
        spool = Spool(folder / "spool")
        spool.prepare()
        since: Any = _Since()
        index = IndexWriter(ledger, Backlog(since))
        receiver = Receiver(
            settings, StoreHandler(spool, index), commitments=CommitmentDesk(ledger)
        )
        index.start()
        stack.callback(index.close, 2.0)
        receiver.start()
        stack.callback(receiver.stop, 1.0)
        stack.enter_context(_ticking(settings, ledger, spool, since))
        yield CommittingNode(receiver.port, ledger, spool)


@dataclass
class _Since:
    """Takes the place of shared memory."""

    value: float = 0.0

    def __call__(self) -> datetime | None:
        return datetime.fromtimestamp(self.value, UTC) if self.value else None


@contextmanager
def _ticking(settings: Settings, ledger: Ledger, spool: Spool, since: _Since) -> Iterator[None]:
    """Clerk and couriers, as a node runs them."""
    stopping = threading.Event()
    senders = peers_by_title(settings)
    ticks = [CommitmentClerk(ledger, spool, senders, since, _now).tick] + [
        CommitmentCourier(title, peers, settings, ledger, stopping, _now).tick
        for title, peers in senders.items()
    ]
    threads = [PeriodicThread("commitments", tick, _TICK_S, stopping) for tick in ticks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.wait(10.0)


def _now() -> datetime:
    return datetime.now(UTC)
