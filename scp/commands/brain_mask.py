"""``hounsfield brain-mask``."""

from functools import partial
from pathlib import Path

import click

from pipeline.dataset import BrainMaskOptions, FileFormat, plan_brain_masks
from scp.commands.common import FOLDER, USAGE_ERROR, stop
from scp.commands.dataset_options import SOURCE, carry_out, format_option, workers_option


@click.command("brain-mask")
@click.argument("source", metavar="FOLDER_OR_FILE", type=SOURCE)
@click.argument("out", type=FOLDER)
@click.option(
    "--threshold",
    type=(float, float),
    metavar="LOW HIGH",
    help="Values that may be brain, both ends included: 20 100 for plain CT, 50 300 with contrast. "
    "Without it half to twice Otsu's threshold, which suits MR and not CT.",
)
@click.option(
    "--closing-radius",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Of the ball that gaps are closed with, in voxels.",
)
@format_option
@workers_option
def command(
    *,
    source: Path,
    out: Path,
    threshold: tuple[float, float] | None,
    closing_radius: int,
    file_format: FileFormat,
    workers: int | None,
) -> None:
    """Find the brain in a NIfTI file, or in every one in a folder.

    OUT gets PREFIX_brain_mask.nii.gz for each: 1 in the brain, 0 elsewhere, on the same grid.
    Exit status 1 if a file failed.
    """
    try:
        options = BrainMaskOptions(threshold, closing_radius, file_format)
    except ValueError as error:
        stop(str(error), USAGE_ERROR)
    carry_out(partial(plan_brain_masks, source, out, options), "Masking", out, workers)
