"""Peers on the TLS port that are silent, too old, in plain text or nobody we know."""

import ssl
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config import LimitSettings, TlsSettings
from scp.certificates.make import MadeCertificates, make_certificates
from tests.support.data_units import (
    associate_request,
)
from tests.support.ports import free_port
from tests.support.raw_instances import raw_instance, store
from tests.support.receivers import LoneReceiver, receiving
from tests.support.spooled import stored_digests
from tests.support.upper_layer import AssociationEndedError, UpperLayerAssociation
from tests.support.waiting import wait_for

OLD_VERSIONS = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]
NEGOTIATION_S = 1.0


@dataclass(frozen=True, slots=True)
class Site:
    """A receiver that takes TLS with client certificates, and the files to reach it with."""

    receiver: LoneReceiver
    port: int
    ours: MadeCertificates
    strangers: MadeCertificates

    def client(self, certificates: MadeCertificates | None) -> ssl.SSLContext:
        """A sender's side that shows a certificate, or none."""
        context = ssl.create_default_context(cafile=str(self.ours.ca))
        context.check_hostname = False
        if certificates:
            context.load_cert_chain(certificates.client, certificates.client_key)
        return context

    def check_others_are_served(self) -> None:
        """A sender with our certificate stores an instance."""
        with UpperLayerAssociation(self.port, tls=self.client(self.ours)) as association:
            association.associate()
            instance = raw_instance(100_000)
            assert store(association, instance).status == 0
            association.release()
        assert stored_digests(self.receiver.state)[instance.digest] == 1


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The receiver with its TLS port, and two authorities: ours and a stranger's."""
    folder = tmp_path_factory.mktemp("tls")
    ours, strangers = (_certificates(folder / name) for name in ("ours", "strangers"))
    port = free_port()
    tls = TlsSettings(port=port, certificate=ours.server, key=ours.server_key, ca=ours.ca)
    limits = LimitSettings(
        negotiation_timeout_s=NEGOTIATION_S, free_space_mb=0, free_space_percent=0
    )
    with receiving(LoneReceiver(folder / "receiver", limits, tls)) as receiver:
        yield Site(receiver, port, ours, strangers)


def _certificates(folder: Path) -> MadeCertificates:
    return make_certificates(folder, ["127.0.0.1"], 1, datetime.now(UTC), overwrite=False)


def test_a_known_certificate_is_served(site: Site) -> None:
    """40: what the refusals below are compared with."""
    site.check_others_are_served()


def test_silent_connections_hold_nobody_up(site: Site) -> None:
    """38: 20 connections that never shake hands: others are served at once, and the 20 closed."""
    with ExitStack() as stack:
        silent = [
            stack.enter_context(UpperLayerAssociation(site.port, source="127.0.0.66"))
            for _ in range(20)
        ]
        site.check_others_are_served()
        assert [association.read_to_the_end() for association in silent] == [[]] * 20


@pytest.mark.parametrize("version", OLD_VERSIONS, ids=lambda version: version.name)
def test_an_old_version_of_tls_is_refused(site: Site, version: ssl.TLSVersion) -> None:
    """40: TLS 1.0 and 1.1."""
    context = site.client(site.ours)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        UpperLayerAssociation(site.port, tls=context)
    site.check_others_are_served()


def test_a_downgrade_is_refused(site: Site) -> None:
    """40: a client that takes weak suites only."""
    context = site.client(site.ours)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA:AES256-SHA:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        UpperLayerAssociation(site.port, tls=context)
    site.check_others_are_served()


def test_plain_text_on_the_tls_port_is_refused(site: Site) -> None:
    """40: an A-ASSOCIATE-RQ without TLS gets no answer in DICOM."""
    with (
        UpperLayerAssociation(site.port) as association,
        pytest.raises((AssociationEndedError, ValueError)),
    ):
        association.negotiate(associate_request())
    site.check_others_are_served()


@pytest.mark.parametrize("shown", ["none", "a stranger's"])
def test_a_sender_without_our_certificate_is_refused(site: Site, shown: str) -> None:
    """40: no client certificate, or one of another authority: no association, nothing stored."""
    context = site.client(site.strangers if shown == "a stranger's" else None)
    before = stored_digests(site.receiver.state)
    with (
        pytest.raises((AssociationEndedError, ssl.SSLError)),
        UpperLayerAssociation(site.port, tls=context) as association,
    ):
        association.associate()
    assert stored_digests(site.receiver.state) == before
    site.check_others_are_served()


def test_handshakes_that_fail_leave_nothing_behind(site: Site) -> None:
    """40: a hundred of them: threads and descriptors are as before."""
    site.check_others_are_served()
    before = site.receiver.use
    for _ in range(50):
        with UpperLayerAssociation(site.port) as association:
            association.send(b"GET / HTTP/1.0\r\n\r\n")
        UpperLayerAssociation(site.port).reset()
    wait_for("the threads to end", lambda: site.receiver.use.threads <= before.threads, 5.0)
    wait_for(
        "descriptors to be closed",
        lambda: site.receiver.use.descriptors <= before.descriptors,
        5.0,
    )
    site.check_others_are_served()
