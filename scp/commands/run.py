"""``hounsfield run``."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click

from config import Settings, SettingsError
from config.assemble import build_form, build_pipeline, products_of
from config.dialect import PRESETS, Kind
from pipeline.products import Dialect
from scp.commands.common import EXISTING_FOLDER, FOLDER, USAGE_ERROR, settings_option, stop
from scp.folder_run import FolderRun
from scp.log import silence_libraries


@click.command("run")
@click.argument("folder", type=EXISTING_FOLDER)
@click.argument("out", type=FOLDER)
@click.option("--pipeline", "pipeline_name", required=True, help="A pipeline of the settings.")
@click.option(
    "--content-time",
    metavar="ISO-TIME",
    help="Time written into the results, such as 2026-11-21T12:00:00+01:00; without it the present "
    "one. The same files, settings and time give the same bytes, here and on a node.",
)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(get_args(Kind)),
    multiple=True,
    help="A kind of result to make; give it once for each. Without it: seg, series, sr.",
)
@settings_option
def command(
    *,
    folder: Path,
    out: Path,
    pipeline_name: str,
    content_time: str | None,
    kinds: tuple[Kind, ...],
    settings: Settings,
) -> None:
    """Run a pipeline on a FOLDER of DICOM files and write the results into OUT.

    No network and no state: every series in the folder is taken by itself. The embedded settings
    know the pipeline 'chest'. Exit status 1 if a series gave no result.
    """
    silence_libraries()
    moment = _moment(content_time)
    try:
        pipeline = build_pipeline(settings, pipeline_name)
    except SettingsError as error:
        stop(str(error), USAGE_ERROR)
    try:
        out.mkdir(parents=True, exist_ok=True)
        products = products_of(kinds or PRESETS["standard"])
        dialect = Dialect(products, build_form(settings))
        good = FolderRun(pipeline, dialect, moment).on(folder, out)
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}")
    if not good:
        sys.exit(1)


def _moment(text: str | None) -> datetime:
    """The time of an ISO 8601 text, in the machine's zone where it names none; or the present."""
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        stop(f"--content-time {text}: not an ISO 8601 time", USAGE_ERROR)
