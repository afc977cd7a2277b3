"""The journal of rejected associations: durable, and short whatever a flood does."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner
from sqlalchemy import Connection, event

from scp.cli import main
from scp.ledger import Ledger, LedgerError
from scp.ledger.rejections import (
    KEPT,
    KEPT_OF_ADDRESS,
    RejectedAssociations,
    all_rejections,
    record_rejections,
)
from scp.receive.admission import Caller
from scp.receive.rejections import RejectionJournal
from tests.support.waiting import wait_for

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger.sqlite")) as opened:
        opened.migrate()
        yield opened


class _Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def _rejected(
    title: str = "CT", address: str = "192.0.2.7", minute: int = 0
) -> RejectedAssociations:
    at = START + timedelta(minutes=minute)
    return RejectedAssociations(
        calling_ae_title=title,
        called_ae_title="HOUNSFIELD",
        address=address,
        reason="why",
        setting="access.callers",
        count=1,
        first_at=at,
        last_at=at,
    )


def _record(ledger: Ledger, *items: RejectedAssociations) -> None:
    with ledger.write() as connection:
        record_rejections(connection, items)


def _journal(ledger: Ledger) -> list[RejectedAssociations]:
    with ledger.read() as connection:
        return all_rejections(connection)


# In the ledger


def test_alike_ones_are_one_row_with_number_first_and_last_time(ledger: Ledger) -> None:
    _record(ledger, _rejected())
    _record(ledger, replace(_rejected(minute=5), count=3), _rejected("MR", minute=1))
    assert _journal(ledger) == [
        replace(_rejected(), count=4, last_at=START + timedelta(minutes=5)),
        _rejected("MR", minute=1),
    ]


def test_another_reason_is_another_row(ledger: Ledger) -> None:
    _record(ledger, _rejected(), replace(_rejected(), reason="another"))
    assert len(_journal(ledger)) == 2


def test_titles_that_one_address_makes_up_are_kept_apart_up_to_a_number(ledger: Ledger) -> None:
    made_up = [_rejected(f"T{number}") for number in range(100)]
    _record(ledger, *made_up)
    _record(ledger, *made_up, _rejected(address="192.0.2.8"))
    rows = {(row.calling_ae_title, row.address): row.count for row in _journal(ledger)}
    assert len(rows) == KEPT_OF_ADDRESS + 2
    assert rows["T0", "192.0.2.7"] == 2
    assert rows["*", "192.0.2.7"] == 2 * (100 - KEPT_OF_ADDRESS)
    assert rows["CT", "192.0.2.8"] == 1


def test_beyond_the_limit_the_longest_silent_go(ledger: Ledger) -> None:
    _record(ledger, *(_rejected(address=f"a{number}", minute=number) for number in range(KEPT + 5)))
    rows = _journal(ledger)
    assert len(rows) == KEPT
    assert (rows[0].address, rows[-1].address) == (f"a{KEPT + 4}", "a5")


# Behind the receiver


def _caller(title: str = "CT", address: str = "192.0.2.7") -> Caller:
    return Caller(title, "HOUNSFIELD", address)


def test_rejections_are_in_the_ledger_after_the_close(ledger: Ledger) -> None:
    clock = _Clock()
    journal = RejectionJournal(ledger, clock)
    journal.start()
    journal.add(_caller(), "why", "access.callers")
    clock.now += timedelta(minutes=5)
    journal.add(_caller(), "why", "access.callers")
    journal.close(5.0)
    (row,) = _journal(ledger)
    assert row == replace(_rejected(), count=2, last_at=clock.now)


def test_rejections_are_in_the_ledger_soon(ledger: Ledger) -> None:
    """Without a close: a receiver that is killed loses a second of them at most."""
    journal = RejectionJournal(ledger)
    journal.start()
    journal.add(_caller(), "why", "access.callers")
    (row,) = wait_for("the row", lambda: _journal(ledger), 5.0)
    journal.close(5.0)
    assert row.count == 1


@contextmanager
def _counted_transactions(ledger: Ledger) -> Iterator[list[Connection]]:
    seen: list[Connection] = []

    def count(connection: Connection) -> None:
        seen.append(connection)

    event.listen(ledger._engine, "begin", count)
    yield seen
    event.remove(ledger._engine, "begin", count)


def test_flood_costs_few_transactions_and_rows_and_is_counted_to_the_last(ledger: Ledger) -> None:
    """20,000 attempts, each with a title of its own, and from 500 addresses."""
    journal = RejectionJournal(ledger, _Clock())
    with _counted_transactions(ledger) as transactions, structlog.testing.capture_logs() as events:
        journal.start()
        for number in range(20_000):
            journal.add(_caller(f"T{number}", f"a{number % 500}"), "why", "access.callers")
        journal.close(10.0)
    assert len(transactions) < 20
    rows = _journal(ledger)
    assert len(rows) <= KEPT
    assert sum(row.count for row in rows) == 20_000
    assert len(events) < 2000


def test_what_a_peer_writes_into_its_title_cannot_steer_a_terminal(ledger: Ledger) -> None:
    journal = RejectionJournal(ledger)
    journal.start()
    journal.add(Caller("\x1b[2J\nÄ" + "x" * 40, "", "::1"), "a\nb" + "y" * 500, "s")
    journal.close(5.0)
    (row,) = _journal(ledger)
    assert row.calling_ae_title == "?[2J??xxxxxxxxxx"
    assert row.reason.startswith("a?by")
    assert len(row.reason) == 400


class _LockedLedger(Ledger):
    """A ledger that cannot be written at first."""

    failures = 2

    @contextmanager
    def write(self) -> Iterator[Connection]:
        if self.failures:
            self.failures -= 1
            raise LedgerError("locked")
        with super().write() as connection:
            yield connection


def test_rejections_wait_for_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    with closing(_LockedLedger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.failures = 0
        ledger.migrate()
        ledger.failures = 1
        journal = RejectionJournal(ledger, _Clock())
        journal.add(_caller(), "why", "access.callers")
        journal._write()
        journal.add(_caller(), "why", "access.callers")
        journal._write()
        (row,) = _journal(ledger)
    assert row.count == 2


# The command


def test_command_lists_forgets_and_says_so_where_there_are_none(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(f'[node]\nstate = "{tmp_path}"\n')
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.migrate()
        _record(ledger, _rejected(), _rejected("MR", minute=1))

    def rejected(*options: str) -> str:
        answer = CliRunner().invoke(main, ["rejected", "--config", str(site), *options])
        assert answer.exit_code == 0, answer.output
        return answer.output

    listed = json.loads(rejected("--json"))
    assert [item["calling_ae_title"] for item in listed] == ["MR", "CT"]
    assert listed[1]["first_at"] == START.isoformat()
    text = rejected("--clear")
    assert "once: CT -> HOUNSFIELD from 192.0.2.7\n  why\n  setting: access.callers\n" in text
    assert "No association has been rejected." in rejected()
    assert json.loads(rejected("--json")) == []


def test_command_without_a_node_says_what_to_do(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(f'[node]\nstate = "{tmp_path}"\n')
    answer = CliRunner().invoke(main, ["rejected", "--config", str(site)])
    assert answer.exit_code == 1
    assert "no node has run" in answer.output
