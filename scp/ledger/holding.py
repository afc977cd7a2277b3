"""Series that a person holds back, and lets go again."""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from scp.ledger.schema import job, series
from scp.ledger.states import JobState


@dataclass(frozen=True, slots=True)
class Held:
    """What was held or released.

    Parameters
    ----------
    series
        How many series: one for each AE title that the UID was sent to.
    jobs
        How many of their jobs.
    """

    series: int
    jobs: int


def hold_series(connection: Connection, series_instance_uid: str, reason: str) -> Held:
    """Hold the queued jobs of a series, and those that are still to come; none that runs."""
    changed = _set_on_hold(connection, series_instance_uid, on_hold=True)
    jobs = _move_jobs(connection, series_instance_uid, (JobState.QUEUED, JobState.HELD), reason)
    return Held(changed, jobs)


def release_series(connection: Connection, series_instance_uid: str) -> Held:
    """Queue the held jobs of a series, whoever held them."""
    changed = _set_on_hold(connection, series_instance_uid, on_hold=False)
    jobs = _move_jobs(connection, series_instance_uid, (JobState.HELD, JobState.QUEUED), "")
    return Held(changed, jobs)


def _set_on_hold(connection: Connection, series_instance_uid: str, *, on_hold: bool) -> int:
    return connection.execute(
        update(series)
        .where(
            series.c.series_instance_uid == series_instance_uid, series.c.on_hold.is_(not on_hold)
        )
        .values(on_hold=on_hold)
    ).rowcount


def _move_jobs(
    connection: Connection,
    series_instance_uid: str,
    change: tuple[JobState, JobState],
    reason: str,
) -> int:
    before, after = change
    of_series = select(series.c.id).where(series.c.series_instance_uid == series_instance_uid)
    return connection.execute(
        update(job)
        .where(job.c.series_id.in_(of_series), job.c.state == before)
        .values(state=after, reason=reason)
    ).rowcount
