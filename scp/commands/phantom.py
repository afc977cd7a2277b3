"""``hounsfield phantom``."""

from pathlib import Path

import click

from pipeline.phantom import chest_phantom, write_phantom
from scp.commands.common import FOLDER


@click.command("phantom")
@click.argument("folder", type=FOLDER)
@click.option(
    "--slices",
    type=click.IntRange(60, 600),
    default=128,
    show_default=True,
    help="Slices of the chest.",
)
def command(folder: Path, slices: int) -> None:
    """Write the demonstration's chest phantom into FOLDER, to send by hand."""
    paths = write_phantom(folder, chest_phantom(slices=slices))
    click.echo(f"{len(paths)} CT slices in {folder}")
