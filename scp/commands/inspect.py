"""``hounsfield inspect``."""

import sys
from pathlib import Path

import click

from config import Settings
from pipeline.volume import Fill, Phases, RebuildPolicy, Tilt
from scp.commands.common import USAGE_ERROR, settings_option, stop
from scp.inspect.report import Wishes, inspect_paths
from scp.log import silence_libraries

_DEFAULTS = RebuildPolicy()


@click.command("inspect")
@click.argument(
    "paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
@click.option(
    "--picture",
    metavar="OUT.png",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw each series: three planes, values, where images lie. Several series get OUT-001.png "
    "and so on.",
)
@click.option("--no-pixels", is_flag=True, help="Look at headers only.")
@click.option(
    "--fill",
    type=click.Choice([kind.value for kind in Fill]),
    default=_DEFAULTS.fill.value,
    show_default=True,
    help="What is done about missing slices.",
)
@click.option(
    "--tilt",
    type=click.Choice([kind.value for kind in Tilt]),
    default=_DEFAULTS.tilt.value,
    show_default=True,
    help="What is done about gantry tilt.",
)
@click.option(
    "--phases",
    type=click.Choice([kind.value for kind in Phases]),
    default=_DEFAULTS.phases.value,
    show_default=True,
    help="Which volumes are made of a series that holds several.",
)
@click.option(
    "--phase",
    metavar="KEYWORD=VALUE",
    default="",
    help="The one volume wanted: EchoNumbers=2, say.",
)
@click.option(
    "--tolerance-mm",
    type=click.FloatRange(0, 1),
    default=_DEFAULTS.tolerance_mm,
    show_default=True,
    help="How far a slice may lie from its place.",
)
@click.option(
    "--tolerance-share",
    type=click.FloatRange(0, 1),
    default=_DEFAULTS.tolerance_share,
    show_default=True,
    help="The same as a share of the spacing; the larger counts.",
)
@click.option("--job", "job_id", type=int, help="Show what a node kept with this job instead.")
@settings_option
def command(
    *,
    paths: tuple[Path, ...],
    as_json: bool,
    picture: Path | None,
    no_pixels: bool,
    fill: str,
    tilt: str,
    phases: str,
    phase: str,
    tolerance_mm: float,
    tolerance_share: float,
    job_id: int | None,
    settings: Settings,
) -> None:
    """Say what DICOM files hold, series by series, and which volume a node would build, or why not.

    PATH is a file or a folder, searched with its sub-folders. The rebuild options are those of a
    pipeline's table 'rebuild': try here what a setting would change. Patients' names are never
    shown. Exit status 1 if a series of images is refused, or nothing gives a volume.
    """
    silence_libraries()
    if bool(paths) == (job_id is not None):
        stop("Name files or folders to look at, or a job with --job.", USAGE_ERROR)
    if job_id is not None:
        if picture is not None:
            stop("--picture needs files; a job keeps receipts only.", USAGE_ERROR)
        good = _show_job(settings, job_id, as_json=as_json)
    else:
        _check_picture(picture)
        try:
            policy = RebuildPolicy(
                Phases(phases), phase, Fill(fill), Tilt(tilt), tolerance_mm, tolerance_share
            )
        except ValueError as error:
            stop(f"--{error}", USAGE_ERROR)
        good = _inspect(paths, Wishes(policy, not no_pixels, picture, as_json))
    if not good:
        sys.exit(1)


def _check_picture(picture: Path | None) -> None:
    """End the command before the work where a picture could not be written."""
    if picture is not None and picture.suffix.lower() != ".png":
        stop(f"--picture {picture}: name a file that ends in .png", USAGE_ERROR)
    if picture is not None and not picture.parent.is_dir():
        stop(f"--picture {picture}: there is no folder {picture.parent}", USAGE_ERROR)


def _inspect(paths: tuple[Path, ...], wishes: Wishes) -> bool:
    try:
        return inspect_paths(paths, wishes)
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}")


def _show_job(settings: Settings, job_id: int, *, as_json: bool) -> bool:
    from scp.inspect.job import JobError, show_job  # noqa: PLC0415 - large libraries, for jobs only

    try:
        return show_job(settings, job_id, as_json=as_json)
    except JobError as error:
        stop(str(error))
