"""``hounsfield echo``."""

from pathlib import Path

import click

from config import CONFIG_VARIABLE, AeTitle, PeerAddress, Settings
from config.node import NodeSettings
from scp.association import AssociationError
from scp.commands.common import SETTINGS_FILE, USAGE_ERROR, read_settings, stop
from scp.log import silence_libraries
from scp.send import echo
from scp.tls_client import ClientTls


@click.command("echo")
@click.argument("peer", metavar="PEER")
@click.option("--calling", help="Our AE title.  [default: the settings', or HOUNSFIELD]")
@click.option("--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds to wait.")
@click.option("--tls", "with_tls", is_flag=True, help="With TLS, by the files of [tls].")
@click.option(
    "--any-host", is_flag=True, help="With TLS, take a certificate that is another host's."
)
@click.option(
    "--config",
    "file",
    type=SETTINGS_FILE,
    envvar=CONFIG_VARIABLE,
    help="Settings file (TOML); read for a peer's name and for --tls.",
)
def command(
    *,
    peer: str,
    calling: str | None,
    timeout_s: float,
    with_tls: bool,
    any_host: bool,
    file: Path | None,
) -> None:
    """Verify a PEER by C-ECHO: AE@HOST:PORT, or the name of one in the settings.

    For example: hounsfield echo ORTHANC@127.0.0.1:4242. One of the settings is talked to as
    results are sent to it, with TLS where its table says so.
    """
    silence_libraries()
    settings = read_settings(file) if with_tls or "@" not in peer else None
    try:
        address, tls = _reached(peer, settings, with_tls=with_tls, any_host=any_host)
        title = _own_title(settings) if calling is None else AeTitle.parse(calling)
        echo(title, address, timeout_s, tls)
    except ValueError as error:
        stop(f"{peer}: {error}", USAGE_ERROR)
    except AssociationError as error:
        stop(str(error))
    click.echo(f"{address} answers C-ECHO{' with TLS' if tls else ''}")


def _reached(
    peer: str, settings: Settings | None, *, with_tls: bool, any_host: bool
) -> tuple[PeerAddress, ClientTls | None]:
    """Where the peer is, and how TLS is spoken with it.

    Raises
    ------
    ValueError
        There is no such peer, or it is no address.
    """
    if settings is None:
        return PeerAddress.parse(peer), None
    if with_tls and settings.tls.ca is None:
        raise ValueError("--tls needs the authority that verifies it: [tls] ca in the settings")
    if "@" in peer:
        return PeerAddress.parse(peer), ClientTls(settings.tls, not any_host)
    if peer not in settings.peers:
        known = ", ".join(settings.peers) or "there are none"
        raise ValueError(f"no address (AE@host:port), and no peer of the settings: {known}")
    named = settings.peers[peer]
    tls = ClientTls(settings.tls, named.check_host and not any_host, named.certificate)
    return named.address, tls if with_tls or named.tls else None


def _own_title(settings: Settings | None) -> AeTitle:
    return (NodeSettings() if settings is None else settings.node).ae_title
