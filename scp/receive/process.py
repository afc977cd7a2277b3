"""A receiver as a process of its own, so that no job ever slows an acknowledgement."""

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from ctypes import c_double
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import RawValue

import structlog

from config import Settings
from scp.ledger import Ledger
from scp.log import configure_logging
from scp.receive.index import Backlog, IndexWriter
from scp.receive.rejections import RejectionJournal
from scp.receive.server import Receiver
from scp.receive.slots import Slots, SlotTable
from scp.receive.store import StoreHandler
from scp.spool import Spool
from scp.state_folder import StateFolder
from scp.tls import TlsFilesError

_ASSOCIATION_GRACE_S = 2.0
_INDEX_GRACE_S = 2.0
_START_TIMEOUT_S = 60.0
_MIB = 2**20
_STACK_BYTES = 512 * 1024
_M_ARENA_MAX, _ARENAS = -8, 2  # of glibc's mallopt
_STOP_TIMEOUT_S = _ASSOCIATION_GRACE_S + _INDEX_GRACE_S + 1.0

log = structlog.get_logger()


class ReceiverStartError(Exception):
    """A receiver could not start; the message says why."""


@dataclass(frozen=True, slots=True)
class ReceiverProcess:
    """A running receiver and the line to it: it stops when the line closes.

    A node that is killed closes the line with it, so no receiver outlives its node.
    """

    process: SpawnProcess
    line: Connection
    port: int
    backlog_since: c_double

    @classmethod
    def start(
        cls,
        settings: Settings,
        port: int,
        *,
        slots: SlotTable | None = None,
        row: int = 0,
        durable: bool = True,
    ) -> "ReceiverProcess":
        """Start a receiver on a port; 0 takes any free one.

        Parameters
        ----------
        settings
            The site's.
        port
            Where to listen without TLS.
        slots
            Shared with other receivers, so that they count associations together.
        row
            This receiver's number among them.
        durable
            False leaves out what makes instances durable; for benchmarks only.

        Raises
        ------
        ReceiverStartError
            It could not bind the port.
        """
        node = settings.node.model_copy(update={"port": port})
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        backlog_since = RawValue(c_double, 0.0)
        table = slots or SlotTable.create(settings.limits)
        process = context.Process(
            target=_receive_until_closed,
            args=(
                _Task(settings.model_copy(update={"node": node}), table, row, durable),
                theirs,
                backlog_since,
            ),
            name="hounsfield-receiver",
        )
        try:
            process.start()
        except OSError as error:
            raise ReceiverStartError(f"no process could be started: {error.strerror}") from error
        theirs.close()
        answer = _first_word(ours)
        if not isinstance(answer, int):
            ours.close()
            process.kill()
            process.join()
            raise ReceiverStartError(str(answer))
        return cls(process, ours, answer, backlog_since)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.is_alive()

    @property
    def waits_since(self) -> datetime | None:
        """When the oldest instance was received that is not in the index yet."""
        since = self.backlog_since.value
        return datetime.fromtimestamp(since, UTC) if since else None

    def ask_to_stop(self) -> None:
        """Close the line; the receiver lets associations end and writes its index."""
        self.line.close()

    def wait(self) -> None:
        """Wait for the end, killing what does not come to it."""
        self.process.join(_STOP_TIMEOUT_S)
        if self.process.is_alive():
            log.warning("receiver killed", pid=self.process.pid)
            self.process.kill()
            self.process.join()


def _first_word(line: Connection) -> int | str:
    """The port that the receiver bound, or why it could not."""
    with suppress(EOFError):
        if line.poll(_START_TIMEOUT_S):
            word: int | str = line.recv()
            return word
    return f"the receiver process was not ready within {_START_TIMEOUT_S:g} s, or ended"


@dataclass(frozen=True, slots=True)
class _Task:
    """What a receiver process is told."""

    settings: Settings
    slots: SlotTable
    row: int
    durable: bool


def _receive_until_closed(task: _Task, line: Connection, backlog_since: c_double) -> None:
    """The process's whole life.

    It ends by ``_exit``: threads of associations whose peer has stalled would keep it alive.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    settings = task.settings
    configure_logging(settings.log.level, settings.log.format)
    _save_memory()
    ledger = Ledger(StateFolder(settings.node.state_folder).ledger)
    index = IndexWriter(ledger, Backlog(backlog_since))
    journal = RejectionJournal(ledger)
    try:
        receiver = _receiver(task, index, journal)
    except TlsFilesError as error:
        line.send(str(error))
        return
    except OSError as error:
        line.send(f"{settings.node.host}:{settings.node.port} cannot be bound: {error.strerror}")
        return
    index.start()
    journal.start()
    receiver.start()
    with suppress(EOFError, OSError):
        line.send(receiver.port)
        line.recv()
    receiver.stop(_ASSOCIATION_GRACE_S)
    index.close(_INDEX_GRACE_S)
    journal.close(_INDEX_GRACE_S)
    ledger.close()
    sys.stderr.flush()
    os._exit(0)


def _receiver(task: _Task, index: IndexWriter, journal: RejectionJournal) -> Receiver:
    """The receiver on its spool.

    Raises
    ------
    OSError
        A port cannot be bound.
    TlsFilesError
        A file of the TLS settings cannot be used.
    """
    limits = task.settings.limits
    spool = Spool(
        StateFolder(task.settings.node.state_folder).spool,
        reserve_bytes=limits.free_space_mb * _MIB,
        reserve_percent=limits.free_space_percent,
        durable=task.durable,
    )
    slots = Slots(task.slots, task.row, limits)
    return Receiver(task.settings, StoreHandler(spool, index), journal=journal, slots=slots)


def _save_memory() -> None:
    """Keep the cost of hundreds of threads small: short stacks, few heaps, little to collect."""
    threading.stack_size(_STACK_BYTES)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
    gc.freeze()
