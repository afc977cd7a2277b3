"""``hounsfield release``."""

import click

from config import Settings
from scp.commands.common import settings_option, stop
from scp.holding import HoldingError, release_series
from scp.ledger import LedgerError


@click.command("release")
@click.argument("series")
@settings_option
def command(series: str, settings: Settings) -> None:
    """Release a SERIES that is held, by its Series Instance UID: its held jobs are queued.

    It does not matter whether a person put it on hold, or a route with at_limit = "hold".
    """
    try:
        released = release_series(settings, series)
    except (LedgerError, HoldingError) as error:
        stop(str(error))
    click.echo(f"Series {series} is released, {released.jobs} jobs are queued.")
