"""``hounsfield run``."""

import sys
from pathlib import Path

import click

from config import Settings, SettingsError
from config.assemble import build_pipeline
from scp.commands.common import EXISTING_FOLDER, FOLDER, USAGE_ERROR, settings_option, stop
from scp.folder_run import run_folder
from scp.log import silence_libraries


@click.command("run")
@click.argument("folder", type=EXISTING_FOLDER)
@click.argument("out", type=FOLDER)
@click.option("--pipeline", "pipeline_name", required=True, help="A pipeline of the settings.")
@settings_option
def command(folder: Path, out: Path, pipeline_name: str, settings: Settings) -> None:
    """Run a pipeline on a FOLDER of DICOM files and write the results into OUT.

    No network and no state: every series in the folder is taken by itself. The embedded settings
    know the pipeline 'chest'. Exit status 1 if a series gave no result.
    """
    silence_libraries()
    try:
        pipeline = build_pipeline(settings, pipeline_name)
    except SettingsError as error:
        stop(str(error), USAGE_ERROR)
    if not run_folder(folder, out, pipeline):
        sys.exit(1)
