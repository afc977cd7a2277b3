"""What the commands on folders of volumes share."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from pipeline.dataset import Done, FileFormat, Job
from scp.commands.common import stop
from scp.dataset_run import report, run_jobs

SOURCE = click.Path(path_type=Path)

format_option = click.option(
    "--format",
    "file_format",
    type=click.Choice([kind.value for kind in FileFormat]),
    default=FileFormat.NII_GZ.value,
    show_default=True,
    callback=lambda _context, _option, value: FileFormat(value),
    help="Compressed NIfTI, or plain, which is larger and faster to write.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Files worked on at one time; by default as many as processors and memory allow.",
)


def carry_out(
    plan: Callable[[], Sequence[Job[Done]]], title: str, out: Path, workers: int | None
) -> None:
    """Plan jobs, do them, say what came of them; exit status 1 where one failed or none is there.

    Parameters
    ----------
    plan
        Gives the jobs, or raises FileNotFoundError or ValueError with a sentence.
    title
        Before the bar.
    out
        Where results go.
    workers
        The most processes.
    """
    try:
        jobs = plan()
    except (OSError, ValueError) as error:
        stop(str(error))
    if not report(run_jobs(jobs, title, workers), out):
        sys.exit(1)
