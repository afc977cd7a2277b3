"""TLS on associations that peers open: certificates that may change, handshakes that may fail."""

import ssl
import threading
from pathlib import Path

import structlog

from config import TlsSettings
from scp.tls import TlsFilesError, server_context

log = structlog.get_logger()

_Stamp = tuple[tuple[int, int, int] | None, ...]
"""Inode, size and time of change of each file; None where one cannot be asked."""


class TlsContexts:
    """The context for the next association, from the files as they are now.

    A site replaces its certificates under a running node: the files' stamps are compared at each
    association, which costs three system calls, and read anew where one has changed.

    Parameters
    ----------
    settings
        The files.

    Raises
    ------
    TlsFilesError
        They cannot be used at the start.

    Notes
    -----
    Error handling: files that cannot be used (half written, or the new certificate already there
    and its key not yet) leave the context as it was, and are logged once as they are.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._files = [
            file for file in (settings.certificate, settings.key, settings.ca) if file is not None
        ]
        self._lock = threading.Lock()
        self._stamp = self._read_stamp()
        try:
            self._context = server_context(settings)
        except OSError as error:
            files = ", ".join(map(str, self._files))
            raise TlsFilesError(f"tls: {files} cannot be used: {error}") from error

    def current(self) -> ssl.SSLContext:
        """The context for an association that begins now."""
        with self._lock:
            stamp = self._read_stamp()
            if stamp != self._stamp:
                self._stamp = stamp
                self._reload()
            return self._context

    def _reload(self) -> None:
        try:
            self._context = server_context(self._settings)
        except OSError as error:
            log.error(  # noqa: TRY400 - a reason, no traceback wanted
                "changed TLS files cannot be used, the old ones stay",
                files=[str(file) for file in self._files],
                reason=str(error),
            )
        else:
            log.info("TLS files read anew", files=[str(file) for file in self._files])

    def _read_stamp(self) -> _Stamp:
        return tuple(_stamp_of(file) for file in self._files)


def _stamp_of(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def handshake_failure(error: OSError) -> tuple[str, str]:
    """Why a handshake failed, in a sentence, and the setting that has to do with it.

    The sentence is one of a few, whatever the peer sends, apart from what OpenSSL has against a
    certificate.
    """
    if isinstance(error, TimeoutError):
        return "no TLS handshake in time", "limits.negotiation_timeout_s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate shown is not accepted: {error.verify_message}", "tls.ca"
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "no certificate was shown", "tls.client_certificates"
    if "ALERT" in reason:
        words = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return f"the peer broke the TLS handshake off: {words}", "tls.certificate"
    return _FAILURES.get(reason, ("the TLS handshake failed", ""))


_NO_TLS = ("what came on the TLS port is no TLS", "node.plaintext")
_TOO_OLD = ("only TLS versions before 1.2 were offered", "")
_FAILURES = {
    "HTTP_REQUEST": _NO_TLS,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "VERSION_TOO_LOW": _TOO_OLD,
    "NO_SHARED_CIPHER": ("no cipher suite of ours was offered", ""),
}
