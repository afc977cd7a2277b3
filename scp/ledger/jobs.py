"""Jobs in the ledger: created, started, finished, retried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, insert, select, update

from scp.ledger.content_times import frozen_time
from scp.ledger.schema import delivery, instance, job, job_input, result, series
from scp.ledger.states import DeliveryState, JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be created for a series' present revision."""

    series_id: int
    revision: int
    route: str
    pipeline: str
    destinations: tuple[str, ...]
    instance_names: tuple[str, ...]
    created_at: datetime
    failure: str = ""
    held: str = ""
    completeness: dict[str, Any] | None = None
    is_stat: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the ledger has it."""

    id: int
    series_id: int
    revision: int
    route: str
    pipeline: str
    destinations: tuple[str, ...]
    state: JobState
    reason: str
    stage: str
    attempts: int
    settings_digest: str | None
    content_time: datetime | None
    volumes: list[dict[str, Any]] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    completeness: dict[str, Any] | None
    is_stat: bool


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job with what a list shows beside it."""

    job: Job
    series_instance_uid: str
    modality: str
    inputs: int
    results: int
    deliveries: int
    sent: int
    delivered: int
    set_aside: int
    delivery_reason: str


def create_job(connection: Connection, new: NewJob) -> int:
    """Create a job with its inputs: queued, or failed or held where a reason is given for it."""
    state = JobState.HELD if new.held else JobState.QUEUED
    job_id = connection.execute(
        insert(job)
        .values(
            series_id=new.series_id,
            revision=new.revision,
            route=new.route,
            pipeline=new.pipeline,
            destinations=list(new.destinations),
            state=JobState.FAILED if new.failure else state,
            reason=new.failure or new.held,
            completeness=new.completeness,
            is_stat=new.is_stat,
            created_at=new.created_at,
            finished_at=new.created_at if new.failure else None,
        )
        .returning(job.c.id)
    ).scalar_one()
    connection.execute(
        insert(job_input),
        [{"job_id": job_id, "instance_name": name} for name in new.instance_names],
    )
    return int(job_id)


def has_run_on(connection: Connection, new: NewJob) -> bool:
    """Whether the route's last job with this pipeline was created for exactly these instances."""
    latest = connection.scalar(
        select(job.c.id)
        .where(
            job.c.series_id == new.series_id,
            job.c.route == new.route,
            job.c.pipeline == new.pipeline,
        )
        .order_by(job.c.revision.desc())
        .limit(1)
    )
    return latest is not None and input_names(connection, latest) == sorted(new.instance_names)


def supersede_held(connection: Connection, series_id: int, revision: int, now: datetime) -> None:
    """Take off the held jobs of a series' earlier revisions: the later one has all they have."""
    connection.execute(
        update(job)
        .where(
            job.c.series_id == series_id,
            job.c.revision < revision,
            job.c.state == JobState.HELD,
        )
        .values(
            state=JobState.FAILED,
            reason=f"Superseded by revision {revision} of the series while it was held.",
            finished_at=now,
        )
    )


def queued_jobs(connection: Connection, limit: int) -> list[Job]:
    """The jobs to run next: STAT ones first, then the oldest."""
    rows = connection.execute(
        select(job)
        .where(job.c.state == JobState.QUEUED)
        .order_by(job.c.is_stat.desc(), job.c.id)
        .limit(limit)
    )
    return [_to_job(row) for row in rows]


def find_job(connection: Connection, job_id: int) -> Job | None:
    """The job of this id."""
    row = connection.execute(select(job).where(job.c.id == job_id)).one_or_none()
    return None if row is None else _to_job(row)


def input_names(connection: Connection, job_id: int) -> list[str]:
    """The spool names of a job's inputs, sorted."""
    return list(
        connection.scalars(
            select(job_input.c.instance_name)
            .where(job_input.c.job_id == job_id)
            .order_by(job_input.c.instance_name)
        )
    )


def start_job(
    connection: Connection, started: Job, settings_digest: str, now: datetime
) -> datetime:
    """Mark a job as running; return the content time of its results.

    The time is frozen when these settings are first run on these instances, by whichever job, so
    that results of the same UIDs always have the same bytes.
    """
    instances = connection.scalars(
        select(instance.c.sop_instance_uid)
        .join(job_input, job_input.c.instance_name == instance.c.name)
        .where(job_input.c.job_id == started.id)
    )
    content_time = frozen_time(connection, settings_digest, sorted(instances), now)
    connection.execute(
        update(job)
        .where(job.c.id == started.id)
        .values(
            state=JobState.RUNNING,
            reason="",
            stage="",
            attempts=job.c.attempts + 1,
            settings_digest=settings_digest,
            content_time=content_time,
            started_at=now,
            finished_at=None,
        )
    )
    return content_time


