"""The receiving side of a node in this process, on free ports."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config import LimitSettings, Settings
from scp.receive.admission import Caller
from scp.receive.server import Receiver
from scp.receive.store import StoreHandler
from scp.spool import Spool

HANDSHAKE_S = 1.0
LIMITS = LimitSettings(negotiation_timeout_s=HANDSHAKE_S, free_space_mb=0, free_space_percent=0)


@dataclass
class Journal:
    """Keeps what the door turns away."""

    entries: list[tuple[Caller, str, str]] = field(default_factory=list)

    def add(self, caller: Caller, reason: str, setting: str) -> None:
        """Take one over."""
        self.entries.append((caller, reason, setting))

    def settings(self) -> list[str]:
        """The keys that would have let them in."""
        return [setting for _, _, setting in self.entries]


class _NoIndex:
    """Takes rows and forgets them."""

    def add(self, row: object) -> None:
        """Take one row over."""

    def end(self, ended: object) -> None:
        """Take over how an association ended."""


@dataclass
class OpenNode:
    """The receiving side of a node in this process."""

    plain_port: int
    tls_port: int
    journal: Journal


@contextmanager
def opened(folder: Path, **settings: Any) -> Iterator[OpenNode]:
    """Receive under these settings; without TLS among them there is only the plain port."""
    spool = Spool(folder / "spool")
    spool.prepare()
    journal = Journal()
    given = Settings.model_validate({"limits": LIMITS, "node": {"port": 0}} | settings)
    receiver = Receiver(given, StoreHandler(spool, _NoIndex()), journal=journal)
    receiver.start()
    try:
        yield OpenNode(receiver.port, given.tls.port or 0, journal)
    finally:
        receiver.stop(1.0)
