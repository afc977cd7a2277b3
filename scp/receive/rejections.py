"""The journal of rejected associations, written behind the receiver."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from scp.ledger import Ledger, LedgerError
from scp.ledger.rejections import ANY_TITLE, RejectedAssociations, record_rejections
from scp.receive.admission import Caller

_INTERVAL_S = 1.0
_WAITING = 200
_LONGEST_TITLE = 16
_LONGEST_ADDRESS = 64
_LONGEST_REASON = 400
_LONGEST_SETTING = 128
_ANY_ADDRESS = "*"

log = structlog.get_logger()

_Key = tuple[str, str, str, str]


def _now() -> datetime:
    return datetime.now(UTC)


class RejectionJournal:
    """Collects rejected associations and writes them once a second, alike ones as one row.

    Parameters
    ----------
    ledger
        Where they go.
    clock
        The present time.

    Notes
    -----
    Resource handling: a flood costs one transaction a second and a bounded piece of memory,
    however many titles and addresses it makes up. Error handling: while the ledger cannot be
    written they wait and are counted on; no association ever waits for the ledger.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime] = _now) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[_Key, RejectedAssociations] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="rejections", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, caller: Caller, reason: str, setting: str) -> None:
        """Take one rejected association over; never waits for the ledger.

        Parameters
        ----------
        caller
            Who asked; titles are empty where none were given yet.
        reason
            A sentence; one of few, as it tells rows apart.
        setting
            The key that would allow it; empty where none would.
        """
        now = self._clock()
        item = RejectedAssociations(
            calling_ae_title=_printable(caller.calling_ae_title, _LONGEST_TITLE),
            called_ae_title=_printable(caller.called_ae_title, _LONGEST_TITLE),
            address=_printable(caller.address, _LONGEST_ADDRESS),
            reason=_printable(reason, _LONGEST_REASON),
            setting=_printable(setting, _LONGEST_SETTING),
            count=1,
            first_at=now,
            last_at=now,
        )
        with self._lock:
            self._count(item)

    def close(self, timeout_s: float) -> None:
        """Write what waits, then stop."""
        self._closing.set()
        self._thread.join(timeout_s)

    def _count(self, item: RejectedAssociations) -> None:
        """Count one on among those that wait, kept apart only as far as there is room."""
        for each in (item, _without_titles(item), _without_address(item)):
            key = _key(each)
            known = self._waiting.get(key)
            if known is not None:
                self._waiting[key] = replace(
                    known, count=known.count + each.count, last_at=each.last_at
                )
                return
            if len(self._waiting) < _WAITING:
                break
        self._waiting[key] = each

    def _write_on(self) -> None:
        while not self._closing.wait(_INTERVAL_S):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            with self._ledger.write() as connection:
                record_rejections(connection, list(waiting.values()))
        except LedgerError as error:
            log.warning("rejections not written, tried again", reason=str(error))
            self._put_back(waiting)
        else:
            _log_all(waiting)

    def _put_back(self, waiting: dict[_Key, RejectedAssociations]) -> None:
        """Count what came in the meantime on to what could not be written."""
        with self._lock:
            newer, self._waiting = self._waiting, waiting
            for item in newer.values():
                self._count(item)


def _log_all(waiting: dict[_Key, RejectedAssociations]) -> None:
    for item in waiting.values():
        log.warning(
            "association rejected",
            calling=item.calling_ae_title,
            called=item.called_ae_title,
            address=item.address,
            reason=item.reason,
            setting=item.setting,
            count=item.count,
        )


def _key(item: RejectedAssociations) -> _Key:
    return item.calling_ae_title, item.called_ae_title, item.address, item.reason


def _without_titles(item: RejectedAssociations) -> RejectedAssociations:
    return replace(item, calling_ae_title=ANY_TITLE, called_ae_title=ANY_TITLE)


def _without_address(item: RejectedAssociations) -> RejectedAssociations:
    return replace(_without_titles(item), address=_ANY_ADDRESS)


def _printable(text: str, length: int) -> str:
    """Text of a peer's as a column takes it and a terminal can show it."""
    shown = "".join(each if each.isascii() and each.isprintable() else "?" for each in text)
    return shown[:length]
