"""The node: receivers, collector, engine and couriers, started and stopped in order."""

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from config import NodeSettings, Settings
from scp.collect import Collector
from scp.deliver import Courier
from scp.engine.cluster import EmbeddedCluster
from scp.engine.engine import Engine, StageNotes
from scp.ledger import Ledger
from scp.periodic import PeriodicThread
from scp.receive.process import ReceiverProcess, ReceiverStartError
from scp.recover import reconcile
from scp.spool import Spool
from scp.state_folder import StateFolder

_COLLECT_INTERVAL_S = 0.2
_ENGINE_INTERVAL_S = 0.1
_DELIVER_INTERVAL_S = 0.25
_SUPERVISE_INTERVAL_S = 0.5
_RESTART_PAUSE_S = 5.0
_PORT_PATIENCE_S = 10.0
_STOP_TIMEOUT_S = 5.0

log = structlog.get_logger()


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
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Run until `stopping` is set."""
        folder = StateFolder(self.settings.node.state_folder)
        folder.prepare()
        with ExitStack() as stack:
            stack.enter_context(folder.locked())
            ledger = Ledger(folder.ledger)
            stack.callback(ledger.close)
            ledger.migrate()
            spool = Spool(folder.spool)
            spool.prepare()
            reconcile(spool, ledger)
            stack.enter_context(self._threads(folder, ledger, spool))
            receivers = stack.enter_context(self._receivers())
            log.info(
                "listening",
                ae_title=self.settings.node.ae_title,
                host=self.settings.node.host,
                port=receivers[0].port,
                state=str(folder.path),
            )
            self._supervise(receivers)
            log.info("stopping")
        log.info("stopped")

    @contextmanager
    def _threads(self, folder: StateFolder, ledger: Ledger, spool: Spool) -> Iterator[None]:
        """Engine, couriers and collector, from the back to the front."""
        cluster = EmbeddedCluster(self.settings.engine, folder.scratch, StageNotes(ledger))
        engine = Engine(ledger, spool, self.settings, folder.results, cluster)
        engine.recover()
        collector = Collector(ledger, spool, self.settings, awake_since=datetime.now(UTC))
        threads = [
            *self._couriers(folder, ledger),
            PeriodicThread("engine", engine.tick, _ENGINE_INTERVAL_S),
            PeriodicThread("collect", collector.tick, _COLLECT_INTERVAL_S),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for thread in reversed(threads):
                thread.stop()
            deadline = time.monotonic() + _STOP_TIMEOUT_S
            for thread in reversed(threads):
                thread.wait(max(0.0, deadline - time.monotonic()))
            cluster.close()

    def _couriers(self, folder: StateFolder, ledger: Ledger) -> list[PeriodicThread]:
        """One courier a destination."""
        threads = []
        for name, peer in self.settings.peers.items():
            if peer.receives_results:
                courier = Courier(
                    name=name,
                    peer=peer,
                    calling_ae_title=self.settings.node.ae_title,
                    settings=self.settings.delivery,
                    ledger=ledger,
                    results_folder=folder.results,
                    stopping=self.stopping,
                )
                threads.append(PeriodicThread(f"deliver {name}", courier.tick, _DELIVER_INTERVAL_S))
        return threads

    @contextmanager
    def _receivers(self) -> Iterator[list[ReceiverProcess]]:
        """The receiver processes; all share the port of the first."""
        node = self.settings.node
        _wait_for_port(node)
        receivers: list[ReceiverProcess] = []
        try:
            port = node.port
            for _ in range(node.receivers):
                receivers.append(ReceiverProcess.start(self.settings, port))
                port = receivers[0].port
            yield receivers
        finally:
            for receiver in receivers:
                receiver.ask_to_stop()
            for receiver in receivers:
                receiver.wait()

    def _supervise(self, receivers: list[ReceiverProcess]) -> None:
        """Start receivers anew when they die, until the node stops."""
        while not self.stopping.wait(_SUPERVISE_INTERVAL_S):
            for index, receiver in enumerate(receivers):
                if receiver.is_alive:
                    continue
                log.error("receiver died, started anew", pid=receiver.process.pid)
                try:
                    receivers[index] = ReceiverProcess.start(self.settings, receiver.port)
                except ReceiverStartError as error:
                    log.error("receiver not started", reason=str(error))  # noqa: TRY400 - a reason
                    self.stopping.wait(_RESTART_PAUSE_S)


def _wait_for_port(node: NodeSettings) -> None:
    """Raise where another program has the port.

    Receivers share the port among themselves, so binding alone would not tell that a stranger
    shares it too. The receivers of a node that was just killed are given time to go.
    """
    family = socket.AF_INET6 if ":" in node.host else socket.AF_INET
    deadline = time.monotonic() + _PORT_PATIENCE_S
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((node.host, node.port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    raise ReceiverStartError(
                        f"{node.host}:{node.port} cannot be bound: {error.strerror}. Choose "
                        "another node.port or node.host, or stop the program that has it."
                    ) from error
                time.sleep(_SUPERVISE_INTERVAL_S)
            else:
                return
