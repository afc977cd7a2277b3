"""Whether the files that ``[tls]`` names can be used, said so that a wrong one can be mended."""

import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config import TlsSettings
from scp.tls import TlsFilesError, server_context
from scp.tls_client import ClientTls

_SOON = timedelta(days=30)
_ANYBODY_MAY_READ = 0o004


def check_tls_files(settings: TlsSettings, now: datetime) -> None:
    """Check certificate, key and authorities, as far as they are set.

    Raises
    ------
    TlsFilesError
        One cannot be read or used, has expired, or the key is not the certificate's.
    """
    if settings.certificate is not None and settings.key is not None:
        certificate = _certificates("certificate", settings.certificate)[0]
        _check_times("certificate", settings.certificate, [certificate], now)
        if _key(settings.key).public_key() != certificate.public_key():
            raise TlsFilesError(
                f"tls.key: {settings.key} is not the key of the certificate in "
                f"{settings.certificate}; the certificate's own must come first in its file"
            )
    if settings.ca is not None:
        _check_times("ca", settings.ca, _certificates("ca", settings.ca), now)
    _check_with_openssl(settings)


def tls_warnings(settings: TlsSettings, now: datetime) -> Iterator[str]:
    """What a node can run with and should be seen to.

    Raises
    ------
    TlsFilesError
        A file cannot be read, or is none.
    """
    for key in ("certificate", "ca"):
        file: Path | None = getattr(settings, key)
        for certificate in () if file is None else _certificates(key, file):
            end, name = certificate.not_valid_after_utc, certificate.subject.rfc4514_string()
            if end - now < _SOON:
                verb = "expired" if end < now else "expires"
                yield f"tls.{key}: {file}: the certificate of {name} {verb} on {end:%F}"
    if settings.key is not None and _mode(settings.key) & _ANYBODY_MAY_READ:
        yield f"tls.key: {settings.key} can be read by every user of this machine: chmod o-r"


def _check_times(
    key: str, file: Path, certificates: Sequence[x509.Certificate], now: datetime
) -> None:
    """One that is valid will do: a file of authorities may hold an old one beside the new."""
    spans = [(each.not_valid_before_utc, each.not_valid_after_utc) for each in certificates]
    if any(begin <= now <= end for begin, end in spans):
        return
    begin, end = max(spans, key=lambda span: span[1])
    if now > end:
        raise TlsFilesError(f"tls.{key}: {file} expired on {end:%F %T} UTC; put a new one there")
    raise TlsFilesError(
        f"tls.{key}: {file} is valid from {begin:%F %T} UTC on; is this machine's clock right?"
    )


def _certificates(key: str, file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(key, file))
    except ValueError as error:
        raise TlsFilesError(
            f"tls.{key}: {file} holds no certificate in PEM form ('-----BEGIN CERTIFICATE-----')"
        ) from error


def _key(file: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(_read("key", file), password=None)
    except TypeError as error:
        raise TlsFilesError(
            f"tls.key: {file} is protected by a pass phrase, which nobody could type in; store it "
            "without, readable by the node's user only"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TlsFilesError(f"tls.key: {file} holds no private key in PEM form") from error


def _read(key: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(key, file, error) from error


def _mode(key_file: Path) -> int:
    try:
        return key_file.stat().st_mode
    except OSError as error:
        raise _unreadable("key", key_file, error) from error


def _unreadable(key: str, file: Path, error: OSError) -> TlsFilesError:
    return TlsFilesError(f"tls.{key}: {file} cannot be read: {error.strerror}")


def _check_with_openssl(settings: TlsSettings) -> None:
    """OpenSSL has the last word: a key can be too short for it, say."""
    try:
        if settings.port is not None:
            server_context(settings)
        ClientTls(settings).context()
    except OSError as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        files = ", ".join(
            str(file) for file in (settings.certificate, settings.key, settings.ca) if file
        )
        raise TlsFilesError(f"tls: OpenSSL refuses {files}: {reason}") from error
