"""TLS: where the node listens with it, and the certificates of both directions."""

from typing import Literal

from pydantic import Field

from config.paths import AbsolutePath
from config.section import Section

ClientCertificates = Literal["required", "optional", "none"]


class TlsSettings(Section):
    """The table ``[tls]``; all files are PEM and are read anew when they change."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """TCP port to listen on with TLS, by custom 2762; without it the node takes no TLS."""

    certificate: AbsolutePath | None = None
    """File of our certificate, followed by those between it and the authority."""

    key: AbsolutePath | None = None
    """File of the certificate's private key, without a pass phrase."""

    ca: AbsolutePath | None = None
    """File of the authorities' certificates that a peer's certificate is verified against."""

    client_certificates: ClientCertificates = "required"
    """Whether a sender has to show a certificate; one that is shown is always verified."""
