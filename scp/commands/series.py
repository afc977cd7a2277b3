"""``hounsfield series``."""

import click

from config import Settings
from scp.commands.common import settings_option, stop
from scp.ledger import LedgerError
from scp.story import UnknownSeriesError, print_story


@click.command("series")
@click.argument("uid")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of lines.")
@settings_option
def command(*, uid: str, settings: Settings, as_json: bool) -> None:
    """Tell the whole story of a series, by its Series Instance UID.

    What came and over which associations, why it counted as complete, the jobs, their results and
    where those are delivered, each with its times. The node may run or not.
    """
    try:
        print_story(settings, uid, as_json=as_json)
    except (LedgerError, UnknownSeriesError) as error:
        stop(str(error))
