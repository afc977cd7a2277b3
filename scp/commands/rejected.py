"""``hounsfield rejected``."""

import click

from config import Settings
from scp.commands.common import settings_option, stop
from scp.ledger import LedgerError
from scp.rejected import forget_rejections, print_rejections


@click.command("rejected")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
@click.option("--clear", is_flag=True, help="Forget all of them after they are printed.")
@settings_option
def command(*, settings: Settings, as_json: bool, clear: bool) -> None:
    """List rejected associations with the reason and the setting that would allow them.

    Alike ones are one line with their number. The node may run or not.
    """
    try:
        print_rejections(settings, as_json=as_json)
        if clear:
            forget_rejections(settings)
    except LedgerError as error:
        stop(str(error))
