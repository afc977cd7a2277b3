"""``hounsfield echo``."""

import click

from config import PeerAddress
from scp.commands.common import USAGE_ERROR, stop
from scp.log import silence_libraries
from scp.send import AssociationError, echo


@click.command("echo")
@click.argument("peer", metavar="AE@HOST:PORT")
@click.option("--calling", default="HOUNSFIELD", show_default=True, help="Our AE title.")
@click.option("--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds to wait.")
def command(peer: str, calling: str, timeout_s: float) -> None:
    """Verify a peer by C-ECHO, for example: hounsfield echo ORTHANC@127.0.0.1:4242."""
    silence_libraries()
    try:
        address = PeerAddress.parse(peer)
        echo(calling, address, timeout_s)
    except ValueError as error:
        stop(f"{peer}: {error}", USAGE_ERROR)
    except AssociationError as error:
        stop(str(error))
    click.echo(f"{address} answers C-ECHO")
