"""Who may associate with the node: called title, calling title, address, certificate."""

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

from config import Peer, Settings
from scp.tls import PeerCertificate


class Result(IntEnum):
    """Whether the same request may be accepted later (PS3.8 section 9.3.4)."""

    PERMANENT = 1
    TRANSIENT = 2


class Source(IntEnum):
    """Who rejects (PS3.8 section 9.3.4)."""

    SERVICE_USER = 1
    SERVICE_PROVIDER_PRESENTATION = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for an association.

    Parameters
    ----------
    calling_ae_title, called_ae_title
        As asked, without padding; empty where nothing was asked yet.
    address
        The IP address that the connection comes from.
    certificate
        What it showed in the TLS handshake, verified; None without TLS or certificate.
    """

    calling_ae_title: str
    called_ae_title: str
    address: str
    certificate: PeerCertificate | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an association is rejected.

    Parameters
    ----------
    result, source, reason
        Fields of the A-ASSOCIATE-RJ PDU.
    why
        A sentence for the site's journal; the caller is told the codes only.
    setting
        The key that would allow it.

    Source: PS3.8 section 9.3.4, table 9-21.
    """

    result: Result
    source: Source
    reason: int
    why: str
    setting: str

    @classmethod
    def of_caller(cls, why: str, setting: str) -> Self:
        """The calling AE title is not recognised: no more is told to who is not let in."""
        return cls(Result.PERMANENT, Source.SERVICE_USER, 3, why, setting)

    @classmethod
    def of_called_title(cls, why: str, setting: str) -> Self:
        """The called AE title is not recognised."""
        return cls(Result.PERMANENT, Source.SERVICE_USER, 7, why, setting)

    @classmethod
    def of_limit(cls, why: str, setting: str) -> Self:
        """A local limit is exceeded; the caller may come again."""
        return cls(Result.TRANSIENT, Source.SERVICE_PROVIDER_PRESENTATION, 2, why, setting)


@dataclass(frozen=True, slots=True)
class Admission:
    """The site's rules on who may associate.

    A title that belongs to peers is bound to the addresses and certificates that the settings
    give them, whoever else is let in.

    Parameters
    ----------
    ae_title
        The title that has to be called; None takes any.
    peers
        All peers by name.
    only_peers
        Whether the calling title has to be one of a peer that sends.
    """

    ae_title: str | None
    peers: dict[str, Peer]
    only_peers: bool

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The rules that the settings make."""
        access = settings.access
        return cls(
            ae_title=settings.node.ae_title if access.called_ae_title == "ours" else None,
            peers=settings.peers,
            only_peers=access.callers == "peers",
        )

    def judge(self, caller: Caller) -> Rejection | None:
        """None where the caller may associate, else why not."""
        if self.ae_title is not None and caller.called_ae_title != self.ae_title:
            return Rejection.of_called_title(
                "the called AE title is not this node's", "access.called_ae_title"
            )
        namesakes = {
            name: peer
            for name, peer in self.peers.items()
            if peer.ae_title == caller.calling_ae_title
        }
        senders = {name: peer for name, peer in namesakes.items() if peer.sends_instances}
        if not senders:
            return self._stranger(namesakes) if self.only_peers else None
        return self._judge_title(caller, senders)

    def _stranger(self, namesakes: dict[str, Peer]) -> Rejection:
        for name in namesakes:
            return Rejection.of_caller(
                f"peers.{name} has this AE title, but its role is 'destination'",
                f"peers.{name}.role",
            )
        return Rejection.of_caller(
            "no peer that may send has this calling AE title", "peers.NAME.ae_title"
        )

    def _judge_title(self, caller: Caller, senders: dict[str, Peer]) -> Rejection | None:
        """None where one of the peers of this title can be the caller."""
        address = plain_address(caller.address)
        here = {name: peer for name, peer in senders.items() if self._sends_from(peer, address)}
        if not here:
            name = next(iter(senders))
            return Rejection.of_caller(
                f"peers.{name} does not send from this address", f"peers.{name}.addresses"
            )
        if any(_is_certified(peer, caller.certificate) for peer in here.values()):
            return None
        name = next(iter(here))
        return Rejection.of_caller(
            f"peers.{name} must show its certificate, and {_what_was_shown(caller.certificate)}",
            f"peers.{name}.certificate",
        )

    def _sends_from(self, peer: Peer, address: IPv4Address | IPv6Address) -> bool:
        if peer.addresses is not None:
            return any(address in network for network in peer.addresses)
        host = _address(peer.host or "")
        return not self.only_peers or host is None or host == address


def _is_certified(peer: Peer, certificate: PeerCertificate | None) -> bool:
    if peer.certificate is None:
        return True
    return certificate is not None and certificate.is_known_as(peer.certificate)


def _what_was_shown(certificate: PeerCertificate | None) -> str:
    return "none was shown" if certificate is None else f"that of {certificate} was shown"


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def plain_address(text: str) -> IPv4Address | IPv6Address:
    """A socket's address: IPv4 over an IPv6 socket is IPv4, an interface's name is left out."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
