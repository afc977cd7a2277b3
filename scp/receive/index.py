"""Writing the index of received instances behind the receiver, in batches."""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from ctypes import c_double
from datetime import datetime

import structlog

from scp.ledger import Ledger, LedgerError
from scp.ledger.associations import EndedAssociation, record_end
from scp.ledger.series import ReceivedInstance, index_instances

_BATCH = 500
_BACKLOG = 100_000
_FAILED = 70  # EX_SOFTWARE of sysexits.h
_RETRY_S = 1.0
_GATHER_S = 0.2

log = structlog.get_logger()

_Row = ReceivedInstance | EndedAssociation


class IndexBacklogError(Exception):
    """The ledger has not taken rows for so long that no more are kept in memory."""


class Backlog:
    """Since when a received instance waits for its index row; readable from another process.

    The node concludes no series while a row of it may still be on its way.

    Parameters
    ----------
    since
        Shared memory for the time stamp of the oldest waiting row, 0 where none waits.
    limit
        Rows that may wait at one time.
    """

    def __init__(self, since: c_double, limit: int = _BACKLOG) -> None:
        self._since = since
        self._limit = limit
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def add(self, received_at: datetime) -> None:
        """Count a row that waits from now on.

        Raises
        ------
        IndexBacklogError
            Too many rows wait; this one is not counted.
        """
        with self._lock:
            if len(self._times) >= self._limit:
                raise IndexBacklogError(f"{self._limit} index rows wait for the ledger")
            self._times.append(received_at.timestamp())
            self._since.value = self._times[0]

    def remove(self, count: int) -> None:
        """Take off the oldest rows."""
        with self._lock:
            for _ in range(count):
                self._times.popleft()
            self._since.value = self._times[0] if self._times else 0.0


def _end_process() -> None:
    os._exit(_FAILED)


class IndexWriter:
    """A thread that takes over durable instances and writes their index rows.

    Parameters
    ----------
    ledger
        Where the rows go.
    backlog
        Told what waits.

    Notes
    -----
    Error handling: while the ledger cannot be written the rows wait in memory and are tried
    again. Rows lost with the process are found again in the spool at the next start, so no
    acknowledgement ever waits for the ledger. On an error that trying again would not mend the
    process ends: the node starts another, which finds the rows.
    """

    def __init__(
        self, ledger: Ledger, backlog: Backlog, give_up: Callable[[], object] = _end_process
    ) -> None:
        self._ledger = ledger
        self._backlog = backlog
        self._give_up = give_up
        self._rows: queue.SimpleQueue[_Row | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, row: ReceivedInstance) -> None:
        """Hand over one row; never waits.

        Raises
        ------
        IndexBacklogError
            Too many rows wait.
        """
        self._backlog.add(row.received_at)
        self._rows.put(row)

    def end(self, ended: EndedAssociation) -> None:
        """Hand over how an association ended that brought instances; never waits."""
        self._rows.put(ended)

    def close(self, timeout_s: float) -> None:
        """Write what waits, then stop; what is left after the timeout the next start finds."""
        self._closing.set()
        self._rows.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._write_batches()
        except Exception as error:  # noqa: BLE001 - logged without its message, and not survived
            log.critical("index writer failed, the receiver ends", error=type(error).__name__)
            self._give_up()

    def _write_batches(self) -> None:
        for batch in self._batches():
            while not self._written(batch):
                if self._closing.wait(_RETRY_S):
                    log.error("index rows left for the next start", rows=len(batch))
                    return
            self._backlog.remove(sum(isinstance(row, ReceivedInstance) for row in batch))

    def _batches(self) -> Iterator[list[_Row]]:
        """Batches of what waits, until the mark of the end.

        A transaction costs as much as receiving an instance: rows are gathered before each.
        """
        while (row := self._rows.get()) is not None:
            batch = [row]
            self._closing.wait(_GATHER_S)
            with suppress(queue.Empty):
                while len(batch) < _BATCH and (row := self._rows.get_nowait()) is not None:
                    batch.append(row)
            yield batch
            if row is None:
                return

    def _written(self, batch: list[_Row]) -> bool:
        try:
            with self._ledger.write() as connection:
                index_instances(
                    connection, [row for row in batch if isinstance(row, ReceivedInstance)]
                )
                for row in batch:
                    if isinstance(row, EndedAssociation):
                        record_end(connection, row)
        except LedgerError as error:
            log.warning("index not written, tried again", rows=len(batch), reason=str(error))
            return False
        return True
