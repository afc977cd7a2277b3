"""Whether a series is complete, and what speaks for it: facts and clock in, a verdict out."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, Literal

from scp.ledger.states import AssociationEnd
from scp.stack_of_slices import Slice, Stack, StackKind

_SETTLE_S = 1.0
_PAUSES = 3


class Outcome(StrEnum):
    """What is to be done with a series now."""

    WAITING = "waiting"
    COMPLETE = "complete"
    HELD = "held"


class Weight(StrEnum):
    """What a fact says on the question whether the series is complete."""

    FOR = "for"
    OPEN = "open"
    AGAINST = "against"


@dataclass(frozen=True, slots=True)
class ArrivedInstance:
    """What is known of one instance; all but its UID from its header, where that was read.

    Parameters
    ----------
    announced_in_series
        Number of Series Related Instances (0020,1209).
    acquisition, announced_in_acquisition
        Acquisition Number (0020,0012) and Images in Acquisition (0020,1002).
    frames
        How many images it holds.
    slice
        Where it lies; None where it is no single slice.
    """

    sop_instance_uid: str
    announced_in_series: int | None = None
    acquisition: int | None = None
    announced_in_acquisition: int | None = None
    frames: int = 1
    slice: Slice | None = None


@dataclass(frozen=True, slots=True)
class ArrivedAssociation:
    """An association that brought instances of the series; without an end it is open."""

    began_at: datetime
    last_at: datetime
    end: AssociationEnd | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Arrivals:
    """All that is known of a series.

    Parameters
    ----------
    opened_at
        When the first instance of this revision came.
    last_received_at
        When the last one came, or came again.
    instances, associations
        In any order.
    strays
        Instances of unknown associations: found again in the spool after a crash.
    sender_is_busy
        Whether the sender has any association open that has brought instances.
    """

    opened_at: datetime
    last_received_at: datetime
    instances: Sequence[ArrivedInstance]
    associations: Sequence[ArrivedAssociation]
    strays: int
    sender_is_busy: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A route's conditions; see `config.Route`."""

    quiet_time_s: float
    finish: Literal["quiet", "evidence"]
    limit_s: float
    at_limit: Literal["process", "hold"]


