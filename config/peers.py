"""Other DICOM nodes: where results are sent, and who may send."""

from typing import Literal

from pydantic import Field

from config.access import CertificateName, Network
from config.ae_title import Host, PeerAddress, Title
from config.arrays import OneOrMore
from config.dialect import DialectSettings
from config.section import Section


class Peer(Section):
    """A table ``[peers.NAME]``: another DICOM node."""

    ae_title: Title
    """AE title of the peer."""

    host: Host
    """Host name or IP address of the peer."""

    port: int = Field(ge=1, le=65535)
    """TCP port of the peer."""

    role: Literal["destination", "sender", "both"] = "destination"
    """Whether the peer is sent results, sends us instances, or both."""

    addresses: OneOrMore[Network] | None = None
    """Where its associations may come from; without it see access.callers."""

    certificate: CertificateName | None = None
    """The certificate that it must show: its subject's common name or its SHA-256 fingerprint."""

    tls: bool = False
    """Whether results are sent to it with TLS."""

    check_host: bool = True
    """Whether the certificate it shows us as a TLS server must be made out to `host`."""

    dialect: DialectSettings = DialectSettings()
    """What results it is sent, and in which form."""

    @property
    def address(self) -> PeerAddress:
        """Where the peer listens."""
        return PeerAddress(self.ae_title, self.host, self.port)

    @property
    def receives_results(self) -> bool:
        """Whether a route may name the peer as a destination."""
        return self.role in {"destination", "both"}

    @property
    def sends_instances(self) -> bool:
        """Whether the peer may associate with us where only peers may."""
        return self.role in {"sender", "both"}
