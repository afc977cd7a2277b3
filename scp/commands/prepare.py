"""``hounsfield prepare``."""

from functools import partial
from pathlib import Path

import click

from pipeline.dataset import plan_preparation
from scp.commands.common import FOLDER
from scp.commands.dataset_options import carry_out, workers_option
from scp.log import silence_libraries


@click.command("prepare")
@click.argument("root", metavar="DICOM_ROOT", type=FOLDER)
@click.argument("out", type=FOLDER)
@click.option("--use-existing", is_flag=True, help="Leave cases alone whose files are in OUT.")
@workers_option
def command(*, root: Path, out: Path, use_existing: bool, workers: int | None) -> None:
    """Prepare chest CTs for the grt123 networks: every folder below DICOM_ROOT is a case.

    OUT gets NAME_clean.npy (the lungs alone, 0 to 255, at 1 mm) and NAME_label.npy for each. Exit
    status 1 if a case failed.
    """
    silence_libraries()
    plan = partial(plan_preparation, root, out, use_existing=use_existing)
    carry_out(plan, "Preparing", out, workers)
