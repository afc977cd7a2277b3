"""A test authority with a server and a client certificate, to try mutual TLS with.

A hospital has an authority of its own; these are for a first try and for tests.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from config.ae_title import is_ip_address

_LONGEST_COMMON_NAME = 64
_PRIVATE = 0o600
_PUBLIC = 0o644
_CLOCK_DIFFERENCE = timedelta(hours=1)
_BOTH_DIRECTIONS = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
_FILES = ("ca.pem", "ca.key", "server.pem", "server.key", "client.pem", "client.key")


class CertificatesError(Exception):
    """Certificates cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class MadeCertificates:
    """Where the files are."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The authority's certificate: every node needs it."""
        return self.folder / "ca.pem"

    @property
    def server(self) -> Path:
        """The node's certificate."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        """The node's key."""
        return self.folder / "server.key"

    @property
    def client(self) -> Path:
        """A sender's certificate."""
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        """A sender's key."""
        return self.folder / "client.key"


def make_certificates(
    folder: Path, hosts: Sequence[str], days: int, now: datetime, *, overwrite: bool
) -> MadeCertificates:
    """Write an authority, a server's and a client's certificate with their keys.

    Parameters
    ----------
    folder
        Made where it is not there.
    hosts
        Names and addresses that the server's certificate is made out to.
    days
        How long they are valid.
    now
        When they are made.
    overwrite
        Whether files of these names are replaced.

    Raises
    ------
    CertificatesError
        Files are there already, or cannot be written.
    """
    present = [name for name in _FILES if (folder / name).exists()]
    if present and not overwrite:
        raise CertificatesError(
            f"{folder} holds {', '.join(present)} already; --force replaces them, and whoever "
            "trusts them then has to be given the new ones"
        )
    valid = (now - _CLOCK_DIFFERENCE, now + timedelta(days=days))
    authority = _authority(valid)
    identities = {
        "ca": authority,
        "server": _issued(authority, hosts[0][:_LONGEST_COMMON_NAME], hosts, valid),
        "client": _issued(authority, "hounsfield-client", (), valid),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, identity in identities.items():
            _write(folder / f"{name}.pem", _certificate_pem(identity), _PUBLIC)
            _write(folder / f"{name}.key", _key_pem(identity), _PRIVATE)
    except OSError as error:
        raise CertificatesError(f"{error.filename}: {error.strerror}") from error
    return MadeCertificates(folder)


def _authority(valid: tuple[datetime, datetime]) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Hounsfield test authority")
    builder = _builder(name, name, key, valid)
    usage = _usage(is_authority=True)
    return Identity(
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256()),
        key,
    )


def _issued(
    authority: Identity, common_name: str, hosts: Sequence[str], valid: tuple[datetime, datetime]
) -> Identity:
    """A certificate for both directions: a node is server to its senders, client to its PACS."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    builder = (
        _builder(_name(common_name), issuer.subject, key, valid)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_BOTH_DIRECTIONS), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
    )
    if hosts:
        names = x509.SubjectAlternativeName([_host(each) for each in hosts])
        builder = builder.add_extension(names, critical=False)
    return Identity(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    valid: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(text: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(text)) if is_ip_address(text) else x509.DNSName(text)


def _certificate_pem(identity: Identity) -> bytes:
    return identity.certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(identity: Identity) -> bytes:
    return identity.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(file: Path, content: bytes, mode: int) -> None:
    """Write a file under another name, and put it in its place with its mode."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
    unfinished.replace(file)
