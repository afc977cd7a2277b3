"""The node: receivers, collector, engine and couriers, started and stopped in order."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from config import Settings
from scp.certificates.check import check_tls_files
from scp.certificates.watch import INTERVAL_S as CERTIFICATES_INTERVAL_S
from scp.certificates.watch import CertificateWatch
from scp.collect import Collector
from scp.commitment.clerk import CommitmentClerk
from scp.commitment.courier import CommitmentCourier, peers_by_title
from scp.deliver import Courier, accept_answers, set_aside_strangers
from scp.engine.cluster import EmbeddedCluster
from scp.engine.engine import Engine
from scp.ledger import Ledger, LedgerError
from scp.ledger.associations import end_left_open
from scp.ledger.outbox import give_all_back
from scp.periodic import PeriodicThread
from scp.ports import listening_ports, wait_for_port
from scp.proof.docket import Docket
from scp.proof.prover import Prover
from scp.receive.process import ReceiverProcess, ReceiverStartError
from scp.receive.slots import SlotTable
from scp.recover import index_unknown, reconcile
from scp.spool import Spool
from scp.state_folder import StateFolder
from scp.tls_client import ClientTls

_COLLECT_INTERVAL_S = 0.2
_ENGINE_INTERVAL_S = 0.1
_DELIVER_INTERVAL_S = 0.25
_COMMIT_INTERVAL_S = 0.2
_SUPERVISE_INTERVAL_S = 0.2
_RESTART_PAUSE_S = 5.0
_STOP_TIMEOUT_S = 2.0

log = structlog.get_logger()

Tick = tuple[str, Callable[[datetime], None], float]
"""What a periodic thread is called, what it does, and its pause in seconds."""

_NOT_YET = datetime.max.replace(tzinfo=UTC)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Node:
    """A running node.

    Notes
    -----
    Resource handling: `run` holds the state folder's lock, starts everything from the durable end
    to the open door (ledger, spool, engine, couriers, collector, receivers) and stops it the
    other way round. Error handling: what prevents a start is raised as StateFolderError,
    TlsFilesError, PortError, LedgerError or ReceiverStartError; after the start nothing is.
    """

    settings: Settings
    _asked_to_stop: bool = False
    _stopping: threading.Event = field(default_factory=threading.Event)
    _receivers: list[ReceiverProcess] = field(default_factory=list)
    _awake_since: datetime = _NOT_YET
    _slots: SlotTable = field(init=False)

    def __post_init__(self) -> None:
        self._slots = SlotTable.create(self.settings.limits, self.settings.node.receivers)

    def ask_to_stop(self) -> None:
        """End `run` soon; takes no lock, so that a signal handler may call it."""
        self._asked_to_stop = True

    def run(self) -> None:
        """Run until `ask_to_stop` is called."""
        folder = StateFolder(self.settings.node.state_folder)
        folder.prepare()
        with ExitStack() as stack:
            stack.enter_context(folder.locked())
            self._check_doors()
            ledger = Ledger(folder.ledger)
            stack.callback(ledger.close)
            ledger.migrate()
            spool = Spool(folder.spool)
            spool.prepare()
            reconcile(spool, ledger)
            cluster = stack.enter_context(self._threads(folder, ledger, spool))
            stack.enter_context(self._receiving())
            self._awake_since = _now()
            log.info(
                "listening",
                ae_title=self.settings.node.ae_title,
                host=self.settings.node.host,
                port=self._receivers[0].port,
                state=str(folder.path),
            )
            cluster.warm_up(self._algorithms)
            self._supervise(ledger, spool)
            log.info("stopping")
            self._stopping.set()
        log.info("stopped")

    @contextmanager
    def _threads(
        self, folder: StateFolder, ledger: Ledger, spool: Spool
    ) -> Iterator[EmbeddedCluster]:
        """Engine, couriers and collector, from the back to the front; gives the workers."""
        self._recover_deliveries(ledger)
        cluster = EmbeddedCluster(self.settings.engine, folder.scratch)
        engine = Engine(ledger, spool, self.settings, folder.results, cluster)
        engine.recover()
        collector = Collector(
            ledger,
            spool,
            self.settings,
            awake_since=lambda: self._awake_since,
            waits_since=self._waits_since,
        )
        ticks = [
            *self._couriers(folder, ledger),
            *self._provers(ledger),
            *self._commitments(ledger, spool),
            ("engine", engine.tick, _ENGINE_INTERVAL_S),
            ("collect", collector.tick, _COLLECT_INTERVAL_S),
            ("certificates", CertificateWatch(self.settings.tls).tick, CERTIFICATES_INTERVAL_S),
        ]
        threads = [PeriodicThread(*each, self._stopping) for each in ticks]
        for thread in threads:
            thread.start()
        try:
            yield cluster
        finally:
            self._stopping.set()
            deadline = time.monotonic() + _STOP_TIMEOUT_S
            for thread in reversed(threads):
                thread.wait(max(0.0, deadline - time.monotonic()))
            cluster.close()

    def _recover_deliveries(self, ledger: Ledger) -> None:
        """What the couriers of before left, and what the settings say otherwise now."""
        with ledger.write() as connection:
            give_all_back(connection)
        set_aside_strangers(ledger, self.settings.peers)
        accept_answers(ledger, self.settings.peers, _now())

    def _couriers(self, folder: StateFolder, ledger: Ledger) -> list[Tick]:
        """As many couriers a destination as it is sent results over associations at one time."""
        ticks: list[Tick] = []
        for name, peer in self.settings.peers.items():
            for number in range(peer.associations if peer.receives_results else 0):
                courier = Courier(
                    name=name,
                    peer=peer,
                    calling_ae_title=self.settings.node.ae_title,
                    settings=self.settings.delivery,
                    ledger=ledger,
                    results_folder=folder.results,
                    stopping=self._stopping,
                    clock=_now,
                    tls=ClientTls.to(peer, self.settings.tls),
                )
                ticks.append((f"deliver {name} {number}", courier.tick, _DELIVER_INTERVAL_S))
        return ticks

    def _provers(self, ledger: Ledger) -> list[Tick]:
        """One prover a destination that has to prove what it was sent."""
        ticks: list[Tick] = []
        docket = Docket(ledger, self.settings.delivery, _now)
        for name, peer in self.settings.peers.items():
            if peer.receives_results and peer.proof != "status":
                tls = ClientTls.to(peer, self.settings.tls)
                prover = Prover(
                    name, peer, self.settings.node.ae_title, docket, self._stopping, tls
                )
                ticks.append((f"prove {name}", prover.tick, _DELIVER_INTERVAL_S))
        return ticks

    def _commitments(self, ledger: Ledger, spool: Spool) -> list[Tick]:
        """The clerk who decides on storage commitments, and one courier a sender."""
        senders = peers_by_title(self.settings)
        clerk = CommitmentClerk(ledger, spool, senders, self._waits_since, _now)
        ticks: list[Tick] = [("commitments", clerk.tick, _COMMIT_INTERVAL_S)]
        for title, peers in senders.items():
            courier = CommitmentCourier(title, peers, self.settings, ledger, self._stopping, _now)
            ticks.append((f"report commitments to {title}", courier.tick, _COMMIT_INTERVAL_S))
        return ticks

    @property
    def _algorithms(self) -> tuple[str, ...]:
        """What the pipelines run, each named once."""
        steps = (step for each in self.settings.pipelines.values() for step in each.steps)
        return tuple(dict.fromkeys(step.algorithm for step in steps))

    def _waits_since(self) -> datetime | None:
        """When the oldest instance was received that is not in the index yet."""
        waiting = [receiver.waits_since for receiver in self._receivers]
        return min((since for since in waiting if since is not None), default=None)

    @contextmanager
    def _receiving(self) -> Iterator[None]:
        """The receiver processes; all share the port of the first."""
        port = self.settings.node.port
        try:
            for row in range(self.settings.node.receivers):
                self._receivers.append(
                    ReceiverProcess.start(self.settings, port, slots=self._slots, row=row)
                )
                port = self._receivers[0].port
            yield
        finally:
            for receiver in self._receivers:
                receiver.ask_to_stop()
            for receiver in self._receivers:
                receiver.wait()

    def _supervise(self, ledger: Ledger, spool: Spool) -> None:
        """Start receivers anew when they die, until the node is asked to stop."""
        pause_until = 0.0
        while not self._asked_to_stop:
            time.sleep(_SUPERVISE_INTERVAL_S)
            for index, receiver in enumerate(self._receivers):
                if receiver.is_alive or time.monotonic() < pause_until:
                    continue
                try:
                    self._replace(index, ledger, spool)
                except (ReceiverStartError, LedgerError, OSError) as error:
                    log.error("receiver not started", reason=str(error))  # noqa: TRY400 - a reason
                    pause_until = time.monotonic() + _RESTART_PAUSE_S

    def _replace(self, index: int, ledger: Ledger, spool: Spool) -> None:
        """Start a receiver in the place of a dead one, whose index rows died with it."""
        dead = self._receivers[index]
        log.error("receiver died, started anew", pid=dead.process.pid)
        if not any(each.is_alive for each in self._receivers):
            self._awake_since = _NOT_YET
        spool.discard_temporaries(dead.process.pid)
        index_unknown(spool, ledger)
        dead.backlog_since.value = 0.0  # its rows are there, even if no other can be started now
        with ledger.write() as connection:
            end_left_open(connection, _now(), dead.process.pid)
        self._slots.clear(index)
        self._receivers[index] = ReceiverProcess.start(
            self.settings, dead.port, slots=self._slots, row=index
        )
        self._awake_since = _now()

    def _check_doors(self) -> None:
        """Whether the ports and certificates can be used, before anything is opened.

        Raises
        ------
        PortError
            A port cannot be listened on.
        TlsFilesError
            A file of the TLS settings cannot be used.
        """
        check_tls_files(self.settings.tls, _now())
        for port in listening_ports(self.settings):
            wait_for_port(port, lambda: self._asked_to_stop)