@dataclass(frozen=True, slots=True)
class Moment:
    """The clock.

    Parameters
    ----------
    now
        The present time.
    known_until
        All that was received before is among the facts.
    awake_since
        Since when senders could reach the node: while it was down nothing could arrive.
    """

    now: datetime
    known_until: datetime
    awake_since: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact.

    Parameters
    ----------
    fact
        What was looked at.
    value
        What it is, for a person.
    weight
        What it says.
    at
        Since when it is so, where that can be said.
    """

    fact: str
    value: str
    weight: Weight
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Completeness:
    """The verdict on a series under one rule.

    Parameters
    ----------
    outcome
        What is to be done.
    because
        What decided: ``quiet``, ``evidence`` or ``limit``; empty while the series waits.
    evidence
        All facts that were looked at.
    """

    outcome: Outcome
    because: str
    evidence: tuple[Evidence, ...]

    def as_document(self) -> dict[str, Any]:
        """The same in values that JSON has."""
        facts = [
            {
                "fact": each.fact,
                "value": each.value,
                "weight": each.weight.value,
                "at": each.at.isoformat() if each.at else None,
            }
            for each in self.evidence
        ]
        return {"outcome": self.outcome.value, "because": self.because, "evidence": facts}


def assess(arrivals: Arrivals, rule: Rule, moment: Moment) -> Completeness:
    """The verdict on a series.

    It does not depend on the order of instances and associations, and with the same facts a later
    moment never takes it back.

    Notes
    -----
    By quiet time alone, whatever else is known, where the rule's finish is ``quiet``. By evidence:
    at once where every association was released, the sender is idle, and announced counts or the
    positions of the slices agree; after the quiet time where nothing speaks against it; else not
    before the limit. The limit ends every wait.
    """
    quiet = _quiet(arrivals, rule, moment)
    evidence = [quiet, *_associations(arrivals)]
    if rule.finish == "evidence":
        evidence += _contents(arrivals, moment)
    limit = _limit(arrivals, rule, moment)
    facts = (*evidence, limit)
    if rule.finish == "evidence" and _is_proven(evidence[1:]):
        return Completeness(Outcome.COMPLETE, "evidence", facts)
    if quiet.weight is Weight.FOR and not (rule.finish == "evidence" and _is_doubtful(evidence)):
        return Completeness(Outcome.COMPLETE, "quiet", facts)
    if limit.weight is Weight.FOR:
        outcome = Outcome.COMPLETE if rule.at_limit == "process" else Outcome.HELD
        return Completeness(outcome, "limit", facts)
    return Completeness(Outcome.WAITING, "", facts)


def _is_proven(evidence: Sequence[Evidence]) -> bool:
    """Whether every fact speaks for it; there are several."""
    return all(each.weight is Weight.FOR for each in evidence)


def _is_doubtful(evidence: Sequence[Evidence]) -> bool:
    return any(each.weight is Weight.AGAINST for each in evidence)


def _quiet(arrivals: Arrivals, rule: Rule, moment: Moment) -> Evidence:
    since = max(arrivals.last_received_at, moment.awake_since)
    quiet = moment.known_until - since
    is_over = quiet >= timedelta(seconds=rule.quiet_time_s)
    value = f"{max(0.0, quiet.total_seconds()):.1f} s of {rule.quiet_time_s:g} s"
    return Evidence("quiet time", value, Weight.FOR if is_over else Weight.OPEN, since)


def _limit(arrivals: Arrivals, rule: Rule, moment: Moment) -> Evidence:
    since = max(arrivals.opened_at, moment.awake_since)
    waited = moment.now - since
    is_over = waited >= timedelta(seconds=rule.limit_s)
    value = f"{max(0.0, waited.total_seconds()):.1f} s of {rule.limit_s:g} s"
    return Evidence("limit", value, Weight.FOR if is_over else Weight.OPEN, since)


def _associations(arrivals: Arrivals) -> Iterator[Evidence]:
    """How the associations ended that brought the series, and whether the sender has others."""
    yield _ends(arrivals)
    is_busy = arrivals.sender_is_busy
    value = "has an association open" if is_busy else "has no association open"
    yield Evidence("sender", value, Weight.OPEN if is_busy else Weight.FOR)


def _ends(arrivals: Arrivals) -> Evidence:
    associations = _in_order(arrivals.associations)
    ends = [each.ended_at for each in associations if each.ended_at is not None]
    at = max(ends, default=None)
    kinds = [each.end.value if each.end else "open" for each in associations]
    counted = [f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds))]
    if arrivals.strays or not associations:
        counted.append(f"{arrivals.strays} instances of unknown ones")
        weight = Weight.OPEN
    elif None in (each.end for each in associations):
        weight = Weight.OPEN
    else:
        weight = Weight.AGAINST if _broke_off(associations) else Weight.FOR
    return Evidence("associations", ", ".join(counted), weight, at)


def _broke_off(associations: Sequence[ArrivedAssociation]) -> bool:
    """Whether one was aborted or lost that no later one makes good by being released."""
    released = [each.began_at for each in associations if each.end is AssociationEnd.RELEASED]
    last_released = max(released, default=None)
    return any(
        each.end is not AssociationEnd.RELEASED
        and (last_released is None or each.began_at >= last_released)
        for each in associations
    )


def _contents(arrivals: Arrivals, moment: Moment) -> Iterator[Evidence]:
    """What the headers say: the first announced count that agrees, else all that there is."""
    for announced in (_announced_in_series, _announced_in_acquisitions):
        fact = announced(arrivals)
        if fact is not None:
            yield fact
            if fact.weight is Weight.FOR:
                return
    yield _positions(arrivals)
    yield _settled(arrivals, moment)


def _announced_in_series(arrivals: Arrivals) -> Evidence | None:
    announced = {
        each.announced_in_series for each in arrivals.instances if each.announced_in_series
    }
    if not announced:
        return None
    came, expected = len(_once(arrivals.instances)), max(announced)
    weight = Weight.FOR if announced == {came} else Weight.OPEN
    if came < expected:
        weight = Weight.AGAINST
    value = f"{came} of {expected} instances came"
    return Evidence("announced for the series (0020,1209)", value, weight)


def _announced_in_acquisitions(arrivals: Arrivals) -> Evidence | None:
    """Counts of acquisitions; one that was reconstructed to several series announces too many."""
    acquisitions: dict[int | None, list[ArrivedInstance]] = defaultdict(list)
    for each in _once(arrivals.instances):
        acquisitions[each.acquisition].append(each)
    announced = [
        max((each.announced_in_acquisition or 0 for each in group), default=0)
        for group in acquisitions.values()
    ]
    if not any(announced):
        return None
    came = [sum(each.frames for each in group) for group in acquisitions.values()]
    value = f"{sum(came)} of {sum(announced)} images came"
    weight = Weight.FOR if came == announced else Weight.OPEN
    return Evidence("announced for its acquisitions (0020,1002)", value, weight)


def _positions(arrivals: Arrivals) -> Evidence:
    stack = Stack.of([each.slice for each in _once(arrivals.instances)])
    weight = Weight.FOR if stack.kind is StackKind.REGULAR else Weight.OPEN
    return Evidence("positions", stack.description, weight)


def _settled(arrivals: Arrivals, moment: Moment) -> Evidence:
    """Whether the sender would have gone on by now, had it more: it may use many associations."""
    associations = _in_order(arrivals.associations)
    ends = [each.ended_at or moment.now for each in associations]
    pauses = [
        (later.began_at - ended).total_seconds()
        for ended, (earlier, later) in zip(ends, pairwise(associations), strict=False)
        if earlier.end is AssociationEnd.RELEASED  # what broke off is sent again in its own time
    ]
    wait_s = max(_SETTLE_S, _PAUSES * max(pauses, default=0.0))
    since = max([arrivals.last_received_at, moment.awake_since, *ends])
    settled = (moment.known_until - since).total_seconds()
    weight = Weight.FOR if settled >= wait_s else Weight.OPEN
    value = f"{max(0.0, settled):.1f} s of {wait_s:.1f} s after the last association"
    return Evidence("sender has ended", value, weight, since)


def _in_order(associations: Sequence[ArrivedAssociation]) -> list[ArrivedAssociation]:
    return sorted(associations, key=lambda each: (each.began_at, repr(each)))


def _once(instances: Sequence[ArrivedInstance]) -> list[ArrivedInstance]:
    """Each SOP Instance once, in an order of its own."""
    by_uid: dict[str, ArrivedInstance] = {}
    for each in sorted(instances, key=repr):
        by_uid.setdefault(each.sop_instance_uid, each)
    return list(by_uid.values())
