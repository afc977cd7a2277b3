"""Threads that do one thing again and again until they are told to stop."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

_AFTER_ERROR_S = 5.0

log = structlog.get_logger()


class PeriodicThread:
    """Calls ``tick(now)`` at an interval.

    Parameters
    ----------
    name
        For the log.
    tick
        Takes the present time.
    interval_s
        Between the end of one call and the next.
    stopping
        Call no more once it is set; a call under way goes on.

    Notes
    -----
    Error handling: an error of a call is logged by its kind, and the call repeated after a pause.
    A full disk or a locked ledger must not end the node; all ticks work from the ledger and can
    be repeated.
    """

    def __init__(
        self,
        name: str,
        tick: Callable[[datetime], None],
        interval_s: float,
        stopping: threading.Event,
    ) -> None:
        self._name = name
        self._tick = tick
        self._interval_s = interval_s
        self._stopping = stopping
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to call."""
        self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Wait for the end of a call under way."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._tick(datetime.now(UTC))
            except Exception as error:  # noqa: BLE001 - the node lives on whatever one call meets
                log.error("failed, tried again", what=self._name, error=type(error).__name__)  # noqa: TRY400 - a traceback may quote values
                self._stopping.wait(_AFTER_ERROR_S)
            self._stopping.wait(self._interval_s)
