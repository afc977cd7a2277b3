"""Who is let in: limits first, then the site's rules; and where it is written who was not."""

from dataclasses import dataclass
from typing import Protocol

import structlog

from config import LimitSettings
from scp.receive.admission import Caller, Rejection
from scp.receive.slots import Slot, Slots

log = structlog.get_logger()


class Rules(Protocol):
    """The site's rules on who may associate."""

    def judge(self, caller: Caller) -> Rejection | None:
        """None where the caller may associate, else why not."""


class Journal(Protocol):
    """Where rejected associations are written."""

    def add(self, caller: Caller, reason: str, setting: str) -> None:
        """Take one over; never waits."""


@dataclass(frozen=True, slots=True)
class Door:
    """Judges who asks for an association.

    Parameters
    ----------
    rules
        The site's.
    journal
        Told of everyone who was not let in.
    slots
        How many there are.
    limits
        How many there may be.
    """

    rules: Rules
    journal: Journal
    slots: Slots
    limits: LimitSettings

    def knock(self, address: str) -> Slot | None:
        """A slot for a new connection; None where it is to be closed unheard."""
        slot = self.slots.take(address)
        if slot is None:
            self.turn_away(
                address, "more connections at one time than are heard", "limits.associations"
            )
        return slot

    def judge(self, caller: Caller, slot: Slot, contexts: int) -> Rejection | None:
        """None where the caller may associate, else why not; that is journalled.

        Parameters
        ----------
        caller
            Who asks.
        slot
            Taken by its connection.
        contexts
            How many presentation contexts it proposes.
        """
        rejection = self._excess(slot, contexts) or self.rules.judge(caller)
        if rejection is not None:
            self.journal.add(caller, rejection.why, rejection.setting)
        return rejection

    def turn_away(self, address: str, why: str, setting: str) -> None:
        """Journal a connection that ended before it asked for an association."""
        self.journal.add(Caller("", "", address), why, setting)

    def _excess(self, slot: Slot, contexts: int) -> Rejection | None:
        occupied = slot.occupancy()
        if occupied.in_all > self.limits.associations:
            return Rejection.of_limit("too many associations", "limits.associations")
        if occupied.of_address > self.limits.associations_per_address:
            return Rejection.of_limit(
                "too many associations of this address", "limits.associations_per_address"
            )
        if contexts > self.limits.presentation_contexts:
            return Rejection.of_limit(
                "too many presentation contexts proposed", "limits.presentation_contexts"
            )
        return None


class LoggingJournal:
    """A journal for receivers without a ledger: the log is all there is."""

    def add(self, caller: Caller, reason: str, setting: str) -> None:
        """Log it."""
        log.warning(
            "association rejected",
            calling=caller.calling_ae_title,
            called=caller.called_ae_title,
            address=caller.address,
            reason=reason,
            setting=setting,
        )
