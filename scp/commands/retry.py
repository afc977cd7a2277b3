"""``hounsfield retry``."""

import click

from config import Settings
from scp.commands.common import settings_option, stop
from scp.ledger import LedgerError
from scp.retry import RetryError, retry_job


@click.command("retry")
@click.argument("job", type=int)
@settings_option
def command(job: int, settings: Settings) -> None:
    """Run a JOB again, under the settings as they are now; 'hounsfield jobs' has its number.

    A job that failed is queued; so is one that is done, and gives the same results under the same
    settings. Deliveries that were set aside are tried again. A running node takes the job up at
    once, a stopped one when it starts.
    """
    try:
        retry_job(settings, job)
    except (LedgerError, RetryError) as error:
        stop(str(error))
    click.echo(f"Job {job} is queued again.")
