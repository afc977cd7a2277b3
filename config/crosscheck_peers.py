"""Checks of a peer's keys against its kind: DIMSE and DICOMweb have little in common."""

from collections.abc import Iterator, Mapping
from typing import Any

from config.explain import allowed, expected
from config.peers import Peer
from config.problems import Problem, RawSettings

_REQUIRED = {"dimse": ("ae_title", "host", "port"), "dicomweb": ("url",)}
_ONLY_DIMSE = (
    "ae_title",
    "host",
    "port",
    "addresses",
    "certificate",
    "tls",
    "check_host",
    "proof",
)
_ONLY_DICOMWEB = ("url", "headers", "token_file", "ca")


def check_peers(raw: RawSettings) -> Iterator[Problem]:
    """What a kind of peer requires, and what has no effect on it."""
    for name in raw.table("peers"):
        peer = raw.table("peers", name)
        kind = peer.get("kind", "dimse")
        if kind in _REQUIRED and isinstance(raw.table("peers").get(name), Mapping):
            yield from _check_required(name, peer, kind, raw)
            yield from _check_others(name, peer, kind, raw)


def _check_required(
    name: str, peer: Mapping[str, Any], kind: str, raw: RawSettings
) -> Iterator[Problem]:
    for key in _REQUIRED[kind]:
        if peer.get(key) is None:
            wanted = expected(Peer).at(key)
            message = f"is required: {allowed(wanted)}. {wanted.description}"
            yield raw.absence(("peers", name, key), message)


def _check_others(
    name: str, peer: Mapping[str, Any], kind: str, raw: RawSettings
) -> Iterator[Problem]:
    others = _ONLY_DICOMWEB if kind == "dimse" else _ONLY_DIMSE
    for key in others:
        if key in peer:
            message = f"has no effect: the peer is of the kind {kind!r}"
            yield raw.absence(("peers", name, key), message)
    if kind == "dicomweb" and peer.get("role", "destination") != "destination":
        message = "must be 'destination': the peer is of the kind 'dicomweb'"
        yield raw.problem(("peers", name, "role"), peer["role"], message)
