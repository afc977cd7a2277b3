"""Results to their destinations by C-STORE, again and again until they are there."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import structlog

from config import DeliverySettings, Peer
from scp.ledger import Ledger
from scp.ledger.outbox import Delivery, due_deliveries, mark_delivered, postpone, set_aside
from scp.send import AssociationError, ResultFileError, StoreAssociation
from scp.status import is_delivered, is_transient

_BATCH = 1000
_JITTER = 0.1

log = structlog.get_logger()


def retry_delay_s(attempts: int, settings: DeliverySettings) -> float:
    """The wait after so many failed attempts, in seconds: doubled each time, up to a limit."""
    doublings = min(max(attempts - 1, 0), 30)
    return float(min(settings.longest_retry_s, settings.first_retry_s * 2**doublings))


@dataclass(slots=True)
class Courier:
    """Sends what is due to one destination.

    Parameters
    ----------
    name
        The destination's name in the settings.
    stopping
        Set when the node stops: the courier ends after the instance under way.

    Notes
    -----
    A result counts as delivered once the destination has answered with success or a warning and
    that answer is in the ledger. A kill in between sends the same bytes under the same UID again.
    """

    name: str
    peer: Peer
    calling_ae_title: str
    settings: DeliverySettings
    ledger: Ledger
    results_folder: Path
    stopping: Event

    def tick(self, now: datetime) -> None:
        """Send what is due."""
        with self.ledger.read() as connection:
            due = due_deliveries(connection, self.name, now, _BATCH)
        if not due:
            return
        classes = sorted({item.sop_class_uid for item in due})
        try:
            with StoreAssociation(
                self.calling_ae_title, self.peer.address, classes, self.settings.timeout_s
            ) as association:
                sent = self._send_all(association, due, now)
        except AssociationError as error:
            self._try_later(due, str(error), now)
        else:
            log.info("delivered", destination=self.name, instances=sent, of=len(due))

    def _send_all(
        self, association: StoreAssociation, due: Sequence[Delivery], now: datetime
    ) -> int:
        """Send one after the other; an association that breaks postpones the rest."""
        sent = 0
        for index, item in enumerate(due):
            if self.stopping.is_set():
                break
            try:
                sent += self._send(association, item, now)
            except AssociationError as error:
                self._try_later(due[index:], str(error), now)
                break
        return sent

    def _send(self, association: StoreAssociation, item: Delivery, now: datetime) -> bool:
        try:
            status = association.send(self.results_folder / item.file, item.sop_class_uid)
        except ResultFileError as error:
            self._set_aside([item], str(error), None)
            return False
        if is_delivered(status):
            with self.ledger.write() as connection:
                mark_delivered(connection, item.id, status, now)
            return True
        answer = f"{self.name} answered {status:04X}"
        if is_transient(status):
            self._try_later([item], answer, now, status)
        else:
            self._set_aside([item], f"{answer}, which sending again would not change", status)
        return False

    def _try_later(
        self, items: Sequence[Delivery], reason: str, now: datetime, status: int | None = None
    ) -> None:
        """Postpone deliveries by their number of attempts, or give up the oldest."""
        too_old = timedelta(hours=self.settings.give_up_after_h)
        given_up = [item for item in items if now - item.created_at > too_old]
        if given_up:
            self._set_aside(given_up, f"{reason}; given up after {too_old}", status)
        waiting = [item for item in items if now - item.created_at <= too_old]
        if not waiting:
            return
        attempts = 1 + max(item.attempts for item in waiting)
        delay = retry_delay_s(attempts, self.settings)
        delay *= random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, no secret
        with self.ledger.write() as connection:
            postpone(
                connection,
                [item.id for item in waiting],
                reason,
                now + timedelta(seconds=delay),
                status,
            )
        log.warning(
            "delivery postponed",
            destination=self.name,
            instances=len(waiting),
            attempts=attempts,
            delay_s=round(delay, 1),
            reason=reason,
        )

    def _set_aside(self, items: Sequence[Delivery], reason: str, status: int | None) -> None:
        with self.ledger.write() as connection:
            set_aside(connection, [item.id for item in items], reason, status)
        log.error("delivery set aside", destination=self.name, instances=len(items), reason=reason)
