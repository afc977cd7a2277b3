"""A small PACS for demonstrations and tests: it receives, keeps and lists what it was sent."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from config import AeTitle, NodeSettings, Settings
from scp.ledger.associations import EndedAssociation
from scp.ledger.series import ReceivedInstance
from scp.receive.server import Receiver
from scp.receive.store import StoreHandler
from scp.spool import Spool

AE_TITLE = "STANDIN"
_GRACE_S = 1.0


@dataclass(slots=True)
class _Arrivals:
    """Takes the place of the node's index: keeps the rows in memory."""

    rows: list[ReceivedInstance] = field(default_factory=list)

    def add(self, row: ReceivedInstance) -> None:
        """Take one row over."""
        self.rows.append(row)

    def end(self, ended: EndedAssociation) -> None:
        """Nothing is done with how associations end."""


class StandInPacs:
    """A PACS on a free port of this machine, as a context manager.

    Parameters
    ----------
    folder
        Where it keeps what it receives.
    """

    def __init__(self, folder: Path) -> None:
        self._arrivals = _Arrivals()
        self._spool = Spool(folder)
        self._spool.prepare()
        settings = Settings(node=NodeSettings(ae_title=AeTitle(AE_TITLE), port=0))
        self._receiver = Receiver(settings, StoreHandler(self._spool, self._arrivals))

    def __enter__(self) -> Self:
        self._receiver.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._receiver.stop(_GRACE_S)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._receiver.port

    def instances(self) -> list[tuple[ReceivedInstance, Path]]:
        """What it holds: each SOP Instance once, in the order of arrival, with its file."""
        once = {row.sop_instance_uid: row for row in self._arrivals.rows}
        return [(row, self._spool.path(row.name)) for row in once.values()]
