"""The node: receivers, collector, engine and couriers, started and stopped in order."""

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from config import Settings
from scp.collect import Collector
from scp.deliver import Courier, set_aside_strangers
from scp.engine.cluster import EmbeddedCluster
from scp.engine.engine import Engine
from scp.ledger import Ledger, LedgerError
from scp.periodic import PeriodicThread
from scp.receive.process import ReceiverProcess, ReceiverStartError
from scp.recover import index_unknown, reconcile
from scp.spool import Spool
from scp.state_folder import StateFolder

_COLLECT_INTERVAL_S = 0.2
_ENGINE_INTERVAL_S = 0.1
_DELIVER_INTERVAL_S = 0.25
_SUPERVISE_INTERVAL_S = 0.2
_RESTART_PAUSE_S = 5.0
_PORT_PATIENCE_S = 10.0
_STOP_TIMEOUT_S = 2.0

log = structlog.get_logger()

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
    LedgerError or ReceiverStartError; after the start nothing is.
    """

    settings: Settings
    _asked_to_stop: bool = False
    _stopping: threading.Event = field(default_factory=threading.Event)
    _receivers: list[ReceiverProcess] = field(default_factory=list)
    _awake_since: datetime = _NOT_YET

    def ask_to_stop(self) -> None:
        """End `run` soon; takes no lock, so that a signal handler may call it."""
        self._asked_to_stop = True

    def run(self) -> None:
        """Run until `ask_to_stop` is called."""
        folder = StateFolder(self.settings.node.state_folder)
        folder.prepare()
        with ExitStack() as stack:
            stack.enter_context(folder.locked())
            self._wait_for_port()
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
        set_aside_strangers(ledger, self.settings.peers)
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
            ("engine", engine.tick, _ENGINE_INTERVAL_S),
            ("collect", collector.tick, _COLLECT_INTERVAL_S),
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

    def _couriers(
        self, folder: StateFolder, ledger: Ledger
    ) -> list[tuple[str, Callable[[datetime], None], float]]:
        """One courier a destination."""
        ticks: list[tuple[str, Callable[[datetime], None], float]] = []
        for name, peer in self.settings.peers.items():
            if peer.receives_results:
                courier = Courier(
                    name=name,
                    peer=peer,
                    calling_ae_title=self.settings.node.ae_title,
                    settings=self.settings.delivery,
                    ledger=ledger,
                    results_folder=folder.results,
                    stopping=self._stopping,
                    clock=_now,
                )
                ticks.append((f"deliver {name}", courier.tick, _DELIVER_INTERVAL_S))
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
            for _ in range(self.settings.node.receivers):
                self._receivers.append(ReceiverProcess.start(self.settings, port))
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
        self._awake_since = _NOT_YET
        spool.discard_temporaries(dead.process.pid)
        index_unknown(spool, ledger)
        self._receivers[index] = ReceiverProcess.start(self.settings, dead.port)
        self._awake_since = _now()

    def _wait_for_port(self) -> None:
        """Raise where another program has the port.

        Receivers share the port among themselves, so binding alone would not tell that a stranger
        shares it too. The receivers of a node that was just killed are given time to go.
        """
        node = self.settings.node
        deadline = time.monotonic() + _PORT_PATIENCE_S
        while (error := _binding_error(node.host, node.port)) is not None:
            waiting_helps = error.errno == errno.EADDRINUSE and time.monotonic() < deadline
            if self._asked_to_stop or not waiting_helps:
                raise ReceiverStartError(
                    f"{node.host}:{node.port} cannot be bound: {error.strerror}. Choose another "
                    "node.port or node.host, or stop the program that has it."
                ) from error
            time.sleep(_SUPERVISE_INTERVAL_S)


def _binding_error(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None
