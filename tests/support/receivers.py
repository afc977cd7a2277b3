"""Receiver processes: one without the rest of a node, which starts in a second, or a node's own."""

import json
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

from config import LimitSettings, LogSettings, NodeSettings, Settings, TlsSettings
from scp.ledger import Ledger
from scp.ledger.series import all_series
from scp.receive.process import ReceiverProcess
from scp.recover import reconcile
from scp.spool import Spool
from scp.state_folder import StateFolder
from tests.support.node import NodeProcess

USUAL_DESCRIPTORS = 1_024
_ERROR_STREAM = 2
# No test shall depend on how full the disk of this machine is.
ANY_FREE_SPACE = LimitSettings(free_space_mb=0, free_space_percent=0)


@dataclass(frozen=True, slots=True)
class Use:
    """What processes hold at one moment."""

    rss_mb: float
    threads: int
    descriptors: int

    @classmethod
    def of(cls, *process_ids: int) -> "Use":
        """What these processes hold together."""
        processes = [psutil.Process(number) for number in process_ids]
        return cls(
            sum(process.memory_info().rss for process in processes) / 2**20,
            sum(process.num_threads() for process in processes),
            sum(process.num_fds() for process in processes),
        )


@dataclass
class LoneReceiver:
    """A receiver process on a free port with a state folder of its own.

    Parameters
    ----------
    folder
        Where state and log go.
    limits, tls, level
        What differs from the defaults; the level is the log's.
    """

    folder: Path
    limits: LimitSettings = ANY_FREE_SPACE
    tls: TlsSettings = field(default_factory=TlsSettings)
    level: Literal["debug", "info", "warning", "error"] = "debug"
    _running: ReceiverProcess | None = None

    @property
    def state(self) -> Path:
        """Its state folder."""
        return self.folder / "state"

    @property
    def log_file(self) -> Path:
        """What it logged."""
        return self.folder / "receiver.log"

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._running is not None
        return self._running.port

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._running is not None
        assert self._running.process.pid is not None
        return self._running.process.pid

    @property
    def use(self) -> Use:
        """What its process holds now."""
        return Use.of(self.pid)

    def start(self) -> None:
        """Prepare the state folder as a node does, and start."""
        folder = StateFolder(self.state)
        folder.prepare()
        spool = Spool(folder.spool)
        spool.prepare()
        with closing(Ledger(folder.ledger)) as ledger:
            ledger.migrate()
            reconcile(spool, ledger)
        settings = Settings(
            node=NodeSettings(state=self.state, receivers=1),
            limits=self.limits,
            tls=self.tls,
            log=LogSettings(level=self.level, format="json"),
        )
        with _errors_into(self.log_file), descriptor_limit(USUAL_DESCRIPTORS):
            self._running = ReceiverProcess.start(settings, 0)

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        assert self._running is not None
        self._running.ask_to_stop()
        self._running.wait()

    def kill(self) -> None:
        """SIGKILL."""
        assert self._running is not None
        self._running.process.kill()
        self._running.process.join()
        self._running.ask_to_stop()

    def indexed(self) -> list[int]:
        """How many instances the ledger has of each series."""
        with closing(Ledger(StateFolder(self.state).ledger)) as ledger, ledger.read() as rows:
            return [instances for _, instances in all_series(rows)]

    def is_alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self._running is not None and self._running.is_alive

    def events(self) -> list[dict[str, Any]]:
        """What it logged so far; every line has to be an event."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]


def receivers_of(node: NodeProcess) -> list[int]:
    """The processes of a node that listen on its port."""
    children = psutil.Process(node.pid).children(recursive=True)
    return sorted(child.pid for child in children if _listens(child, node.port))


def _listens(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):
        connections = process.net_connections("tcp")
        return any(each.status == "LISTEN" and each.laddr.port == port for each in connections)
    return False


@contextmanager
def receiving(receiver: LoneReceiver) -> Iterator[LoneReceiver]:
    """Start a receiver, and stop it; it must have lived until then."""
    receiver.start()
    try:
        yield receiver
        assert receiver.is_alive(), receiver.log_file.read_text()
    finally:
        receiver.stop()


@contextmanager
def descriptor_limit(limit: int) -> Iterator[None]:
    """Let this process, and those that it starts meanwhile, open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < limit:
        pytest.skip(f"this machine allows {hard} open files; {limit} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _errors_into(file: Path) -> Iterator[None]:
    """Let a process that is started within write its standard error to a file."""
    sys.stderr.flush()
    ours = os.dup(_ERROR_STREAM)
    try:
        with file.open("ab") as stream:
            os.dup2(stream.fileno(), _ERROR_STREAM)
        yield
    finally:
        os.dup2(ours, _ERROR_STREAM)
        os.close(ours)
