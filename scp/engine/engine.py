"""From queued jobs in the ledger to their results in the outbox."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog
from distributed import Future, KilledWorker
from sqlalchemy import Connection

from config import SENDER, Settings
from config.assemble import build_dialects, build_form, build_pipeline
from pipeline.plan import Pipeline
from pipeline.products import Dialect
from scp.engine.keep import discard_drafts
from scp.engine.work import JobOrder, JobReport
from scp.ledger import JobState, Ledger
from scp.ledger.jobs import (
    Job,
    fail_job,
    find_job,
    finish_job,
    input_names,
    queued_jobs,
    requeue,
    requeue_running,
    set_stage,
    start_job,
)
from scp.ledger.outbox import (
    ChangedResultError,
    forget_destination_of,
    record_results,
    set_aside_destination_of,
    withdraw_others,
)
from scp.ledger.series import sender_of
from scp.return_to_sender import resolved, why_unresolved
from scp.spool import Spool

log = structlog.get_logger()


class Cluster(Protocol):
    """Where jobs run."""

    @property
    def workers(self) -> int:
        """How many at one time."""

    def stage(self, job_id: int) -> str:
        """What a job is at."""

    def submit(self, order: JobOrder) -> "Future[JobReport]":
        """Begin a job."""

    def stop_job(self, future: "Future[JobReport]") -> None:
        """End a running job."""


@dataclass(slots=True)
class _Running:
    job: Job
    future: "Future[JobReport]"
    started_at: datetime
    stage: str = ""


@dataclass(slots=True)
class Engine:
    """Keeps the workers busy and records what comes of it.

    Notes
    -----
    The ledger is the truth: `recover` queues again what a node before this one left running.
    Submitting a job twice is harmless, since the same inputs and settings give the same bytes.
    """

    ledger: Ledger
    spool: Spool
    settings: Settings
    results_folder: Path
    cluster: Cluster
    _running: dict[int, _Running] = field(default_factory=dict)

    def recover(self) -> None:
        """Queue again the jobs that were running when the node stopped."""
        discard_drafts(self.results_folder)
        with self.ledger.write() as connection:
            count = requeue_running(connection)
        if count:
            log.info("jobs taken up again", jobs=count)

    def tick(self, now: datetime) -> None:
        """Record finished jobs, end those over their time, start queued ones."""
        for running in list(self._running.values()):
            if running.future.done():
                self._record(running, now)
            elif now - running.started_at > self._time_limit:
                self._stop(running, now)
            else:
                self._note_stage(running)
        self._dispatch(now)

    @property
    def _time_limit(self) -> timedelta:
        return timedelta(seconds=self.settings.engine.job_time_limit_s)

    def _note_stage(self, running: _Running) -> None:
        stage = self.cluster.stage(running.job.id)
        if stage != running.stage:
            running.stage = stage
            with self.ledger.write() as connection:
                set_stage(connection, running.job.id, stage)

    def _dispatch(self, now: datetime) -> None:
        free = self.cluster.workers - len(self._running)
        if free <= 0:
            return
        with self.ledger.read() as connection:
            waiting = queued_jobs(connection, free)
        for job in waiting:
            if job.pipeline in self.settings.pipelines:
                self._start(job, build_pipeline(self.settings, job.pipeline), now)
            else:
                failure = (
                    f"Pipeline {job.pipeline!r} is not in the settings any more. Put it back, then "
                    f"'hounsfield retry {job.id}'."
                )
                self._fail(job, JobReport(failure=failure), now)

    def _start(self, job: Job, pipeline: Pipeline, now: datetime) -> None:
        with self.ledger.write() as connection:
            present = find_job(connection, job.id)
            if present is None or present.state is not JobState.QUEUED:
                return  # a person has put the series on hold
            content_time = start_job(connection, job, pipeline.settings_digest, now)
            names = input_names(connection, job.id)
            dialects = self._wanted(connection, job)
        order = JobOrder(
            job_id=job.id,
            paths=tuple(self.spool.path(name) for name in names),
            pipeline=pipeline,
            dialects=dialects,
            content_time=content_time,
            results_folder=self.results_folder,
        )
        try:
            future = self.cluster.submit(order)
        except Exception:
            with self.ledger.write() as connection:
                requeue(connection, job.id)
            raise
        self._running[job.id] = _Running(job, future, now)
        log.info("job started", job=job.id, pipeline=job.pipeline, instances=len(names))

    def _record(self, running: _Running, now: datetime) -> None:
        job = running.job
        report = _report(running.future)
        try:
            self._settle(job, report, now)
        except ChangedResultError as error:
            self._fail(job, JobReport(failure=str(error)), now)
        del self._running[job.id]

    def _settle(self, job: Job, report: JobReport, now: datetime) -> None:
        """End a job by its report; what it gave goes out, a note on its failure too."""
        if report.failure:
            self._fail(job, report, now)
            return
        with self.ledger.write() as connection:
            dialects = self._put_out(connection, job, report, now)
            withdraw_others(connection, job.id, report.results, dialects, now)
            finish_job(connection, job.id, report.volumes, now)
        log.info("job done", job=job.id, results=len(report.results))

    def _put_out(
        self, connection: Connection, job: Job, report: JobReport, now: datetime
    ) -> dict[str, Dialect]:
        """Put a job's results into the outbox; those for an unknown sender are set aside there.

        Returns
        -------
        What each destination takes.
        """
        dialects = self._dialects(connection, job)
        record_results(connection, job.id, report.results, dialects, now)
        if SENDER in dialects:
            reason = why_unresolved(sender_of(connection, job.series_id), job.id)
            set_aside_destination_of(connection, job.id, SENDER, reason)
        else:
            forget_destination_of(connection, job.id, SENDER)
        return dialects

    def _dialects(self, connection: Connection, job: Job) -> dict[str, Dialect]:
        """What each destination of a job takes."""
        sender = sender_of(connection, job.series_id)
        names = resolved(self._destinations(job), sender, self.settings.peers)
        return build_dialects(self.settings, names)

    def _wanted(self, connection: Connection, job: Job) -> tuple[Dialect, ...]:
        """What is made; without destinations the usual, to be kept in the state folder."""
        return tuple(self._dialects(connection, job).values()) or (
            Dialect(form=build_form(self.settings)),
        )

    def _destinations(self, job: Job) -> tuple[str, ...]:
        """Where the job's route leads now, or led when the job was made."""
        for route in self.settings.routes:
            if route.name == job.route:
                return tuple(route.destinations)
        return job.destinations

    def _stop(self, running: _Running, now: datetime) -> None:
        self.cluster.stop_job(running.future)
        failure = (
            f"It ran longer than {self.settings.engine.job_time_limit_s:g} s "
            "(engine.job_time_limit_s) and was stopped."
        )
        self._fail(running.job, JobReport(failure=failure), now)
        del self._running[running.job.id]

    def _fail(self, job: Job, report: JobReport, now: datetime) -> None:
        with self.ledger.write() as connection:
            self._put_out(connection, job, report, now)
            fail_job(connection, job.id, report.failure, now)
        log.error(
            "job failed",
            job=job.id,
            pipeline=job.pipeline,
            reason=report.failure,
            trace=report.trace,
        )


def _report(future: "Future[JobReport]") -> JobReport:
    """The report of a finished future; a lost worker gives one too."""
    error = future.exception()
    if error is None:
        report: JobReport = future.result()
        return report
    if isinstance(error, KilledWorker):
        return JobReport(
            failure="It lost its worker process at every attempt: out of memory "
            "(engine.memory_limit_mb) or a crash while decoding."
        )
    return JobReport(failure=f"The engine failed ({type(error).__name__}); please report it.")
