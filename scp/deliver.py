"""Results to their destinations by C-STORE, again and again until they are there."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import structlog

from config import DeliverySettings, Peer
from scp.ledger import Ledger
from scp.ledger.outbox import (
    Delivery,
    due_deliveries,
    mark_delivered,
    pending_destinations,
    postpone,
    set_aside,
    set_aside_destination,
)
from scp.send import AssociationError, NothingAcceptedError, ResultFileError, StoreAssociation
from scp.status import Status, is_delivered, is_transient
from scp.tls_client import ClientTls

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
    clock
        The present time.
    tls
        How TLS is spoken with the destination; None speaks without.

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
    clock: Callable[[], datetime]
    tls: ClientTls | None = None

    def tick(self, now: datetime) -> None:
        """Send what is due."""
        with self.ledger.read() as connection:
            due = due_deliveries(connection, self.name, now, _BATCH)
        if not due:
            return
        classes = sorted({item.sop_class_uid for item in due})
        try:
            with StoreAssociation(
                self.calling_ae_title,
                self.peer.address,
                classes,
                self.settings.timeout_s,
                self.peer.dialect.transfer_syntax_uid,
                tls=self.tls,
            ) as association:
                sent = self._send_all(association, due)
        except NothingAcceptedError as error:
            self._set_aside(due, str(error), None)
        except AssociationError as error:
            self._try_later(due, str(error))
        else:
            log.info("delivered", destination=self.name, instances=sent, of=len(due))

    def _send_all(self, association: StoreAssociation, due: Sequence[Delivery]) -> int:
        """Send one after the other.

        What an association breaks on is postponed; the rest stays due and goes with the next one,
        so that one instance which a peer chokes on does not hold the others.
        """
        sent = 0
        for item in due:
            if self.stopping.is_set():
                break
            try:
                sent += self._send(association, item)
            except AssociationError as error:
                self._try_later([item], str(error))
                break
        return sent

    def _send(self, association: StoreAssociation, item: Delivery) -> bool:
        try:
            status = association.send(self.results_folder / item.file, item.sop_class_uid)
        except ResultFileError as error:
            self._set_aside([item], str(error), None)
            return False
        if is_delivered(status):
            with self.ledger.write() as connection:
                mark_delivered(connection, item.id, status, self.clock())
            return True
        answer = f"{self.name} answered {status:04X}"
        if is_transient(status):
            self._try_later([item], answer, status)
        elif status == Status.SOP_CLASS_NOT_SUPPORTED:
            reason = f"{answer}: it does not take this kind; see peers.{self.name}.dialect"
            self._set_aside([item], reason, status)
        else:
            self._set_aside([item], f"{answer}, which sending again would not change", status)
        return False

    def _try_later(self, items: Sequence[Delivery], reason: str, status: int | None = None) -> None:
        """Postpone deliveries, each by its number of attempts, or give up the oldest."""
        now = self.clock()
        too_old = timedelta(hours=self.settings.give_up_after_h)
        given_up = [item for item in items if now - item.created_at > too_old]
        if given_up:
            self._set_aside(given_up, f"{reason}; given up after {too_old}", status)
        by_attempts: dict[int, list[Delivery]] = defaultdict(list)
        for item in items:
            if now - item.created_at <= too_old:
                by_attempts[item.attempts + 1].append(item)
        for attempts, waiting in by_attempts.items():
            delay_s = retry_delay_s(attempts, self.settings)
            delay_s *= random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
            self._postpone(waiting, reason, now + timedelta(seconds=delay_s), status)

    def _postpone(
        self, items: Sequence[Delivery], reason: str, until: datetime, status: int | None
    ) -> None:
        with self.ledger.write() as connection:
            postpone(connection, [item.id for item in items], reason, until, status)
        log.warning(
            "delivery postponed",
            destination=self.name,
            instances=len(items),
            attempts=items[0].attempts + 1,
            until=until.isoformat(timespec="seconds"),
            reason=reason,
        )

    def _set_aside(self, items: Sequence[Delivery], reason: str, status: int | None) -> None:
        with self.ledger.write() as connection:
            set_aside(connection, [item.id for item in items], reason, status)
        log.error("delivery set aside", destination=self.name, instances=len(items), reason=reason)


def set_aside_strangers(ledger: Ledger, peers: Mapping[str, Peer]) -> None:
    """Set aside what waits for destinations that the settings do not have any more."""
    with ledger.read() as connection:
        waiting = pending_destinations(connection)
    for name in sorted(waiting):
        if name not in peers or not peers[name].receives_results:
            reason = (
                f"peer {name!r} is no destination in the settings any more; put it back or change "
                "the route, then retry the job"
            )
            with ledger.write() as connection:
                set_aside_destination(connection, name, reason)
            log.error("deliveries set aside", destination=name, reason=reason)
