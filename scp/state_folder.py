"""The state folder: where a node keeps everything that outlives it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class StateFolderError(Exception):
    """The state folder cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The paths inside a state folder.

    ::

        ledger.sqlite   series, jobs, deliveries
        spool/          received instances
        results/        what jobs made, until it is delivered and kept no longer
        scratch/        workers' temporary files
        lock            held by the running node
    """

    path: Path

    @property
    def ledger(self) -> Path:
        """The ledger's database file."""
        return self.path / "ledger.sqlite"

    @property
    def spool(self) -> Path:
        """The folder of received instances."""
        return self.path / "spool"

    @property
    def results(self) -> Path:
        """The folder of results."""
        return self.path / "results"

    @property
    def scratch(self) -> Path:
        """The folder of the workers' temporary files."""
        return self.path / "scratch"

    def prepare(self) -> None:
        """Create the folders, readable by the node's user only: they hold patients' data.

        Raises
        ------
        StateFolderError
            They cannot be created.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.spool, self.results, self.scratch):
                folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise StateFolderError(
                f"The state folder {self.path} cannot be made: {error.strerror}. Set node.state to "
                "a folder that this user may write."
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one running node; a node that dies lets go of it.

        Raises
        ------
        StateFolderError
            Another node holds it.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StateFolderError(
                f"Another node runs on the state folder {self.path}. Stop it, or give this one a "
                "folder of its own (node.state)."
            ) from error
        try:
            yield
        finally:
            os.close(descriptor)
