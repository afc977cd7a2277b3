"""What becomes of a result that was sent: proven, asked for again, sent again or set aside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from config import DeliverySettings
from scp.backoff import retry_delay_s, with_jitter
from scp.ledger import Ledger
from scp.ledger.proofs import (
    SentDelivery,
    ask_later,
    mark_proven,
    send_again,
    set_unproven_aside,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Docket:
    """Records what is found out of results that were sent, in one place for every kind of proof.

    Parameters
    ----------
    ledger
        Where it is recorded.
    settings
        How long to wait, and when to give up.
    clock
        The present time.
    """

    ledger: Ledger
    settings: DeliverySettings
    clock: Callable[[], datetime]

    @property
    def patience(self) -> timedelta:
        """How long a proof is waited for before more is done than to wait."""
        return timedelta(seconds=self.settings.proof_timeout_s)

    def prove(
        self, connection: Connection, destination: str, items: Sequence[SentDelivery]
    ) -> None:
        """The destination has them: they are delivered."""
        if items:
            mark_proven(connection, [item.id for item in items], self.clock())
            log.info("delivery proven", destination=destination, instances=len(items))

    def wait_for(
        self, connection: Connection, destination: str, items: Sequence[SentDelivery], reason: str
    ) -> None:
        """They are asked for: the proof may take its time."""
        again_at = self.clock() + self.patience
        asked = self._not_given_up(connection, destination, items, reason)
        ask_later(connection, [item.id for item in asked], reason, again_at)

    def ask_again(
        self, connection: Connection, destination: str, items: Sequence[SentDelivery], reason: str
    ) -> None:
        """The proof could not be had now: each is asked for again, the older the later."""
        now = self.clock()
        for item in self._not_given_up(connection, destination, items, reason):
            age_s = (now - item.sent_at).total_seconds()
            delay_s = min(max(age_s, self.settings.first_retry_s), self.settings.longest_retry_s)
            ask_later(connection, [item.id], reason, now + timedelta(seconds=delay_s))

    def send_again(
        self, connection: Connection, destination: str, items: Sequence[SentDelivery], reason: str
    ) -> None:
        """The destination does not have them: the same bytes are sent again."""
        now = self.clock()
        again = self._not_given_up(connection, destination, items, reason)
        for item in again:
            delay_s = with_jitter(retry_delay_s(item.attempts + 1, self.settings))
            send_again(connection, [item.id], reason, now + timedelta(seconds=delay_s))
        if again:
            log.warning("sent again", destination=destination, instances=len(again), reason=reason)

    def set_aside(
        self, connection: Connection, destination: str, items: Sequence[SentDelivery], reason: str
    ) -> None:
        """No proof will come until a person does something."""
        if items:
            set_unproven_aside(connection, [item.id for item in items], reason)
            log.error(
                "delivery set aside", destination=destination, instances=len(items), reason=reason
            )

    def _not_given_up(
        self, connection: Connection, destination: str, items: Sequence[SentDelivery], reason: str
    ) -> list[SentDelivery]:
        """Those that are young enough; the others are set aside with the reason."""
        too_old = timedelta(hours=self.settings.give_up_after_h)
        now = self.clock()
        given_up = [item for item in items if now - item.created_at > too_old]
        self.set_aside(connection, destination, given_up, f"{reason}; given up after {too_old}")
        return [item for item in items if now - item.created_at <= too_old]
