"""Results to their destinations by C-STORE or STOW-RS, again and again until they are there."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import structlog

from config import DeliverySettings, Peer
from scp.association import AssociationError, NothingAcceptedError
from scp.backoff import retry_delay_s, with_jitter
from scp.ledger import Ledger
from scp.ledger.outbox import (
    Delivery,
    claim_due,
    count_due,
    extend_claims,
    give_back,
    mark_delivered,
    mark_sent,
    postpone,
    set_aside,
    set_aside_destination,
    unfinished_destinations,
)
from scp.ledger.proofs import accept_unproven
from scp.send import ResultFileError, StoreAssociation
from scp.status import Status, is_delivered, is_transient
from scp.stow import ResultRefusedError, StowSession
from scp.tls_client import ClientTls

_BATCH = 1000
_CLAIM = timedelta(minutes=10)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger()


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
    A result counts as delivered, or as sent where the destination has to prove more, once the
    destination has answered with success or a warning and that answer is in the ledger. A kill in
    between sends the same bytes under the same UID again.

    Several couriers of one destination share what is due: each takes on some of it in the ledger,
    and gives back what it did not come to.
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
    _held: dict[int, Delivery] = field(default_factory=dict)
    _held_until: datetime = _LONG_AGO

    def tick(self, now: datetime) -> None:
        """Send what is due."""
        self._give_back()
        self._claim(now, of=self.peer.associations)
        if not self._held:
            return
        classes = sorted({item.sop_class_uid for item in self._held.values()})
        try:
            with self._associate(classes) as association:
                counts = self._send_while_due(association, classes)
        except NothingAcceptedError as error:
            self._set_aside(list(self._held.values()), str(error), None)
        except AssociationError as error:
            self._claim(now, of=1)  # it concerns whatever else waits
            self._try_later(list(self._held.values()), str(error))
        else:
            log.info("delivered", destination=self.name, instances=counts[0], of=counts[1])
        self._give_back()

    def _associate(self, classes: Sequence[str]) -> StoreAssociation | StowSession:
        if self.peer.kind == "dicomweb":
            return StowSession(self.name, self.peer, self.settings.timeout_s)
        return StoreAssociation(
            self.calling_ae_title,
            self.peer.address,
            classes,
            self.settings.timeout_s,
            self.peer.dialect.transfer_syntax_uid,
            tls=self.tls,
        )

    def _claim(self, now: datetime, *, of: int, classes: Sequence[str] = ()) -> None:
        """Take on one share of so many of what is due, of these SOP Classes or of all."""
        with self.ledger.read() as connection:
            due = count_due(connection, self.name, now, classes)
        if not due:
            return
        share = min(_BATCH, -(-due // of))
        until = self.clock() + _CLAIM
        with self.ledger.write() as connection:
            claimed = claim_due(connection, self.name, now, until, share, classes=classes)
        self._held |= {item.id: item for item in claimed}
        self._held_until = until

    def _give_back(self) -> None:
        """Leave to others what was not sent; what an error of before has left too."""
        if self._held:
            with self.ledger.write() as connection:
                give_back(connection, list(self._held))
            self._held.clear()

    def _send_while_due(
        self, association: StoreAssociation | StowSession, classes: Sequence[str]
    ) -> tuple[int, int]:
        """Send one after the other, and what else of these classes is due by then.

        What an association breaks on is postponed; the rest stays due and goes with the next one,
        so that one instance which a peer chokes on does not hold the others.

        Returns
        -------
        How many the destination took, of how many.
        """
        sent = tried = 0
        while self._held and not self.stopping.is_set():
            self._keep_claims()
            item = next(iter(self._held.values()))
            tried += 1
            try:
                sent += self._send(association, item)
            except AssociationError as error:
                self._try_later([item], str(error))
                break
            if not self._held:
                self._claim(self.clock(), of=self.peer.associations, classes=classes)
        return sent, tried

    def _keep_claims(self) -> None:
        """Keep others from sending what a slow destination has not been sent yet."""
        now = self.clock()
        if now > self._held_until - _CLAIM / 2:
            self._held_until = now + _CLAIM
            with self.ledger.write() as connection:
                extend_claims(connection, list(self._held), self._held_until)

    def _send(self, association: StoreAssociation | StowSession, item: Delivery) -> bool:
        try:
            status = association.send(self.results_folder / item.file, item.sop_class_uid)
        except (ResultFileError, ResultRefusedError) as error:
            self._set_aside([item], str(error), None)
            return False
        if is_delivered(status):
            record = mark_delivered if self.peer.proof == "status" else mark_sent
            with self.ledger.write() as connection:
                record(connection, item.id, status, self.clock())
            del self._held[item.id]
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
            delay_s = with_jitter(retry_delay_s(attempts, self.settings))
            self._postpone(waiting, reason, now + timedelta(seconds=delay_s), status)

    def _postpone(
        self, items: Sequence[Delivery], reason: str, until: datetime, status: int | None
    ) -> None:
        with self.ledger.write() as connection:
            postpone(connection, [item.id for item in items], reason, until, status)
        self._let_go(items)
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
        self._let_go(items)
        log.error("delivery set aside", destination=self.name, instances=len(items), reason=reason)

    def _let_go(self, items: Sequence[Delivery]) -> None:
        for item in items:
            del self._held[item.id]


def set_aside_strangers(ledger: Ledger, peers: Mapping[str, Peer]) -> None:
    """Set aside what waits for destinations that the settings do not have any more."""
    with ledger.read() as connection:
        waiting = unfinished_destinations(connection)
    for name in sorted(waiting):
        if name not in peers or not peers[name].receives_results:
            reason = (
                f"peer {name!r} is no destination in the settings any more; put it back or change "
                "the route, then retry the job"
            )
            with ledger.write() as connection:
                set_aside_destination(connection, name, reason)
            log.error("deliveries set aside", destination=name, reason=reason)


def accept_answers(ledger: Ledger, peers: Mapping[str, Peer], now: datetime) -> None:
    """Count as delivered what was sent before the settings stopped asking for more proof."""
    for name, peer in peers.items():
        if peer.proof == "status":
            with ledger.write() as connection:
                accepted = accept_unproven(connection, name, now)
            if accepted:
                log.info("sent results count as delivered", destination=name, instances=accepted)
