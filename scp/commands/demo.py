"""``hounsfield demo``."""

import signal
from pathlib import Path

import click

from scp.commands.common import FOLDER, stop
from scp.demo import DemoError
from scp.demo.show import show


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave node and PACS running, to try them by hand.")
@click.option(
    "--out",
    type=FOLDER,
    help="Folder for the pictures and everything else; without it a new temporary one.",
)
@click.option(
    "--slices",
    type=click.IntRange(60, 600),
    default=128,
    show_default=True,
    help="Slices of the phantom.",
)
def command(*, keep: bool, out: Path | None, slices: int) -> None:
    """Show the whole way: a phantom is sent, processed, and its results arrive at a PACS.

    Starts a node, a small stand-in PACS and a sender on free ports of this machine; nothing else
    is touched.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        show(out, keep=keep, slices=slices)
    except DemoError as error:
        stop(f"The demonstration failed: {error}")
