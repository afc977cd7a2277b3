"""The receipts that a node kept with a job."""

import json
from collections.abc import Iterator

import click
from pydantic import TypeAdapter, ValidationError

from config import Settings
from pipeline.volume_report import VolumeReport
from scp.inspect.survey import VolumeSurvey
from scp.inspect.table import print_heading, print_lines, terminal
from scp.inspect.words import Line, Tone, volume_lines
from scp.ledger import Ledger, LedgerError
from scp.ledger.jobs import Job, find_job
from scp.report_text import group_text
from scp.state_folder import StateFolder

_VOLUMES = TypeAdapter(tuple[VolumeReport, ...])


class JobError(Exception):
    """A job cannot be shown; the message says why."""


def show_job(settings: Settings, job_id: int, *, as_json: bool) -> bool:
    """Print what became of a job, and how its volumes were made.

    Returns
    -------
    Whether receipts were kept with it.

    Raises
    ------
    JobError
        No node has run with these settings, there is no such job, or its receipts cannot be read.
    """
    job = _read_job(settings, job_id)
    if as_json:
        state = {"id": job.id, "pipeline": job.pipeline, "state": job.state.value}
        document = {"job": state | {"reason": job.reason}, "volumes": job.volumes or []}
        click.echo(json.dumps(document, indent=2, allow_nan=False))
    else:
        lines = list(_lines(job))
        print_heading(terminal(), f"Job {job.id}")
        print_lines(terminal(), lines)
    return bool(job.volumes)


def _read_job(settings: Settings, job_id: int) -> Job:
    try:
        ledger = Ledger.open(StateFolder(settings.node.state_folder).ledger)
        try:
            with ledger.read() as connection:
                job = find_job(connection, job_id)
        finally:
            ledger.close()
    except LedgerError as error:
        raise JobError(str(error)) from error
    if job is None:
        raise JobError(f"There is no job {job_id}; 'hounsfield jobs' lists them.")
    return job


def _lines(job: Job) -> Iterator[Line]:
    yield Line("pipeline", job.pipeline)
    yield Line("state", job.state.value, Tone.BAD if job.reason else Tone.GOOD)
    if job.reason:
        yield Line("reason", job.reason, Tone.BAD)
    volumes = _volumes(job)
    if not volumes:
        yield Line("receipts", "none: they are kept once a job is done", Tone.REMARK)
    for volume in volumes:
        yield Line("series", volume.receipt.series_instance_uid)
        yield from volume_lines(VolumeSurvey(volume.receipt))
        yield from (Line("remark", remark, Tone.REMARK) for remark in volume.remarks)
        yield from (Line("measured", group_text(group)) for group in volume.measurements)


def _volumes(job: Job) -> tuple[VolumeReport, ...]:
    try:
        return _VOLUMES.validate_python(job.volumes or [])
    except ValidationError as error:
        raise JobError(
            f"The receipts of job {job.id} were written by another version of Hounsfield; --json "
            "shows them as they are."
        ) from error
