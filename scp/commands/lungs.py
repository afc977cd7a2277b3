"""``hounsfield lungs``."""

from functools import partial
from pathlib import Path

import click

from pipeline.dataset import FileFormat, LungsOptions, plan_lungs
from scp.commands.common import FOLDER
from scp.commands.dataset_options import SOURCE, carry_out, format_option, workers_option


@click.command("lungs")
@click.argument("source", metavar="FOLDER_OR_FILE", type=SOURCE)
@click.argument("out", type=FOLDER)
@format_option
@workers_option
def command(*, source: Path, out: Path, file_format: FileFormat, workers: int | None) -> None:
    """Label the lungs in a chest CT in NIfTI, or in every one in a folder.

    OUT gets PREFIX_lungs.nii.gz for each: 1 the right lung, 2 the left, 0 elsewhere, on the same
    grid. Values are Hounsfield Units. Exit status 1 if a file failed.
    """
    carry_out(
        partial(plan_lungs, source, out, LungsOptions(file_format)), "Labelling", out, workers
    )