def set_stage(connection: Connection, job_id: int, stage: str) -> None:
    """Note what a running job is at."""
    connection.execute(
        update(job).where(job.c.id == job_id, job.c.state == JobState.RUNNING).values(stage=stage)
    )


def fail_job(connection: Connection, job_id: int, reason: str, now: datetime) -> None:
    """Mark a job as failed, with a reason that a person understands."""
    _finish(connection, job_id, JobState.FAILED, reason, now)


def finish_job(
    connection: Connection, job_id: int, volumes: Sequence[dict[str, Any]], now: datetime
) -> None:
    """Mark a job as done, with what there is to say of the volumes it was done on."""
    _finish(connection, job_id, JobState.DONE, "", now)
    connection.execute(update(job).where(job.c.id == job_id).values(volumes=list(volumes)))


def _finish(
    connection: Connection, job_id: int, state: JobState, reason: str, now: datetime
) -> None:
    connection.execute(
        update(job)
        .where(job.c.id == job_id)
        .values(state=state, reason=reason, stage="", finished_at=now)
    )


def requeue_running(connection: Connection) -> int:
    """Queue again what a stopped node left running; return how many jobs."""
    return connection.execute(
        update(job).where(job.c.state == JobState.RUNNING).values(state=JobState.QUEUED, stage="")
    ).rowcount


def requeue(connection: Connection, job_id: int) -> None:
    """Queue one job again."""
    connection.execute(
        update(job)
        .where(job.c.id == job_id)
        .values(state=JobState.QUEUED, reason="", stage="", finished_at=None)
    )


def job_lines(connection: Connection, series_id: int | None = None) -> list[JobLine]:
    """Every job for a list, or every one of a series, oldest first."""
    wanted = () if series_id is None else (job.c.series_id == series_id,)
    inputs = _count_by_job(job_input.c.job_id, "inputs")
    results = _count_by_job(result.c.job_id, "results")
    deliveries = (
        select(
            delivery.c.job_id,
            func.count().label("deliveries"),
            _count_where(delivery.c.state == DeliveryState.SENT).label("sent"),
            _count_where(delivery.c.state == DeliveryState.DELIVERED).label("delivered"),
            _count_where(delivery.c.state == DeliveryState.SET_ASIDE).label("set_aside"),
            func.max(
                case((delivery.c.state != DeliveryState.DELIVERED, delivery.c.reason), else_="")
            ).label("delivery_reason"),
        )
        .group_by(delivery.c.job_id)
        .subquery()
    )
    rows = connection.execute(
        select(
            job,
            series.c.series_instance_uid,
            series.c.modality,
            func.coalesce(inputs.c.inputs, 0).label("inputs"),
            func.coalesce(results.c.results, 0).label("results"),
            func.coalesce(deliveries.c.deliveries, 0).label("deliveries"),
            func.coalesce(deliveries.c.sent, 0).label("sent"),
            func.coalesce(deliveries.c.delivered, 0).label("delivered"),
            func.coalesce(deliveries.c.set_aside, 0).label("set_aside"),
            func.coalesce(deliveries.c.delivery_reason, "").label("delivery_reason"),
        )
        .join(series, series.c.id == job.c.series_id)
        .outerjoin(inputs, inputs.c.job_id == job.c.id)
        .outerjoin(results, results.c.job_id == job.c.id)
        .outerjoin(deliveries, deliveries.c.job_id == job.c.id)
        .where(*wanted)
        .order_by(job.c.id)
    )
    extra = [name for name in JobLine.__dataclass_fields__ if name != "job"]
    return [JobLine(_to_job(row), *(getattr(row, name) for name in extra)) for row in rows]


def _count_by_job(column: Any, label: str) -> Any:
    return select(column, func.count().label(label)).group_by(column).subquery()


def _count_where(condition: Any) -> Any:
    return func.sum(case((condition, 1), else_=0))


def _to_job(row: Row[Any]) -> Job:
    values = {name: getattr(row, name) for name in Job.__dataclass_fields__}
    return Job(**values | {"destinations": tuple(_as_strings(values["destinations"]))})


def _as_strings(values: Sequence[Any]) -> list[str]:
    return [str(value) for value in values]
