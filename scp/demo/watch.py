"""What the demonstration reads from the node's ledger."""

import socket
from pathlib import Path

from scp.demo import DemoError
from scp.ledger import JobState, Ledger
from scp.ledger.jobs import JobLine, job_lines
from scp.state_folder import StateFolder


class JobWatch:
    """Follows the only job of a demonstration.

    Parameters
    ----------
    state
        The node's state folder.
    """

    def __init__(self, state: Path) -> None:
        self._ledger = Ledger(StateFolder(state).ledger)

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def line(self) -> JobLine | None:
        """The job, once there is one."""
        with self._ledger.read() as connection:
            lines = job_lines(connection)
        return lines[0] if lines else None

    def stage(self) -> str:
        """What the job is at."""
        line = self.line()
        return line.job.stage if line else ""

    def is_done(self) -> bool:
        """Whether the job gave its results.

        Raises
        ------
        DemoError
            It failed.
        """
        line = self.line()
        if line is not None and line.job.state is JobState.FAILED:
            raise DemoError(f"the job failed: {line.job.reason}")
        return line is not None and line.job.state is JobState.DONE

    def delivered(self) -> tuple[int, int]:
        """How many results the PACS confirmed, and how many there are."""
        line = self.line()
        return (line.delivered, line.deliveries) if line else (0, 0)


def free_port() -> int:
    """A TCP port of this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
