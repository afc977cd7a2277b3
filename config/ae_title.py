"""Application Entity titles and the addresses of peers, parsed once at the edge."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from config.section import Wording

_LONGEST_AE_TITLE = 16
_HIGHEST_PORT = 65535
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")


class AeTitle(str):
    """The name of a DICOM application, without the spaces that carry no meaning.

    Titles are compared exactly: upper and lower case differ.

    Raises
    ------
    ValueError
        The text is no AE title; the message says what is allowed.

    Source: PS3.5 section 6.2, value representation AE.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Strip and check the text; there is no invalid `AeTitle`."""
        title = text.strip(" ")
        if not 1 <= len(title) <= _LONGEST_AE_TITLE or not _is_printable_ascii(title):
            raise ValueError(
                "an AE title has 1 to 16 printable ASCII characters, no backslash and not only "
                "spaces"
            )
        return super().__new__(cls, title)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an AE title as typed or as received, with or without padding spaces.

        Raises
        ------
        ValueError
            The text is no AE title.
        """
        return cls(text)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: type[Any], _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


def parse_host(text: str) -> str:
    """Check a host: a name or an IPv4 or IPv6 address, without brackets.

    Raises
    ------
    ValueError
        The text is neither.
    """
    if _HOST_NAME.fullmatch(text) or is_ip_address(text):
        return text
    raise ValueError(
        "a host is a name such as pacs.example.org or an address such as 192.0.2.7 or 2001:db8::7, "
        "without port or brackets"
    )


Title = Annotated[AeTitle, Wording("an AE title")]
Host = Annotated[str, AfterValidator(parse_host), Wording("a host name or IP address")]


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a peer listens, and the AE title it is called by.

    Parameters
    ----------
    ae_title
        The called AE title.
    host
        Name, IPv4 or IPv6 address; an IPv6 address without brackets.
    port
        TCP port, 1 to 65535.
    """

    ae_title: AeTitle
    host: Host
    port: int

    def __post_init__(self) -> None:
        parse_host(self.host)
        if not 1 <= self.port <= _HIGHEST_PORT:
            raise ValueError("a peer's port is a whole number from 1 to 65535")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``AE@host:port``; an IPv6 address stands in brackets: ``AE@[::1]:104``.

        Raises
        ------
        ValueError
            The text is no such address; the message says what is allowed.
        """
        title, at, place = text.rpartition("@")
        host, colon, port = place.rpartition(":")
        if not at or not colon or not re.fullmatch(r"[0-9]{1,5}", port):
            raise ValueError(
                "an address is written AE@host:port, for example PACS@192.0.2.7:104 or "
                "PACS@[2001:db8::7]:104"
            )
        return cls(AeTitle.parse(title), _unbracketed(host), int(port))


def _unbracketed(host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1]
    if ":" in host:
        raise ValueError("an IPv6 address stands in brackets: PACS@[2001:db8::7]:104")
    return host


def is_ip_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address, without brackets."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_printable_ascii(text: str) -> bool:
    return text.isascii() and text.isprintable() and "\\" not in text
