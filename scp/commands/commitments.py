"""``hounsfield commitments``."""

import click

from config import Settings
from scp.commands.common import settings_option, stop
from scp.commitment.listing import print_commitments
from scp.ledger import LedgerError


@click.command("commitments")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of text.")
@settings_option
def command(*, settings: Settings, as_json: bool) -> None:
    """List requests for storage commitment: what was decided, and whether it was reported.

    The node may run or not.
    """
    try:
        print_commitments(settings, as_json=as_json)
    except LedgerError as error:
        stop(str(error))
