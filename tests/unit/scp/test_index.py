"""Writing the index behind the receiver."""

import sqlite3
from contextlib import closing
from ctypes import c_double
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from scp.ledger import Ledger
from scp.ledger.series import all_series
from scp.receive.index import Backlog, IndexBacklogError, IndexWriter
from tests.support.waiting import wait_for
from tests.unit.scp.test_ledger import received

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def test_backlog_tells_the_oldest_waiting_row() -> None:
    """The shared value is its time, and 0 when nothing waits."""
    since = c_double(0.0)
    backlog = Backlog(since)
    backlog.add(NOW)
    backlog.add(NOW + timedelta(seconds=5))
    assert since.value == NOW.timestamp()
    backlog.remove(1)
    assert since.value == NOW.timestamp() + 5
    backlog.remove(1)
    assert since.value == 0.0


def test_a_row_that_is_refused_does_not_count_as_waiting() -> None:
    """Else no series would ever be concluded again."""
    since = c_double(0.0)
    backlog = Backlog(since, limit=1)
    backlog.add(NOW)
    with pytest.raises(IndexBacklogError, match="1 index rows wait"):
        backlog.add(NOW + timedelta(seconds=5))
    backlog.remove(1)
    assert since.value == 0.0


def test_rows_wait_for_a_locked_ledger_and_are_written(tmp_path: Path) -> None:
    """No row is lost while the ledger cannot be written, and the backlog says so."""
    since = c_double(0.0)
    file = tmp_path / "ledger.sqlite"
    with closing(Ledger(file)) as ledger:
        ledger.migrate()
        writer = IndexWriter(ledger, Backlog(since))
        writer.start()
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(3):
                writer.add(received(number))
            assert since.value > 0
            other.execute("ROLLBACK")
        wait_for("the backlog to be written", lambda: since.value == 0.0)
        writer.close(5.0)
        with ledger.read() as connection:
            ((_, count),) = all_series(connection)
    assert count == 3


def test_an_error_that_waiting_does_not_mend_ends_the_receiver(tmp_path: Path) -> None:
    """Else instances would be acknowledged that no series ever has."""
    ended = Event()

    class Unforeseen(Ledger):
        def write(self) -> Any:
            raise RuntimeError("PATIENT^NAME")

    with closing(Unforeseen(tmp_path / "ledger.sqlite")) as ledger:
        writer = IndexWriter(ledger, Backlog(c_double(0.0)), give_up=ended.set)
        writer.start()
        writer.add(received(1))
        wait_for("the receiver to be given up", ended.is_set)
