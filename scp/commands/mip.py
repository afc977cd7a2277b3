"""``hounsfield mip``."""

from functools import partial
from pathlib import Path
from typing import get_args

import click

from pipeline.algorithms.mip import Projection
from pipeline.dataset import FileFormat, MipOptions, SavingMode, View, plan_mip
from scp.commands.common import FOLDER
from scp.commands.dataset_options import SOURCE, carry_out, format_option, workers_option

_ALL = "all"


@click.command("mip")
@click.argument("source", metavar="FOLDER", type=SOURCE)
@click.argument("out", type=FOLDER)
@click.option(
    "--view",
    type=click.Choice([*(view.value for view in View), _ALL]),
    default=View.AXIAL.value,
    show_default=True,
    help="The plane of the slices that are projected along their normal, in the patient.",
)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Slices to each side: a slab has twice as many and one.",
)
@click.option(
    "--saving-mode",
    type=click.Choice([mode.value for mode in SavingMode]),
    default=SavingMode.CASE.value,
    show_default=True,
    help="One folder a case, or one a view.",
)
@click.option(
    "--projection",
    type=click.Choice(get_args(Projection)),
    default="maximum",
    show_default=True,
    help="What each slice shows of its slab.",
)
@click.option(
    "--array-axes",
    is_flag=True,
    help="Take axial, coronal, sagittal for the array's third, second, first axis, as nidataset "
    "does, whatever the header says.",
)
@format_option
@workers_option
def command(
    *,
    source: Path,
    out: Path,
    view: str,
    window: int,
    saving_mode: str,
    projection: Projection,
    array_axes: bool,
    file_format: FileFormat,
    workers: int | None,
) -> None:
    """Make sliding-window projections (MIP) of every NIfTI file in FOLDER.

    OUT gets PREFIX_mip_VIEW.nii.gz for each: the same shape, type and grid; each slice shows the
    brightest (or darkest, or mean) values of the slab around it. FOLDER may also be one file.
    Exit status 1 if a file failed.
    """
    options = MipOptions(
        views=tuple(View) if view == _ALL else (View(view),),
        window=window,
        saving_mode=SavingMode(saving_mode),
        projection=projection,
        by_array_axes=array_axes,
        file_format=file_format,
    )
    carry_out(partial(plan_mip, source, out, options), "Projecting", out, workers)
