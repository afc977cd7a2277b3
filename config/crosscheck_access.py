"""Checks between the tables that say who may send: a door that is half closed is an error.

A setting that would have no effect is refused too: a site that wrote it believes in it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from config.ae_title import is_ip_address
from config.node import NodeSettings
from config.problems import Problem, RawSettings

_SENDERS = ("sender", "both")


def check_access(raw: RawSettings) -> Iterator[Problem]:
    """Everything that is wrong between ``[node]``, ``[access]``, ``[tls]`` and the peers."""
    yield from _check_listening(raw)
    yield from _check_own_certificate(raw)
    yield from _check_callers(raw)
    yield from _check_authority(raw)
    for name, peer in _peers(raw):
        yield from _check_peer(name, peer, raw)


def _check_listening(raw: RawSettings) -> Iterator[Problem]:
    node, tls_port = raw.table("node"), raw.table("tls").get("port")
    plaintext = node.get("plaintext", True)
    if plaintext is False and tls_port is None:
        yield raw.absence(
            ("node", "plaintext"), "the node would listen nowhere: set tls.port as well"
        )
    port = node.get("port", NodeSettings.model_fields["port"].default)
    if plaintext is True and tls_port is not None and tls_port == port:
        yield raw.problem(
            ("tls", "port"), tls_port, "must not be node.port, which is without TLS; 2762 is usual"
        )


def _check_own_certificate(raw: RawSettings) -> Iterator[Problem]:
    tls = raw.table("tls")
    for key, other in (("certificate", "key"), ("key", "certificate")):
        if key in tls and other not in tls:
            yield raw.absence(("tls", other), f"is required where tls.{key} is set")
    if tls.get("port") is not None and "certificate" not in tls and "key" not in tls:
        yield raw.absence(
            ("tls", "certificate"),
            "is required where tls.port is set, as is tls.key; 'hounsfield certs' makes some to "
            "try with",
        )


def _check_authority(raw: RawSettings) -> Iterator[Problem]:
    """Whoever shows us a certificate, sender or destination, needs an authority of ours."""
    tls = raw.table("tls")
    if "ca" in tls:
        return
    destinations = [f"peers.{name}" for name, peer in _peers(raw) if peer.get("tls") is True]
    if destinations:
        yield raw.absence(
            ("tls", "ca"), f"is required to verify the certificate of {', '.join(destinations)}"
        )
    elif _shows_certificates(tls):
        yield raw.absence(
            ("tls", "ca"),
            "is required to verify the certificates of senders; to ask them for none set "
            "tls.client_certificates = 'none'",
        )


def _check_callers(raw: RawSettings) -> Iterator[Problem]:
    """Where only peers may call, each that may send needs a place that it calls from."""
    if raw.table("access").get("callers") != "peers":
        return
    senders = {name: peer for name, peer in _peers(raw) if peer.get("role") in _SENDERS}
    if not senders:
        yield raw.absence(
            ("access", "callers"),
            "nobody could send: no peer has the role 'sender' or 'both'",
        )
    for name, peer in senders.items():
        host = peer.get("host")
        named = "addresses" in peer or "certificate" in peer
        if isinstance(host, str) and not is_ip_address(host) and not named:
            yield raw.absence(
                ("peers", name, "addresses"),
                "is required where access.callers is 'peers' and host is a name; "
                "['0.0.0.0/0', '::/0'] is anywhere",
            )


def _check_peer(name: str, peer: Mapping[str, Any], raw: RawSettings) -> Iterator[Problem]:
    tls = raw.table("tls")
    sends = peer.get("role") in _SENDERS
    if "addresses" in peer and not sends:
        yield raw.absence(
            ("peers", name, "addresses"),
            "has no effect: only peers of the role 'sender' or 'both' send",
        )
    if "dialect" in peer and peer.get("role") == "sender":
        yield raw.absence(
            ("peers", name, "dialect"),
            "has no effect: only peers of the role 'destination' or 'both' are sent results",
        )
    only_peers_call = raw.table("access").get("callers") == "peers"
    if peer.get("proof") == "commitment" and only_peers_call and not sends:
        yield raw.absence(
            ("peers", name, "role"),
            "must be 'both' where proof is 'commitment' and access.callers is 'peers': its reports "
            "come on associations that it opens",
        )
    if "proof" in peer and peer.get("role") == "sender":
        yield raw.absence(
            ("peers", name, "proof"),
            "has no effect: only peers of the role 'destination' or 'both' are sent results",
        )
    if "certificate" in peer and sends and not _shows_certificates(tls):
        yield raw.absence(
            ("peers", name, "certificate"),
            "could never be shown: set tls.port, and tls.client_certificates other than 'none'",
        )
    if "certificate" in peer and not sends and peer.get("tls") is not True:
        yield raw.absence(
            ("peers", name, "certificate"), "could never be shown: set tls = true for this peer"
        )


def _shows_certificates(tls: Mapping[str, Any]) -> bool:
    """Whether a sender may show us a certificate."""
    return tls.get("port") is not None and tls.get("client_certificates") != "none"


def _peers(raw: RawSettings) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, raw.table("peers", name)) for name in raw.table("peers"))
