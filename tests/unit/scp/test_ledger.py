"""The ledger: schema, index, series, jobs, outbox."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from pipeline.products import Dialect, Form, Product
from scp.ledger import DeliveryState, JobState, Ledger, LedgerError, SeriesState
from scp.ledger.jobs import (
    Job,
    NewJob,
    create_job,
    fail_job,
    find_job,
    finish_job,
    input_names,
    job_lines,
    queued_jobs,
    requeue,
    requeue_running,
    start_job,
)
from scp.ledger.outbox import (
    StoredResult,
    claim_due,
    mark_delivered,
    postpone,
    record_results,
    set_aside,
)
from scp.ledger.schema import metadata
from scp.ledger.series import (
    ReceivedInstance,
    all_series,
    conclude_series,
    index_instances,
    instances_of,
    is_own_result,
    receiving_series,
)

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
LEASE = timedelta(minutes=10)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A new ledger."""
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.migrate()
        yield ledger


def received(number: int, **changes: object) -> ReceivedInstance:
    """The index row of one instance of a series."""
    row = ReceivedInstance(
        name=f"name-{number}",
        sop_instance_uid=f"1.2.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        study_instance_uid="1.1",
        series_instance_uid="1.2",
        modality="CT",
        calling_ae_title="SENDER",
        called_ae_title="HOUNSFIELD",
        size_bytes=10,
        received_at=NOW + timedelta(seconds=number),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def index(ledger: Ledger, *rows: ReceivedInstance) -> int:
    """Add rows to the index."""
    with ledger.write() as connection:
        return index_instances(connection, rows)


def make_job(ledger: Ledger, **changes: object) -> Job:
    """A job on the only series."""
    new = NewJob(
        series_id=1,
        revision=1,
        route="all",
        pipeline="chest",
        destinations=("pacs",),
        instance_names=("name-1", "name-2"),
        created_at=NOW,
    )
    with ledger.write() as connection:
        number = create_job(connection, replace(new, **changes))  # type: ignore[arg-type]
        job = find_job(connection, number)
    assert job is not None
    return job


def results(*numbers: int) -> list[StoredResult]:
    """Results of a job."""
    return [
        StoredResult(f"2.{n}", "1.2.840", "2.99", f"1-x/{n}.dcm", "ab", Product.SEG, Form().key)
        for n in numbers
    ]


def test_migrations_make_the_schema_and_can_be_repeated(ledger: Ledger) -> None:
    """The migrations end in exactly the tables that the code uses."""
    ledger.migrate()
    with ledger.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_commits_are_durable(ledger: Ledger) -> None:
    """WAL with synchronous=FULL and foreign keys on, on every connection."""
    with ledger.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "x.sqlite").write_bytes(b"something else entirely, and long enough" * 100)
    with (
        closing(Ledger(tmp_path / "x.sqlite")) as ledger,
        pytest.raises(LedgerError, match="cannot be used: file is not a database"),
    ):
        ledger.migrate()


def test_opening_where_no_node_has_run_says_so(tmp_path: Path) -> None:
    """A command on an empty state folder does not make a ledger."""
    with pytest.raises(LedgerError, match="no node has run"):
        Ledger.open(tmp_path / "ledger.sqlite")
    assert not list(tmp_path.iterdir())


def test_index_counts_each_instance_once(ledger: Ledger) -> None:
    """The same row again, alone or in a batch, changes nothing."""
    assert index(ledger, received(1), received(2), received(2)) == 2
    assert index(ledger, received(1), received(3)) == 1
    with ledger.read() as connection:
        ((series, count),) = all_series(connection)
    assert (count, series.revision, series.state) == (3, 1, SeriesState.RECEIVING)
    assert series.first_received_at == NOW + timedelta(seconds=1)
    assert series.last_received_at == NOW + timedelta(seconds=3)


def test_one_series_sent_to_two_ae_titles_is_two(ledger: Ledger) -> None:
    """Each called AE title has its own routes, so its own series."""
    index(ledger, received(1), received(2, called_ae_title="OTHER"))
    with ledger.read() as connection:
        assert [count for _, count in all_series(connection)] == [1, 1]


def test_a_late_instance_opens_the_next_revision(ledger: Ledger) -> None:
    """A concluded series is received again, and says so by its revision."""
    index(ledger, received(1))
    with ledger.write() as connection:
        (series,) = receiving_series(connection)
        assert conclude_series(connection, series, SeriesState.COMPLETE)
        assert receiving_series(connection) == []
    index(ledger, received(1))
    index(ledger, received(2))
    with ledger.read() as connection:
        (series,) = receiving_series(connection)
        assert series.revision == 2
        assert [item.name for item in instances_of(connection, series.id)] == ["name-1", "name-2"]


def test_a_series_is_not_concluded_over_an_instance_that_came_in_between(ledger: Ledger) -> None:
    """What the collector saw must still be so when it concludes."""
    index(ledger, received(1))
    with ledger.read() as connection:
        (seen,) = receiving_series(connection)
    index(ledger, received(2))
    with ledger.write() as connection:
        assert not conclude_series(connection, seen, SeriesState.COMPLETE)
        assert len(receiving_series(connection)) == 1


