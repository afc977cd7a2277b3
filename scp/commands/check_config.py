"""``hounsfield check-config``."""

from datetime import UTC, datetime
from pathlib import Path

import click

from scp.certificates.check import check_tls_files, tls_warnings
from scp.commands.common import SETTINGS_FILE, USAGE_ERROR, read_settings, stop
from scp.summary import describe_settings
from scp.tls import TlsFilesError


@click.command("check-config")
@click.argument("file", type=SETTINGS_FILE)
def command(file: Path) -> None:
    """Check a settings FILE: every wrong key, type or value is named, all in one run.

    Exit status 2 if there is any, or if a certificate file cannot be used. What a good file makes
    the node do is printed.
    """
    settings = read_settings(file)
    now = datetime.now(UTC)
    try:
        check_tls_files(settings.tls, now)
    except TlsFilesError as error:
        stop(str(error), USAGE_ERROR)
    click.echo(f"{file} is good:")
    click.echo(describe_settings(settings))
    for warning in tls_warnings(settings.tls, now):
        click.echo(f"warning: {warning}", err=True)
