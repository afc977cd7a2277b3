"""Who may send: what is asked of a caller before an association is accepted."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from config.section import Section, Wording

_NETWORK = "an IP address or network"
_WANTED = f"must be {_NETWORK} such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/64"
_CERTIFICATE = "a common name or a SHA-256 fingerprint"
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_LONGEST_COMMON_NAME = 64


class AccessSettings(Section):
    """The table ``[access]``."""

    called_ae_title: Literal["ours", "any"] = "ours"
    """AE title that an association must call: the node's own, or any."""

    callers: Literal["anyone", "peers"] = "anyone"
    """Whose associations are accepted: anyone's, or only those of peers that may send."""


def _read_network(value: object) -> object:
    """A network; a single address is a network of one."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str):
        raise ValueError(_WANTED)  # noqa: TRY004 - pydantic's way to refuse
    try:
        return ip_network(value)
    except ValueError as error:
        raise ValueError(_what_instead(value)) from error


def _what_instead(text: str) -> str:
    try:
        meant = ip_interface(text).network
    except ValueError:
        return _WANTED
    return f"{_WANTED}; the network that holds this address is {meant}"


def _read_certificate(text: str) -> str:
    """A fingerprint as 64 lower-case digits, or a common name as it is."""
    digits = text.replace(":", "").lower()
    if _FINGERPRINT.fullmatch(digits):
        return digits
    if 1 <= len(text) <= _LONGEST_COMMON_NAME and text.isprintable() and text == text.strip():
        return text
    raise ValueError(
        "must be the common name of the certificate's subject (1 to 64 characters) or the "
        "certificate's SHA-256 fingerprint (64 hexadecimal digits, with or without colons)"
    )


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_read_network), Wording(_NETWORK)]
"""Addresses that a peer may send from."""

CertificateName = Annotated[str, AfterValidator(_read_certificate), Wording(_CERTIFICATE)]
"""What a certificate is known by: its subject's common name or its fingerprint."""
