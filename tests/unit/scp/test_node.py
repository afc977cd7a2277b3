"""What the node does about a receiver that died."""

import socket
from collections.abc import Iterator
from ctypes import c_double
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config import NodeSettings, Settings
from scp.ledger import Ledger
from scp.node import Node
from scp.receive.process import ReceiverStartError
from scp.spool import Spool

BEFORE = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class FakeProcess:
    """A process that is or was."""

    pid: int = 4_000_000


@dataclass
class FakeReceiver:
    """A receiver that lives, or died with rows that were not written."""

    port: int
    is_alive: bool
    backlog_since: c_double = field(default_factory=lambda: c_double(0.0))
    process: FakeProcess = field(default_factory=FakeProcess)

    @property
    def waits_since(self) -> datetime | None:
        """When its oldest row was added."""
        since = self.backlog_since.value
        return datetime.fromtimestamp(since, UTC) if since else None


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that another program has."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


@pytest.mark.parametrize("other_lives", [True, False])
def test_a_receiver_that_cannot_be_replaced_holds_up_nothing_while_another_lives(
    tmp_path: Path, taken_port: int, *, other_lives: bool
) -> None:
    """Series go on being concluded; not where no sender can reach the node any more."""
    settings = Settings(node=NodeSettings(state=tmp_path, port=taken_port, receivers=2))
    node: Any = Node(settings)
    node._awake_since = BEFORE
    dead = FakeReceiver(taken_port, is_alive=False, backlog_since=c_double(BEFORE.timestamp()))
    node._receivers = [FakeReceiver(taken_port, is_alive=other_lives), dead]
    spool, ledger = Spool(tmp_path / "spool"), Ledger(tmp_path / "ledger.sqlite")
    spool.prepare()
    ledger.migrate()
    with pytest.raises(ReceiverStartError, match="cannot be bound"):
        node._replace(1, ledger, spool)
    ledger.close()
    assert (node._awake_since == BEFORE) is other_lives
    assert node._waits_since() is None
