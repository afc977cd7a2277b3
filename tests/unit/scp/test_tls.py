"""TLS: what is spoken, whose certificate is taken, and new files under a running node."""

import os
import ssl
import warnings
from pathlib import Path

import pytest
import structlog

from config import Peer, TlsSettings
from scp.certificates.make import MadeCertificates
from scp.receive.tls import TlsContexts, handshake_failure
from scp.tls import PeerCertificate, server_context
from scp.tls_client import ClientContext, ClientTls
from tests.support.certificates import client_settings, handshake, made_in, server_settings


@pytest.fixture
def made(tmp_path: Path) -> MadeCertificates:
    return made_in(tmp_path / "certs")


def _client(made: MadeCertificates) -> ClientContext:
    return ClientTls(client_settings(made)).context()


def _old_client(made: MadeCertificates, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = _client(made)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def test_both_ends_see_each_others_certificate(made: MadeCertificates) -> None:
    ends = handshake(server_context(server_settings(made)), _client(made))
    shown = [PeerCertificate.shown_on(end) for end in ends]
    assert [each.common_names for each in shown if each] == [("hounsfield-client",), ("localhost",)]
    assert all(each and len(each.fingerprint) == 64 for each in shown)
    assert [end.version() for end in ends] == ["TLSv1.3", "TLSv1.3"]


def test_tls_1_2_is_spoken_with_forward_secrecy_and_gcm(made: MadeCertificates) -> None:
    client = _client(made)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    end, _ = handshake(server_context(server_settings(made)), client)
    cipher = end.cipher()
    assert cipher is not None
    assert cipher[0].startswith("ECDHE-ECDSA-AES")
    assert cipher[0].endswith(("GCM-SHA256", "GCM-SHA384"))
    assert end.compression() is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(made: MadeCertificates, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError) as caught:
        handshake(server_context(server_settings(made)), _old_client(made, version))
    assert handshake_failure(caught.value)[0] == "only TLS versions before 1.2 were offered"


@pytest.mark.parametrize("suite", ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"])
def test_suites_without_forward_secrecy_or_gcm_are_refused(
    made: MadeCertificates, suite: str
) -> None:
    client = _old_client(made, ssl.TLSVersion.TLSv1_2)
    client.set_ciphers(f"{suite}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError) as caught:
        handshake(server_context(server_settings(made)), client)
    assert handshake_failure(caught.value) == ("no cipher suite of ours was offered", "")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_session_does_not_outlive_its_association(
    made: MadeCertificates, version: ssl.TLSVersion
) -> None:
    """Whoever lost the right to send loses it with the next association."""
    server, client = server_context(server_settings(made)), _client(made)
    client.maximum_version = version
    ends = handshake(server, client)
    ends[0].write(b"what may carry a ticket")
    assert ends[1].read()
    session = ends[1].session
    assert session is not None
    assert not session.has_ticket
    del ends
    again = handshake(server, client, session=session)
    assert not again[1].session_reused
    assert PeerCertificate.shown_on(again[0]) is not None


def test_client_without_certificate_is_refused_where_one_is_required(
    made: MadeCertificates,
) -> None:
    bare = ClientTls(TlsSettings(ca=made.ca)).context()
    with pytest.raises(ssl.SSLError) as caught:
        handshake(server_context(server_settings(made)), bare)
    assert handshake_failure(caught.value) == (
        "no certificate was shown",
        "tls.client_certificates",
    )


@pytest.mark.parametrize("asked", ["optional", "none"])
def test_client_without_certificate_is_taken_where_none_is_required(
    made: MadeCertificates, asked: str
) -> None:
    settings = server_settings(made).model_copy(update={"client_certificates": asked})
    bare = ClientTls(TlsSettings(ca=made.ca)).context()
    end, _ = handshake(server_context(settings), bare)
    assert PeerCertificate.shown_on(end) is None


def test_client_of_another_authority_is_refused_even_where_none_is_required(
    made: MadeCertificates, tmp_path: Path
) -> None:
    stranger = made_in(tmp_path / "stranger")
    settings = server_settings(made).model_copy(update={"client_certificates": "optional"})
    client = ClientTls(
        TlsSettings(certificate=stranger.client, key=stranger.client_key, ca=made.ca)
    ).context()
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(server_context(settings), client)
    why, setting = handshake_failure(caught.value)
    assert why.startswith("the certificate shown is not accepted: ")
    assert setting == "tls.ca"


def test_what_is_no_tls_and_what_comes_too_late_have_their_own_words(
    made: MadeCertificates,
) -> None:
    incoming = ssl.MemoryBIO()
    incoming.write(b"\x01\x00\x00\x00\x00\x44\x00\x01")  # begin of an A-ASSOCIATE-RQ PDU
    end = server_context(server_settings(made)).wrap_bio(incoming, ssl.MemoryBIO(), True)
    with pytest.raises(ssl.SSLError) as caught:
        end.do_handshake()
    assert handshake_failure(caught.value)[0] == "what came on the TLS port is no TLS"
    assert handshake_failure(TimeoutError())[1] == "limits.negotiation_timeout_s"
    assert handshake_failure(ConnectionResetError())[0] == "the TLS handshake failed"


# New files under a running node


def _served(contexts: TlsContexts, made: MadeCertificates) -> str:
    """The fingerprint of the certificate that the next association is shown."""
    _, end = handshake(contexts.current(), _client(made))
    shown = PeerCertificate.shown_on(end)
    assert shown is not None
    return shown.fingerprint


def test_new_files_are_used_from_the_next_association_on(made: MadeCertificates) -> None:
    contexts = TlsContexts(server_settings(made))
    before = _served(contexts, made)
    assert contexts.current() is contexts.current()
    made_in(made.folder)
    assert _served(contexts, made) != before


def test_broken_new_file_leaves_the_old_one_and_is_logged_once(made: MadeCertificates) -> None:
    contexts = TlsContexts(server_settings(made))
    before = contexts.current()
    good = made.server.read_bytes()
    made.server.write_text("half a file")
    with structlog.testing.capture_logs() as events:
        assert contexts.current() is before
        assert contexts.current() is before
    assert [event["log_level"] for event in events] == ["error"]
    made.server.write_bytes(good)
    assert contexts.current() is not before


def test_certificate_without_its_new_key_waits_for_the_key(
    made: MadeCertificates, tmp_path: Path
) -> None:
    """The two files cannot change at one moment."""
    contexts = TlsContexts(server_settings(made))
    before = contexts.current()
    fresh = made_in(tmp_path / "fresh")
    fresh.server.replace(made.server)
    assert contexts.current() is before
    fresh.server_key.replace(made.server_key)
    assert contexts.current() is not before


def test_file_that_goes_away_leaves_the_old_one(made: MadeCertificates) -> None:
    contexts = TlsContexts(server_settings(made))
    before = contexts.current()
    made.ca.unlink()
    assert contexts.current() is before


def test_file_that_is_only_read_is_not_read_anew(made: MadeCertificates) -> None:
    contexts = TlsContexts(server_settings(made))
    before = contexts.current()
    os.utime(made.server, ns=(0, made.server.stat().st_mtime_ns))
    assert contexts.current() is before


# What we send


def _peer(**values: object) -> Peer:
    return Peer.model_validate({"ae_title": "PACS", "host": "h", "port": 104} | values)


def test_peer_is_talked_to_as_its_table_says() -> None:
    files = TlsSettings(ca=Path("/ca.pem"))
    assert ClientTls.to(_peer(), files) is None
    assert ClientTls.to(_peer(tls=True), files) == ClientTls(files, check_host=True)
    secured = _peer(tls=True, check_host=False, certificate="PACS")
    assert ClientTls.to(secured, files) == ClientTls(files, check_host=False, certificate="PACS")


def test_certificate_of_another_host_is_refused_unless_it_may_be(made: MadeCertificates) -> None:
    server, files = server_context(server_settings(made)), client_settings(made)
    with pytest.raises(ssl.SSLCertVerificationError, match="match"):
        handshake(server, ClientTls(files).context(), "pacs.example.org")
    assert handshake(server, ClientTls(files, check_host=False).context(), "pacs.example.org")
