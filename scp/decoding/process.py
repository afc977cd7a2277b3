"""A decoder process as its pool sees it."""

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Self

from scp.decoding.line import receive_answer, send_chunk

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 2.0
# The process's own alarm comes first; this is for one that cannot even be woken.
_ALARM_GRACE_S = 1.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class DecoderStartError(Exception):
    """A decoder process could not start; the message says why."""


@dataclass(eq=False, slots=True)
class DecoderProcess:
    """A process that decodes, and the line to it: it ends when the line closes.

    A process that is killed closes its lines, so no decoder outlives the one that started it.

    Parameters
    ----------
    plane_deadline_s
        Time for one plane.
    due
        When to give it up, on the clock of `time.monotonic`; never while it waits for work.
    is_ready
        Whether it has loaded and takes planes.
    positions
        The planes that it has not answered, by their position in the request; the first is at
        work.
    """

    process: subprocess.Popen[bytes]
    line: socket.socket
    plane_deadline_s: float
    due: float
    is_ready: bool = False
    positions: deque[int] = field(default_factory=deque)

    @classmethod
    def start(cls, function: str, plane_deadline_s: float) -> Self:
        """Start a process.

        Parameters
        ----------
        function
            ``package.module:name`` of what decodes a plane.
        plane_deadline_s
            Time for one plane.

        Raises
        ------
        DecoderStartError
            The system refuses one.
        """
        ours, theirs = socket.socketpair()
        # -P: the folder that the node was started in is no place to import from.
        # -W: pydicom's warnings quote values.
        command = [sys.executable, "-P", "-W", "ignore", "-m", "scp.decoding.worker"]
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module
                [*command, str(theirs.fileno()), function, str(plane_deadline_s)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=os.environ | _ONE_THREAD,
            )
        except OSError as error:
            ours.close()
            raise DecoderStartError(f"no process could be started: {error.strerror}") from error
        finally:
            theirs.close()
        ours.settimeout(plane_deadline_s + _ALARM_GRACE_S)
        return cls(process, ours, plane_deadline_s, due=time.monotonic() + _START_TIMEOUT_S)

    @property
    def is_busy(self) -> bool:
        """Whether it owes an answer for a plane."""
        return bool(self.positions)

    def give(self, positions: range, content: bytes, memory_fd: int) -> None:
        """Hand planes over, packed.

        Raises
        ------
        OSError
            It is gone.
        """
        self.positions.extend(positions)
        self._set_due()
        try:
            send_chunk(self.line, content, memory_fd)
        except OSError:
            self.positions.clear()
            raise

    def hear(self) -> tuple[int, str] | None:
        """The position of the plane it was at and its answer; None when it says that it is ready.

        Raises
        ------
        EOFError, OSError
            It is gone, or stuck in the middle of its answer.
        """
        answer = receive_answer(self.line)
        if not self.is_ready:
            self.is_ready = True
            self._set_due()
            return None
        position = self.positions.popleft()
        if answer:
            self.positions.clear()
        self._set_due()
        return position, answer

    def _set_due(self) -> None:
        limit = self.plane_deadline_s + _ALARM_GRACE_S
        self.due = time.monotonic() + limit if self.is_busy else math.inf

    def close(self) -> None:
        """Close the line and wait for the end, killing what does not come to it."""
        self.line.close()
        try:
            self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self.line.close()
        self.process.kill()
        self.process.wait()

    def what_became_of_it(self) -> str:
        """How a process ended that is gone or overdue, for a sentence that begins with it.

        It has ended then.
        """
        if time.monotonic() < self.due:
            self.close()
        else:
            self.kill()
            return "took too long"
        code = self.process.returncode
        if code == -signal.SIGALRM:
            return "took too long"
        if code == -signal.SIGKILL:
            return "was killed, as the system does when memory runs out"
        if code < 0:
            return f"crashed ({signal.Signals(-code).name})"
        return f"ended with exit status {code}"
