"""TLS as PS3.15 wants it: versions 1.2 and 1.3, forward secrecy, authenticated encryption.

There are no session tickets, and no session outlives its association, so that each one shows and
verifies its certificates anew.

Source: PS3.15 annexes B.12 and B.13; BCP 195 (RFC 9325).
"""

import hashlib
import ssl
from dataclasses import dataclass
from typing import Any, Self

from config import TlsSettings

_SUITES_OF_TLS_1_2 = "ECDHE+AESGCM"
_VERIFY_MODES = {
    "required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
}


class TlsFilesError(Exception):
    """A file that ``[tls]`` names cannot be used; the message says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """A certificate that was shown to us and verified.

    Parameters
    ----------
    common_names
        Of its subject.
    fingerprint
        SHA-256 of its DER form, as 64 hexadecimal digits.
    """

    common_names: tuple[str, ...]
    fingerprint: str

    @classmethod
    def shown_on(cls, tls_socket: ssl.SSLSocket | ssl.SSLObject) -> Self | None:
        """What the peer showed in the handshake; None where it showed none."""
        encoded = tls_socket.getpeercert(binary_form=True)
        if not encoded:
            return None
        shown: dict[str, Any] = dict(tls_socket.getpeercert() or {})
        subject = (attribute for part in shown.get("subject", ()) for attribute in part)
        names = tuple(value for key, value in subject if key == "commonName")
        return cls(names, hashlib.sha256(encoded).hexdigest())

    def is_known_as(self, name: str) -> bool:
        """Whether this is its common name or its fingerprint."""
        return name == self.fingerprint or name in self.common_names

    def __str__(self) -> str:
        return f"{', '.join(self.common_names) or 'no name'} (SHA-256 {self.fingerprint})"


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """The context of associations that peers open.

    Raises
    ------
    OSError
        A file cannot be used; ssl.SSLError is one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    context.verify_mode = _VERIFY_MODES[settings.client_certificates]
    _load(context, settings)
    return context


def prepare_client_context(
    context: ssl.SSLContext, settings: TlsSettings, *, check_host: bool
) -> None:
    """Make a fresh context that of an association we open: the peer is always verified.

    Parameters
    ----------
    context
        Changed in place.
    settings
        The files.
    check_host
        Whether the certificate must be made out to the host.

    Raises
    ------
    OSError
        A file cannot be used; ssl.SSLError is one.
    """
    _harden(context)
    context.check_hostname = check_host
    _load(context, settings)


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES_OF_TLS_1_2)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET


def _load(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if settings.certificate is not None:
        # a key with a pass phrase must fail here, not ask for it on the terminal
        context.load_cert_chain(settings.certificate, settings.key, password=lambda: "")
    if settings.ca is not None:
        context.load_verify_locations(settings.ca)
