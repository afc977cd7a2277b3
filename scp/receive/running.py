"""The life of a receiver process."""

import ctypes
import gc
import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from ctypes import c_double
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

from pynetdicom import evt

from config import Settings
from scp.ledger import Ledger
from scp.log import configure_logging
from scp.proof.docket import Docket
from scp.proof.report import ReportDesk
from scp.receive.commitment import CommitmentDesk
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
GRACE_S = _ASSOCIATION_GRACE_S + _INDEX_GRACE_S
_ERROR_STREAM = 2
_MIB = 2**20
_MOST_DESCRIPTORS = 65536
_STACK_BYTES = 512 * 1024
_M_ARENA_MAX, _ARENAS = -8, 2  # of glibc's mallopt


class ErrorStream:
    """The standard error of the process that starts a receiver, for the receiver to log to.

    The process that receivers are forked from may have been started with another one.
    """

    def __init__(self, handle: Any = None) -> None:
        self._handle = handle

    def __reduce__(self) -> tuple[Any, ...]:
        return ErrorStream, (reduction.DupFd(_ERROR_STREAM),)

    def adopt(self) -> None:
        """Make it this process's own."""
        descriptor = self._handle.detach()
        os.dup2(descriptor, _ERROR_STREAM)
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Task:
    """What a receiver process is told."""

    settings: Settings
    slots: SlotTable
    row: int
    durable: bool


def receive_until_closed(
    task: Task, errors: ErrorStream, line: Connection, backlog_since: c_double
) -> None:
    """The process's whole life.

    It ends by ``_exit``: threads of associations whose peer has stalled would keep it alive.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    errors.adopt()
    settings = task.settings
    configure_logging(settings.log.level, settings.log.format)
    _save_memory()
    _allow_descriptors()
    ledger = Ledger(StateFolder(settings.node.state_folder).ledger)
    index = IndexWriter(ledger, Backlog(backlog_since))
    journal = RejectionJournal(ledger)
    try:
        receiver = _receiver(task, index, journal, ledger)
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


def _receiver(
    task: Task, index: IndexWriter, journal: RejectionJournal, ledger: Ledger
) -> Receiver:
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
    store = StoreHandler(spool, index)
    reports = ReportDesk(Docket(ledger, task.settings.delivery, lambda: datetime.now(UTC)))
    return Receiver(
        task.settings,
        store,
        journal=journal,
        slots=slots,
        handlers=[(evt.EVT_N_EVENT_REPORT, reports)],
        commitments=CommitmentDesk(ledger),
    )


def _save_memory() -> None:
    """Keep the cost of hundreds of threads small: short stacks, few heaps, little to collect."""
    threading.stack_size(_STACK_BYTES)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
    gc.freeze()


def _allow_descriptors() -> None:
    """Open as many files as the system lets us: each association is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _MOST_DESCRIPTORS if most == resource.RLIM_INFINITY else most
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(allowed, _MOST_DESCRIPTORS), most))
