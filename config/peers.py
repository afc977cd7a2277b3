"""Other DICOM nodes: where results are sent, and who may send."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.access import CertificateName, Network
from config.ae_title import Host, PeerAddress, Title
from config.arrays import OneOrMore
from config.dialect import DialectSettings
from config.paths import AbsolutePath
from config.section import Section, Wording

_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")


def _check_url(text: str) -> str:
    if _URL.fullmatch(text):
        return text.rstrip("/")
    raise ValueError(
        "a URL begins with https:// or http:// and has a host, a port and a path at most, as "
        "https://pacs.example.org/dicom-web"
    )


WebUrl = Annotated[str, AfterValidator(_check_url), Wording("a URL of http or https")]


class Peer(Section):
    """A table ``[peers.NAME]``: another DICOM node."""

    kind: Literal["dimse", "dicomweb"] = "dimse"
    """How it is talked to: over associations, or as a destination by DICOMweb (STOW-RS)."""

    ae_title: Title | None = None
    """AE title of the peer; required of the kind dimse, as are `host` and `port`."""

    host: Host | None = None
    """Host name or IP address of the peer."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """TCP port of the peer."""

    url: WebUrl | None = None
    """Where its DICOMweb services are, without /studies; required of the kind dicomweb."""

    headers: dict[str, str] = Field(default_factory=dict)
    """Further HTTP headers of the kind dicomweb."""

    token_file: AbsolutePath | None = None
    """File of a bearer token of the kind dicomweb, read anew for each attempt."""

    ca: AbsolutePath | None = None
    """File of the authorities that its https certificate is verified against; else public ones."""

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

    proof: Literal["status", "commitment", "readback"] = "status"
    """What proves that it has a result: its answer, Storage Commitment, or finding it there."""

    associations: int = Field(default=1, ge=1, le=16)
    """Associations over which it is sent results at one time."""

    dialect: DialectSettings = DialectSettings()
    """What results it is sent, and in which form."""

    @property
    def address(self) -> PeerAddress:
        """Where the peer listens.

        Raises
        ------
        ValueError
            It is of the kind dicomweb, or was built without what its kind requires.
        """
        if self.ae_title is None or self.host is None or self.port is None:
            raise ValueError("no AE title, host and port")
        return PeerAddress(self.ae_title, self.host, self.port)

    @property
    def place(self) -> str:
        """Where the peer is, for people."""
        return str(self.address) if self.kind == "dimse" else str(self.url)

    @property
    def receives_results(self) -> bool:
        """Whether a route may name the peer as a destination."""
        return self.role in {"destination", "both"}

    @property
    def sends_instances(self) -> bool:
        """Whether the peer may associate with us where only peers may."""
        return self.role in {"sender", "both"}
