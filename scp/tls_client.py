"""TLS on associations that we open: our certificate, the peer's verified, failures in words."""

import ssl
from dataclasses import dataclass
from typing import Any, Self

from config import Peer, TlsSettings
from scp.tls import PeerCertificate, prepare_client_context


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How one peer is talked to with TLS.

    Parameters
    ----------
    files
        Our certificate, and the authorities that the peer's is verified against.
    check_host
        Whether the peer's certificate must be made out to its host.
    certificate
        The common name or fingerprint that it must have; None takes any that is verified.
    """

    files: TlsSettings
    check_host: bool = True
    certificate: str | None = None

    @classmethod
    def to(cls, peer: Peer, files: TlsSettings) -> Self | None:
        """What the settings ask for; None where the peer is talked to without TLS."""
        return cls(files, peer.check_host, peer.certificate) if peer.tls else None

    def context(self) -> "ClientContext":
        """A context for one association, from the files as they are now.

        Raises
        ------
        OSError
            A file cannot be used; ssl.SSLError is one.
        """
        context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
        context.expected = self.certificate
        context.sslsocket_class = _WatchedSocket
        prepare_client_context(context, self.files, check_host=self.check_host)
        return context


class ClientContext(ssl.SSLContext):
    """The context of one association, that keeps why its handshake failed.

    Attributes
    ----------
    expected
        The common name or fingerprint that the peer's certificate must have.
    failure
        Why the handshake failed, in a sentence; empty where it did not.
    """

    expected: str | None = None
    failure: str = ""


class _WatchedSocket(ssl.SSLSocket):
    """Notes why a handshake failed.

    pynetdicom does not close what it could not connect or shut down: that is done here.
    """

    def connect(self, address: Any) -> None:
        try:
            super().connect(address)
        except OSError:
            self.close()
            raise

    def shutdown(self, how: int) -> None:
        try:
            super().shutdown(how)
        except OSError:
            self.close()
            raise

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - ssl's signature
        context = self.context
        assert isinstance(context, ClientContext)  # noqa: S101 - set above
        try:
            super().do_handshake(block)
            _check_identity(PeerCertificate.shown_on(self), context.expected)
        except OSError as error:
            context.failure = _failure(error)
            raise


def _check_identity(certificate: PeerCertificate | None, expected: str | None) -> None:
    if expected is None or (certificate is not None and certificate.is_known_as(expected)):
        return
    raise ssl.SSLError(f"it showed the certificate of {certificate}, not of {expected}")


def _failure(error: OSError) -> str:
    match error:
        case TimeoutError():
            return "no TLS handshake in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message}"
        case ssl.SSLError(reason=str(reason)):
            return f"TLS handshake failed: {reason.replace('_', ' ').lower()}"
        case _:
            return str(error)
