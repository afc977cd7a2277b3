"""A receiver as a process of its own, so that no job ever slows an acknowledgement."""

import multiprocessing
from contextlib import suppress
from ctypes import c_double
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.sharedctypes import RawValue

import structlog

from config import Settings
from scp.receive.running import GRACE_S, ErrorStream, Task, receive_until_closed
from scp.receive.slots import SlotTable

_PRELOADED = "scp.receive.preload"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = GRACE_S + 1.0

log = structlog.get_logger()


class ReceiverStartError(Exception):
    """A receiver could not start; the message says why."""


@dataclass(frozen=True, slots=True)
class ReceiverProcess:
    """A running receiver and the line to it: it stops when the line closes.

    A node that is killed closes the line with it, so no receiver outlives its node.
    """

    process: ForkServerProcess
    line: Connection
    port: int
    backlog_since: c_double

    @classmethod
    def start(
        cls,
        settings: Settings,
        port: int,
        *,
        slots: SlotTable | None = None,
        row: int = 0,
        durable: bool = True,
    ) -> "ReceiverProcess":
        """Start a receiver on a port; 0 takes any free one.

        Parameters
        ----------
        settings
            The site's.
        port
            Where to listen without TLS.
        slots
            Shared with other receivers, so that they count associations together.
        row
            This receiver's number among them.
        durable
            False leaves out what makes instances durable; for benchmarks only.

        Raises
        ------
        ReceiverStartError
            It could not bind the port.
        """
        node = settings.node.model_copy(update={"port": port})
        context = _context()
        ours, theirs = context.Pipe()
        backlog_since = RawValue(c_double, 0.0)
        table = slots or SlotTable.create(settings.limits)
        process = context.Process(
            target=receive_until_closed,
            args=(
                Task(settings.model_copy(update={"node": node}), table, row, durable),
                ErrorStream(),
                theirs,
                backlog_since,
            ),
            name="hounsfield-receiver",
        )
        try:
            process.start()
        except OSError as error:
            raise ReceiverStartError(f"no process could be started: {error.strerror}") from error
        theirs.close()
        answer = _first_word(ours)
        if not isinstance(answer, int):
            ours.close()
            process.kill()
            process.join()
            raise ReceiverStartError(str(answer))
        return cls(process, ours, answer, backlog_since)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.is_alive()

    @property
    def waits_since(self) -> datetime | None:
        """When the oldest instance was received that is not in the index yet."""
        since = self.backlog_since.value
        return datetime.fromtimestamp(since, UTC) if since else None

    def ask_to_stop(self) -> None:
        """Close the line; the receiver lets associations end and writes its index."""
        self.line.close()

    def wait(self) -> None:
        """Wait for the end, killing what does not come to it."""
        self.process.join(_STOP_TIMEOUT_S)
        if self.process.is_alive():
            log.warning("receiver killed", pid=self.process.pid)
            self.process.kill()
            self.process.join()


def _context() -> ForkServerContext:
    """Receivers are forked from one process that has imported what they need, and nothing else.

    They share its memory, and one that died is replaced within milliseconds. The node itself
    could not be forked: it has threads.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    return context


def _first_word(line: Connection) -> int | str:
    """The port that the receiver bound, or why it could not."""
    with suppress(EOFError):
        if line.poll(_START_TIMEOUT_S):
            word: int | str = line.recv()
            return word
    return f"the receiver process was not ready within {_START_TIMEOUT_S:g} s, or ended"