def test_content_time_is_frozen_for_equal_settings(ledger: Ledger) -> None:
    """A second attempt keeps the time of the first; changed settings take a new one."""
    index(ledger, received(1), received(2))
    job = make_job(ledger)
    later = NOW + timedelta(hours=1)
    with ledger.write() as connection:
        first = start_job(connection, job, "digest", NOW)
        assert first == NOW.replace(microsecond=0)
        again = find_job(connection, job.id)
        assert again is not None
        assert start_job(connection, again, "digest", later) == first
        assert start_job(connection, again, "other", later) == later.replace(microsecond=0)
        attempted = find_job(connection, job.id)
    assert attempted is not None
    assert (attempted.attempts, attempted.state) == (3, JobState.RUNNING)


def test_jobs_that_do_the_same_to_a_series_share_its_time(ledger: Ledger) -> None:
    """Their results have the same UIDs, whether by two routes or to two AE titles of the node."""
    index(ledger, received(1), received(2))
    for number in (1, 2):
        same = received(number + 2, sop_instance_uid=f"1.2.{number}", called_ae_title="OTHER")
        index(ledger, same)
    index(ledger, received(5, series_instance_uid="1.9"))
    first = make_job(ledger)
    others = [
        make_job(ledger, route="b"),
        make_job(ledger, series_id=2, instance_names=("name-4", "name-3")),
        make_job(ledger, series_id=3, instance_names=("name-5",)),
        make_job(ledger, route="c", instance_names=("name-1",)),
    ]
    later = (NOW + timedelta(hours=1)).replace(microsecond=0)
    with ledger.write() as connection:
        time = start_job(connection, first, "digest", NOW)
        times = [start_job(connection, job, "digest", later) for job in others]
    assert times == [time, time, later, later]


def test_running_jobs_are_queued_again_after_a_restart(ledger: Ledger) -> None:
    """Done and failed ones stay as they are."""
    index(ledger, received(1), received(2))
    jobs = [make_job(ledger, route=name) for name in ("a", "b", "c", "d")]
    with ledger.write() as connection:
        for job in jobs[:3]:
            start_job(connection, job, "digest", NOW)
        finish_job(connection, jobs[1].id, [], NOW)
        fail_job(connection, jobs[2].id, "why", NOW)
        assert requeue_running(connection) == 1
        assert [job.route for job in queued_jobs(connection, 10)] == ["a", "d"]
        assert input_names(connection, jobs[0].id) == ["name-1", "name-2"]


def test_the_outbox_holds_each_result_once_a_destination(ledger: Ledger) -> None:
    """A job that is run again does not send again what was delivered."""
    index(ledger, received(1), received(2))
    job = make_job(ledger)
    with ledger.write() as connection:
        record_results(
            connection, job.id, results(1, 2), {"pacs": Dialect(), "archive": Dialect()}, NOW
        )
        (one, two) = claim_due(connection, "pacs", NOW, NOW + LEASE, 10)
        mark_delivered(connection, one.id, 0, NOW)
        set_aside(connection, [two.id], "refused")
        assert claim_due(connection, "pacs", NOW, NOW + LEASE, 10) == []
        record_results(
            connection, job.id, results(1, 2), {"pacs": Dialect(), "archive": Dialect()}, NOW
        )
        assert [item.id for item in claim_due(connection, "pacs", NOW, NOW + LEASE, 10)] == [two.id]
        assert len(claim_due(connection, "archive", NOW, NOW + LEASE, 10)) == 2
        assert is_own_result(connection, "2.99")
        assert not is_own_result(connection, "1.2")
        (line,) = job_lines(connection)
    counts = (line.inputs, line.results, line.deliveries, line.delivered, line.set_aside)
    assert counts == (2, 2, 4, 1, 0)


def test_a_postponed_delivery_waits_for_its_time(ledger: Ledger) -> None:
    """It is due again at the time given, with one more attempt."""
    index(ledger, received(1), received(2))
    job = make_job(ledger)
    with ledger.write() as connection:
        record_results(connection, job.id, results(1), {"pacs": Dialect()}, NOW)
        (item,) = claim_due(connection, "pacs", NOW, NOW + LEASE, 10)
        later = NOW + timedelta(seconds=5)
        postpone(connection, [item.id], "down", later)
        assert claim_due(connection, "pacs", NOW, NOW + LEASE, 10) == []
        (again,) = claim_due(connection, "pacs", later, later + LEASE, 10)
        (line,) = job_lines(connection)
    assert again.attempts == 1
    assert line.delivery_reason == "down"


def test_requeue_clears_the_failure(ledger: Ledger) -> None:
    """A retried job is as good as new."""
    index(ledger, received(1), received(2))
    job = make_job(ledger, failure="broken")
    assert (job.state, job.reason) == (JobState.FAILED, "broken")
    with ledger.write() as connection:
        requeue(connection, job.id)
        (queued,) = queued_jobs(connection, 1)
    assert (queued.id, queued.reason, queued.finished_at) == (job.id, "", None)


def test_states_are_stored_by_their_names(ledger: Ledger) -> None:
    """A person with a database browser reads words."""
    index(ledger, received(1), received(2))
    job = make_job(ledger)
    with ledger.write() as connection:
        record_results(connection, job.id, results(1), {"pacs": Dialect()}, NOW)
        stored = connection.execute(text("SELECT state FROM delivery")).scalar_one()
    assert stored == DeliveryState.PENDING.value
