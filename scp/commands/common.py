"""What several commands share."""

import sys
from pathlib import Path
from typing import NoReturn

import click

from config import CONFIG_VARIABLE, Settings, SettingsError, load_settings

USAGE_ERROR = 2
FOLDER = click.Path(file_okay=False, path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SETTINGS_FILE = click.Path(dir_okay=False, path_type=Path)


def stop(message: str, status: int = 1) -> NoReturn:
    """End the command with a sentence on standard error."""
    click.echo(message, err=True)
    sys.exit(status)


def read_settings(file: Path | None) -> Settings:
    """The settings of a file, or the embedded defaults; ends the command where they are wrong."""
    try:
        return load_settings(file)
    except SettingsError as error:
        stop(str(error), USAGE_ERROR)


def _read_option(_context: click.Context, _option: click.Parameter, file: Path | None) -> Settings:
    return read_settings(file)


settings_option = click.option(
    "--config",
    "settings",
    type=SETTINGS_FILE,
    envvar=CONFIG_VARIABLE,
    callback=_read_option,
    help="Settings file (TOML); without it the embedded defaults hold.",
)
