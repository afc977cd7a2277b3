"""Running a job again because a person asks for it."""

from config import Settings
from scp.conclude import NO_ROUTE
from scp.ledger import JobState, Ledger
from scp.ledger.jobs import find_job, requeue
from scp.state_folder import StateFolder


class RetryError(Exception):
    """The job cannot be run again; the message says why."""


def retry_job(settings: Settings, job_id: int) -> None:
    """Queue a job again.

    Raises
    ------
    LedgerError
        No node has run with these settings.
    RetryError
        No such job, or one that cannot be queued.
    """
    ledger = Ledger.open(StateFolder(settings.node.state_folder).ledger)
    try:
        with ledger.write() as connection:
            job = find_job(connection, job_id)
            if job is None:
                raise RetryError(f"There is no job {job_id}; 'hounsfield jobs' lists them.")
            if job.state is JobState.RUNNING:
                raise RetryError(f"Job {job_id} is running now.")
            if job.pipeline == NO_ROUTE:
                raise RetryError(f"Job {job_id} has no pipeline to run: {job.reason}")
            requeue(connection, job_id)
    finally:
        ledger.close()
