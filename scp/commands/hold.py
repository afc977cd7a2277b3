"""``hounsfield hold``."""

import click

from config import Settings
from scp.commands.common import settings_option, stop
from scp.holding import HoldingError, hold_series
from scp.ledger import LedgerError


@click.command("hold")
@click.argument("series")
@settings_option
def command(series: str, settings: Settings) -> None:
    """Hold a SERIES back, by its Series Instance UID, until it is released.

    Its queued jobs wait, and so do those that it is still to get; one that runs already goes on.
    """
    try:
        held = hold_series(settings, series)
    except (LedgerError, HoldingError) as error:
        stop(str(error))
    click.echo(f"Series {series} is on hold, with {held.jobs} queued jobs.")
