"""``hounsfield check-config``."""

from pathlib import Path

import click

from scp.commands.common import SETTINGS_FILE, read_settings
from scp.summary import describe_settings


@click.command("check-config")
@click.argument("file", type=SETTINGS_FILE)
def command(file: Path) -> None:
    """Check a settings FILE: every wrong key, type or value is named, all in one run.

    Exit status 2 if there is any. What a good file makes the node do is printed.
    """
    settings = read_settings(file)
    click.echo(f"{file} is good:")
    click.echo(describe_settings(settings))
