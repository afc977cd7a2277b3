"""``hounsfield jobs``."""

import click

from config import Settings
from scp.commands.common import settings_option, stop
from scp.ledger import LedgerError
from scp.summary import print_jobs


@click.command("jobs")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
@settings_option
def command(*, settings: Settings, as_json: bool) -> None:
    """List series and jobs with state, reason and times, while the node runs or not."""
    try:
        print_jobs(settings, as_json=as_json)
    except LedgerError as error:
        stop(str(error))
