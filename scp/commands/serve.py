"""``hounsfield serve``."""

import os
import signal
import sys

import click
from click.core import ParameterSource

from config import Settings
from scp.commands.common import settings_option, stop
from scp.ledger import LedgerError
from scp.log import configure_logging
from scp.node import Node
from scp.own_packages import ForeignPackageError, check_import_names
from scp.ports import PortError
from scp.receive.process import ReceiverStartError
from scp.state_folder import StateFolderError
from scp.tls import TlsFilesError

_PRIVATE = 0o077
_PREVENTED = (
    ForeignPackageError,
    StateFolderError,
    TlsFilesError,
    PortError,
    LedgerError,
    ReceiverStartError,
)


@click.command("serve")
@settings_option
@click.pass_context
def command(context: click.Context, settings: Settings) -> None:
    """Run the node until it is told to stop (Ctrl-C or SIGTERM).

    Without --config it starts on embedded defaults: this machine only, port 11112, a state folder
    in the user's data directory, results kept there.
    """
    os.umask(_PRIVATE)
    configure_logging(settings.log.level, settings.log.format)
    if context.get_parameter_source("settings") is ParameterSource.DEFAULT:
        click.echo(_on_defaults(settings), err=True)
    node = Node(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: node.ask_to_stop())
    try:
        check_import_names()
        node.run()
    except _PREVENTED as error:
        stop(f"Hounsfield cannot start: {error}")
    except OSError as error:
        stop(f"Hounsfield cannot start: {error.filename}: {error.strerror}")
    # threads of associations whose peer has stalled would keep the process for their timeouts
    sys.stderr.flush()
    os._exit(0)


def _on_defaults(settings: Settings) -> str:
    node = settings.node
    return (
        "No settings file: running on embedded defaults.\n"
        f"  AE title {node.ae_title}, {node.host}:{node.port}\n"
        f"  state folder {node.state_folder}\n"
        "  no destination is set, so results stay in the state folder's results/\n"
        "Write a settings file and name it with --config to change this (docs/configuration.md)."
    )
