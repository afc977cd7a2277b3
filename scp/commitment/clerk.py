"""Deciding requests: what the index has and the spool truly holds."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

import structlog

from scp.commitment.decision import FileState, Holding, decide
from scp.ledger import Ledger
from scp.ledger.commitments import (
    Commitment,
    HeldInstance,
    Reference,
    due_callers,
    held_instances,
    record_outcome,
    set_caller_aside,
    undecided,
)
from scp.spool import Spool

_BATCH = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CommitmentClerk:
    """Decides every request whose instances can all be known.

    Parameters
    ----------
    ledger, spool
        What is held.
    titles
        AE titles that a report can be sent to.
    waits_since
        Gives the time of the oldest received instance that is not in the index yet. A request is
        not decided while an instance that was acknowledged before it is still on its way there.
    clock
        The present time.

    Notes
    -----
    A decision is durable before it is reported. For a moment after it only the receiver may report,
    on the sender's own association; then it is the couriers' turn.
    """

    ledger: Ledger
    spool: Spool
    titles: Collection[str]
    waits_since: Callable[[], datetime | None]
    clock: Callable[[], datetime]

    def tick(self, now: datetime) -> None:
        """Decide what can be decided, and give up what can be reported to nobody."""
        known_until = min(self.waits_since() or now, now)
        with self.ledger.read() as connection:
            waiting = undecided(connection, known_until, _BATCH)
            strangers = due_callers(connection, now).difference(self.titles)
        for each in waiting:
            self._decide(each)
        for title in sorted(strangers):
            self._set_aside(title, now)

    def _decide(self, commitment: Commitment) -> None:
        outcome = decide(commitment.references, self._holdings(commitment))
        with self.ledger.write() as connection:
            record_outcome(connection, commitment.id, outcome, self.clock())
        log.info(
            "storage commitment decided",
            transaction_uid=commitment.transaction_uid,
            calling=commitment.calling_ae_title,
            instances=len(outcome),
            failed=sum(map(bool, outcome)),
        )

    def _holdings(self, commitment: Commitment) -> Iterator[Holding]:
        uids = {each.sop_instance_uid for each in commitment.references}
        with self.ledger.read() as connection:
            held = list(held_instances(connection, uids))
        for each in held:
            reference = Reference(each.sop_class_uid, each.sop_instance_uid)
            yield Holding(reference, self._file_of(each))

    def _file_of(self, held: HeldInstance) -> FileState:
        """Whether the instance's file is there; one that is cut off is none."""
        try:
            size = self.spool.path(held.name).stat().st_size
        except FileNotFoundError:
            return FileState.MISSING
        except OSError:
            return FileState.UNREADABLE
        return FileState.WHOLE if size > held.size_bytes else FileState.UNREADABLE

    def _set_aside(self, title: str, now: datetime) -> None:
        reason = (
            "the association that asked has ended, and no peer has this AE title: give it an entry "
            "with ae_title, host and port (peers.NAME.ae_title), then ask again"
        )
        with self.ledger.write() as connection:
            reports = set_caller_aside(connection, title, now, reason)
        log.error("storage commitment set aside", calling=title, reports=reports, reason=reason)
