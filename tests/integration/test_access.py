"""Who is let in, over real sockets: titles, addresses, TLS and certificates, in both directions."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from config import AeTitle, Peer, PeerAddress, TlsSettings
from scp.association import AssociationError
from scp.certificates.make import MadeCertificates
from scp.receive.admission import Caller
from scp.send import echo
from scp.tls_client import ClientTls
from tests.support.certificates import client_settings, expired_in, made_in, server_settings
from tests.support.open_node import HANDSHAKE_S, OpenNode, opened
from tests.support.ports import free_port
from tests.support.tools import require
from tests.support.waiting import wait_for

TITLE = "HOUNSFIELD"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeCertificates:
    return made_in(tmp_path_factory.mktemp("certs"))


@pytest.fixture
def node(tmp_path: Path, made: MadeCertificates) -> Iterator[OpenNode]:
    """A node with TLS that anyone may send to who has a certificate."""
    with opened(tmp_path, tls=server_settings(made, free_port())) as opening:
        yield opening


def verify(port: int, tls: TlsSettings | ClientTls | None = None, calling: str = "TEST") -> None:
    """C-ECHO to the node; AssociationError where it does not answer."""
    if isinstance(tls, TlsSettings):
        tls = ClientTls(tls)
    echo(calling, PeerAddress(AeTitle(TITLE), "127.0.0.1", port), 5.0, tls)


# Titles and addresses


def test_only_a_peer_is_let_in_and_only_from_its_address(tmp_path: Path) -> None:
    peers = {
        "ct": Peer.model_validate(
            {"ae_title": "CT", "host": "127.0.0.1", "port": 104, "role": "sender"}
        ),
        "far": Peer.model_validate(
            {"ae_title": "FAR", "host": "192.0.2.7", "port": 104, "role": "sender"}
        ),
    }
    with opened(tmp_path, access={"callers": "peers"}, peers=peers) as node:
        verify(node.plain_port, calling="CT")
        for title in ("FAR", "STRANGER"):
            with pytest.raises(AssociationError, match="Calling AE title not recognised"):
                verify(node.plain_port, calling=title)
        verify(node.plain_port, calling="CT")
    assert node.journal.settings() == ["peers.far.addresses", "peers.NAME.ae_title"]
    assert node.journal.entries[0][0] == Caller("FAR", TITLE, "127.0.0.1")


# TLS


def test_certificate_lets_in_and_plaintext_goes_on_beside(
    node: OpenNode, made: MadeCertificates
) -> None:
    verify(node.tls_port, client_settings(made))
    verify(node.plain_port)
    assert node.journal.entries == []


def test_without_plaintext_there_is_only_the_port_with_tls(
    tmp_path: Path, made: MadeCertificates
) -> None:
    port = free_port()
    off = {"port": free_port(), "plaintext": False}
    with opened(tmp_path, node=off, tls=server_settings(made, port)):
        verify(port, client_settings(made))
        with pytest.raises(AssociationError, match="cannot be reached"):
            verify(int(off["port"]))


def _stranger(folder: Path, made: MadeCertificates) -> TlsSettings:
    stranger = made_in(folder / "stranger")
    return TlsSettings(certificate=stranger.client, key=stranger.client_key, ca=made.ca)


def _expired(folder: Path, made: MadeCertificates) -> TlsSettings:
    expired = expired_in(folder / "expired")
    return TlsSettings(certificate=expired.client, key=expired.client_key, ca=made.ca)


def _bare(_folder: Path, made: MadeCertificates) -> TlsSettings:
    return TlsSettings(ca=made.ca)


@pytest.mark.parametrize(
    ("files", "setting"),
    [
        (_bare, "tls.client_certificates"),
        (_stranger, "tls.ca"),
        (_expired, "tls.ca"),
    ],
)
def test_wrong_or_no_certificate_is_refused_and_the_listener_goes_on(
    node: OpenNode,
    made: MadeCertificates,
    tmp_path: Path,
    files: Callable[[Path, MadeCertificates], TlsSettings],
    setting: str,
) -> None:
    with pytest.raises(AssociationError):
        verify(node.tls_port, files(tmp_path, made))
    wait_for("the journal", lambda: node.journal.settings() == [setting], 5.0)
    assert node.journal.entries[0][0] == Caller("", "", "127.0.0.1")
    verify(node.tls_port, client_settings(made))


def test_no_tls_on_the_port_with_tls_is_refused(node: OpenNode, made: MadeCertificates) -> None:
    with pytest.raises(AssociationError):
        verify(node.tls_port)
    (entry,) = wait_for("the journal", lambda: node.journal.entries, 5.0)
    assert entry[1] == "what came on the TLS port is no TLS"
    verify(node.tls_port, client_settings(made))


def test_tls_on_the_port_without_it_is_refused(node: OpenNode, made: MadeCertificates) -> None:
    with pytest.raises(AssociationError):
        verify(node.plain_port, client_settings(made))
    verify(node.plain_port)


def test_silent_connections_on_the_port_with_tls_hold_up_nobody_and_are_closed(
    node: OpenNode, made: MadeCertificates
) -> None:
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", node.tls_port), 10))
            for _ in range(5)
        ]
        begin = time.monotonic()
        verify(node.tls_port, client_settings(made))
        assert time.monotonic() - begin < HANDSHAKE_S
        for each in silent:
            assert each.recv(1) == b""
    assert node.journal.settings() == ["limits.negotiation_timeout_s"] * 5


def test_title_is_bound_to_its_certificate(tmp_path: Path, made: MadeCertificates) -> None:
    def peer(title: str, certificate: str) -> Peer:
        values = {"host": "127.0.0.1", "port": 104, "role": "sender", "certificate": certificate}
        return Peer.model_validate({"ae_title": title} | values)

    peers = {"ours": peer("OURS", "hounsfield-client"), "other": peer("OTHER", "ab" * 32)}
    tls = server_settings(made, free_port())
    with opened(tmp_path, tls=tls, peers=peers, access={"callers": "peers"}) as node:
        verify(node.tls_port, client_settings(made), "OURS")
        with pytest.raises(AssociationError, match="Calling AE title not recognised"):
            verify(node.tls_port, client_settings(made), "OTHER")
        with pytest.raises(AssociationError, match="Calling AE title not recognised"):
            verify(node.plain_port, None, "OURS")
    assert node.journal.settings() == ["peers.other.certificate", "peers.ours.certificate"]
    assert "hounsfield-client" in node.journal.entries[0][1]
    assert "none was shown" in node.journal.entries[1][1]


def test_new_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    made = made_in(tmp_path / "certs")
    with opened(tmp_path, tls=server_settings(made, free_port())) as node:
        verify(node.tls_port, client_settings(made))
        made.server.write_text("half a file")
        verify(node.tls_port, client_settings(made))
        made_in(made.folder)
        verify(node.tls_port, client_settings(made))


# What we send


@contextmanager
def _mute_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def test_mute_server_is_given_up_in_time(made: MadeCertificates) -> None:
    with _mute_server() as port:
        begin = time.monotonic()
        with pytest.raises(AssociationError, match="no TLS handshake in time"):
            echo(
                "TEST",
                PeerAddress(AeTitle(TITLE), "127.0.0.1", port),
                0.5,
                ClientTls(client_settings(made)),
            )
        assert time.monotonic() - begin < 5.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"certificate": "somebody-else"}, "it showed the certificate of localhost"),
        ({"certificate": "localhost"}, None),
    ],
)
def test_server_must_show_the_certificate_that_it_is_known_by(
    node: OpenNode, made: MadeCertificates, change: dict[str, str], words: str | None
) -> None:
    tls = ClientTls(client_settings(made), **change)
    if words is None:
        verify(node.tls_port, tls)
        return
    with pytest.raises(AssociationError, match=words):
        verify(node.tls_port, tls)


def test_server_of_another_authority_or_host_is_not_talked_to(
    tmp_path: Path, made: MadeCertificates
) -> None:
    elsewhere = made_in(tmp_path / "certs", hosts=("node.example.org",))
    files = client_settings(elsewhere)
    with opened(tmp_path, tls=server_settings(elsewhere, free_port())) as node:
        with pytest.raises(AssociationError, match="not accepted: self-signed certificate"):
            verify(node.tls_port, client_settings(made))
        with pytest.raises(AssociationError, match="not accepted: IP address mismatch"):
            verify(node.tls_port, files)
        verify(node.tls_port, ClientTls(files, check_host=False))


def test_own_files_that_are_gone_are_named(node: OpenNode, made: MadeCertificates) -> None:
    files = client_settings(made).model_copy(update={"ca": made.folder / "gone.pem"})
    with pytest.raises(AssociationError, match="our files cannot be used"):
        verify(node.tls_port, files)


# DCMTK


def _echoscu(port: int, *options: object) -> subprocess.CompletedProcess[str]:
    command = [require("echoscu"), "-v", "-aec", TITLE, *map(str, options), "localhost", str(port)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.peers
def test_echoscu_is_answered_over_tls_and_refused_without_its_certificate(
    node: OpenNode, made: MadeCertificates, tmp_path: Path
) -> None:
    stranger = made_in(tmp_path / "stranger")
    known = ("+tls", made.client_key, made.client, "+cf", made.ca)
    assert _echoscu(node.tls_port, *known).returncode == 0
    unknown = ("+tls", stranger.client_key, stranger.client, "+cf", made.ca)
    for options in ((), ("+tla", "+cf", made.ca), unknown):
        assert _echoscu(node.tls_port, *options).returncode != 0
    settings = ["node.plaintext", "tls.client_certificates", "tls.ca"]
    wait_for("the journal", lambda: node.journal.settings() == settings, 5.0)
    assert _echoscu(node.tls_port, *known).returncode == 0
