"""``hounsfield certs``."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import click

from config.ae_title import parse_host
from scp.certificates.make import CertificatesError, MadeCertificates, make_certificates
from scp.commands.common import FOLDER, stop


def _check_hosts(
    _context: click.Context, _option: click.Parameter, hosts: tuple[str, ...]
) -> tuple[str, ...]:
    try:
        return tuple(map(parse_host, hosts)) or (socket.gethostname(), "localhost", "127.0.0.1")
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("certs")
@click.argument("folder", type=FOLDER)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    callback=_check_hosts,
    help="Name or address that the server's certificate is made out to; may be given again. "
    "Without it this machine's name, localhost and 127.0.0.1.",
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long valid."
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
def command(*, folder: Path, hosts: tuple[str, ...], days: int, force: bool) -> None:
    """Make certificates in FOLDER to try TLS with: an authority, a server's, a client's.

    They are for a first try and for tests; in production use those of the hospital's authority.
    The settings to paste are printed.
    """
    try:
        made = make_certificates(folder.absolute(), hosts, days, datetime.now(UTC), overwrite=force)
    except CertificatesError as error:
        stop(str(error))
    click.echo(_what_to_do(made, hosts))


def _what_to_do(made: MadeCertificates, hosts: tuple[str, ...]) -> str:
    return "\n".join(
        [
            f"Made in {made.folder}, the server's for {', '.join(hosts)}. In the settings file:",
            "",
            "[tls]",
            "port = 2762",
            f'certificate = "{made.server}"',
            f'key = "{made.server_key}"',
            f'ca = "{made.ca}"',
            "",
            "A sender needs client.pem, client.key and ca.pem. To try it with DCMTK:",
            "",
            f"echoscu -aec HOUNSFIELD +tls {made.client_key} {made.client} +cf {made.ca} \\",
            f"    {hosts[0]} 2762",
            "",
            "ca.key signs further certificates: keep it off the node.",
        ]
    )
