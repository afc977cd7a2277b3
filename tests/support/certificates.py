"""Certificates to test TLS with."""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config import TlsSettings
from scp.certificates.make import MadeCertificates, make_certificates

NOW = datetime.now(UTC)
HOSTS = ("localhost", "127.0.0.1")


def made_in(
    folder: Path, days: int = 30, now: datetime = NOW, hosts: Sequence[str] = HOSTS
) -> MadeCertificates:
    """An authority, a server's and a client's certificate; those that are there are replaced."""
    return make_certificates(folder, hosts, days, now, overwrite=True)


def expired_in(folder: Path) -> MadeCertificates:
    """The same, out of date since yesterday."""
    return made_in(folder, days=1, now=NOW - timedelta(days=2))


def server_settings(made: MadeCertificates, port: int | None = 2762) -> TlsSettings:
    """The settings of a node that has the server's certificate."""
    return TlsSettings(port=port, certificate=made.server, key=made.server_key, ca=made.ca)


def client_settings(made: MadeCertificates) -> TlsSettings:
    """The settings of a peer that has the client's certificate."""
    return TlsSettings(certificate=made.client, key=made.client_key, ca=made.ca)


def site_table(made: MadeCertificates, port: int, more: str = "") -> str:
    """The table ``[tls]`` of a site file."""
    return (
        f'[tls]\nport = {port}\ncertificate = "{made.server}"\nkey = "{made.server_key}"\n'
        f'ca = "{made.ca}"\n{more}\n'
    )


def handshake(
    server: ssl.SSLContext,
    client: ssl.SSLContext,
    host: str = "localhost",
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends after a handshake in memory; ssl.SSLError where one of them breaks it off.

    With a session the client asks to resume that one.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname=host, session=session),
    )
    waiting = {ends[1], ends[0]}
    while waiting:
        for end in tuple(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.discard(end)
    return ends
