"""Storage commitments in the ledger: asked for, decided, reported.

Source: PS3.4 annex J.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from scp.ledger.schema import commitment, instance
from scp.ledger.states import CommitmentState

MOST_PENDING = 10_000
"""Requests that may wait for their report at one time."""

MOST_PENDING_OF_CALLER = 2_000
"""The same of one calling AE title."""

MOST_REFERENCES = 1_000_000
"""References that all requests kept have together; beyond them the oldest that ended go."""

OWN_ASSOCIATION = timedelta(seconds=2)
"""For so long a report is left to the association that asked, if it is still open."""

_UIDS_A_QUERY = 500


class TransactionInUseError(Exception):
    """The caller has used this Transaction UID for other instances."""


class TooManyCommitmentsError(Exception):
    """More requests wait for their report than are kept."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An instance that a sender wants us to commit to."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRequest:
    """What a sender asks for."""

    transaction_uid: str
    calling_ae_title: str
    called_ae_title: str
    address: str
    references: tuple[Reference, ...]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Commitment:
    """A request as the ledger has it.

    Parameters
    ----------
    outcome
        A failure reason for each reference, 0 where we commit to it; None while not decided.
    attempts
        Associations of ours that could not report it.
    """

    id: int
    transaction_uid: str
    calling_ae_title: str
    called_ae_title: str
    address: str
    references: tuple[Reference, ...]
    outcome: tuple[int, ...] | None
    attempts: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class CommitmentLine:
    """A request as a list shows it.

    Parameters
    ----------
    failed
        How many instances we do not commit to; None while not decided.
    """

    transaction_uid: str
    calling_ae_title: str
    address: str
    state: CommitmentState
    asked: int
    failed: int | None
    attempts: int
    received_at: datetime
    reported_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class HeldInstance:
    """An instance of the index, as far as a commitment is concerned."""

    name: str
    sop_instance_uid: str
    sop_class_uid: str
    size_bytes: int


def keep_request(connection: Connection, request: CommitmentRequest) -> int:
    """Keep a request, to be decided and reported; return its id.

    The same request again keeps what was decided, and is reported again.

    Raises
    ------
    TransactionInUseError
        The Transaction UID is the caller's for other instances.
    TooManyCommitmentsError
        There is no room for it.
    """
    known = connection.execute(
        select(commitment.c.id, commitment.c.references).where(
            commitment.c.transaction_uid == request.transaction_uid,
            commitment.c.calling_ae_title == request.calling_ae_title,
        )
    ).one_or_none()
    references = [[each.sop_class_uid, each.sop_instance_uid] for each in request.references]
    if known is None:
        _make_room(connection, request)
        return _insert(connection, request, references)
    if known.references != references:
        raise TransactionInUseError(request.transaction_uid)
    connection.execute(
        update(commitment)
        .where(commitment.c.id == known.id)
        .values(address=request.address, **_fresh(request.received_at))
    )
    return int(known.id)


def _insert(connection: Connection, request: CommitmentRequest, references: list[list[str]]) -> int:
    values = asdict(request) | _fresh(request.received_at)
    values |= {"references": references, "asked": len(references), "outcome": None}
    created = connection.execute(insert(commitment).values(values).returning(commitment.c.id))
    return int(created.scalar_one())


def _fresh(received_at: datetime) -> dict[str, Any]:
    return {
        "state": CommitmentState.PENDING,
        "attempts": 0,
        "received_at": received_at,
        "next_attempt_at": received_at + OWN_ASSOCIATION,
        "reported_at": None,
        "reason": "",
    }


def _make_room(connection: Connection, request: CommitmentRequest) -> None:
    is_pending = commitment.c.state == CommitmentState.PENDING
    pending, asked = connection.execute(
        select(func.count(), func.coalesce(func.sum(commitment.c.asked), 0)).where(is_pending)
    ).one()
    of_caller = connection.execute(
        select(func.count())
        .select_from(commitment)
        .where(is_pending, commitment.c.calling_ae_title == request.calling_ae_title)
    ).scalar_one()
    room = MOST_REFERENCES - asked - len(request.references)
    if pending >= MOST_PENDING or of_caller >= MOST_PENDING_OF_CALLER or room < 0:
        raise TooManyCommitmentsError
    _drop_oldest(connection, room)


def _drop_oldest(connection: Connection, room: int) -> None:
    """Forget requests that ended longest ago, down to so many references."""
    newest_first = (commitment.c.received_at.desc(), commitment.c.id.desc())
    ended = (
        select(
            commitment.c.id,
            func.sum(commitment.c.asked).over(order_by=newest_first).label("references"),
        )
        .where(commitment.c.state.in_((CommitmentState.REPORTED, CommitmentState.SET_ASIDE)))
        .subquery()
    )
    surplus = select(ended.c.id).where(ended.c.references > room)
    connection.execute(delete(commitment).where(commitment.c.id.in_(surplus)))


def undecided(connection: Connection, before: datetime, limit: int) -> list[Commitment]:
    """The oldest requests from before a time whose outcome is not known."""
    rows = connection.execute(
        _commitments()
        .where(
            commitment.c.state == CommitmentState.PENDING,
            commitment.c.received_at < before,
            commitment.c.outcome.is_(None),
        )
        .order_by(commitment.c.received_at)
        .limit(limit)
    )
    return [_to_commitment(row) for row in rows]


def held_instances(
    connection: Connection, sop_instance_uids: Collection[str]
) -> Iterator[HeldInstance]:
    """What the index has under these SOP Instance UIDs; one may have been sent in versions."""
    uids = iter(sop_instance_uids)
    while some := list(islice(uids, _UIDS_A_QUERY)):
        rows = connection.execute(
            select(
                instance.c.name,
                instance.c.sop_instance_uid,
                instance.c.sop_class_uid,
                instance.c.size_bytes,
            ).where(instance.c.sop_instance_uid.in_(some))
        )
        yield from (HeldInstance(*row) for row in rows)


def record_outcome(
    connection: Connection, commitment_id: int, outcome: Sequence[int], now: datetime
) -> None:
    """Record what was decided now."""
    connection.execute(
        update(commitment)
        .where(commitment.c.id == commitment_id)
        .values(outcome=list(outcome), next_attempt_at=now + OWN_ASSOCIATION)
    )


def find_decided(connection: Connection, commitment_ids: Collection[int]) -> list[Commitment]:
    """Those of the requests that are decided, and not reported yet."""
    rows = connection.execute(
        _commitments().where(commitment.c.id.in_(commitment_ids), *_is_to_report())
    )
    return [_to_commitment(row) for row in rows]


def due_reports(
    connection: Connection, calling_ae_title: str, now: datetime, limit: int
) -> list[Commitment]:
    """What a sender should be told now, oldest first."""
    rows = connection.execute(
        _commitments()
        .where(
            commitment.c.calling_ae_title == calling_ae_title,
            commitment.c.next_attempt_at <= now,
            *_is_to_report(),
        )
        .order_by(commitment.c.id)
        .limit(limit)
    )
    return [_to_commitment(row) for row in rows]


def due_callers(connection: Connection, now: datetime) -> set[str]:
    """The calling AE titles that a report is due to."""
    return set(
        connection.scalars(
            select(commitment.c.calling_ae_title)
            .where(commitment.c.next_attempt_at <= now, *_is_to_report())
            .distinct()
        )
    )


def claim_report(
    connection: Connection, commitment_id: int, now: datetime, until: datetime
) -> bool:
    """Take it on to report a request until a time; False where another does already."""
    claimed = connection.execute(
        update(commitment)
        .where(
            commitment.c.id == commitment_id,
            commitment.c.next_attempt_at > now,
            *_is_to_report(),
        )
        .values(next_attempt_at=until)
    )
    return claimed.rowcount == 1


def give_back_report(connection: Connection, commitment_id: int, now: datetime) -> None:
    """Leave it to others to report a request, at once."""
    _change_pending(connection, commitment_id, next_attempt_at=now)


def mark_reported(connection: Connection, commitment_id: int, now: datetime) -> None:
    """Record that the sender has taken the report."""
    _change_pending(
        connection, commitment_id, state=CommitmentState.REPORTED, reported_at=now, reason=""
    )


def postpone_report(
    connection: Connection, commitment_id: int, reason: str, next_attempt_at: datetime
) -> None:
    """Record a failed attempt that will be repeated."""
    _change_pending(
        connection,
        commitment_id,
        attempts=commitment.c.attempts + 1,
        next_attempt_at=next_attempt_at,
        reason=reason,
    )


def set_report_aside(connection: Connection, commitment_id: int, reason: str) -> None:
    """Give up on a report until the sender asks again."""
    _change_pending(connection, commitment_id, state=CommitmentState.SET_ASIDE, reason=reason)


def set_caller_aside(
    connection: Connection, calling_ae_title: str, now: datetime, reason: str
) -> int:
    """Give up on what is due to a caller until it asks again; return how many reports."""
    return connection.execute(
        update(commitment)
        .where(
            commitment.c.calling_ae_title == calling_ae_title,
            commitment.c.next_attempt_at <= now,
            *_is_to_report(),
        )
        .values(state=CommitmentState.SET_ASIDE, reason=reason)
    ).rowcount


def all_commitments(connection: Connection) -> list[CommitmentLine]:
    """Every request that is kept, the last asked first."""
    names = [name for name in CommitmentLine.__dataclass_fields__ if name != "failed"]
    rows = connection.execute(
        select(commitment.c.outcome, *(commitment.c[name] for name in names)).order_by(
            commitment.c.received_at.desc(), commitment.c.id.desc()
        )
    )
    return [_to_line(row, names) for row in rows]


def _to_line(row: Row[Any], names: Sequence[str]) -> CommitmentLine:
    failed = None if row.outcome is None else sum(map(bool, row.outcome))
    return CommitmentLine(failed=failed, **{name: getattr(row, name) for name in names})


def _is_to_report() -> tuple[Any, ...]:
    return commitment.c.state == CommitmentState.PENDING, commitment.c.outcome.is_not(None)


def _change_pending(connection: Connection, commitment_id: int, **values: Any) -> None:
    """Change a request that is not ended yet: what another has ended stays so."""
    connection.execute(
        update(commitment)
        .where(commitment.c.id == commitment_id, commitment.c.state == CommitmentState.PENDING)
        .values(values)
    )


def _commitments() -> Any:
    return select(*(commitment.c[name] for name in Commitment.__dataclass_fields__))


def _to_commitment(row: Row[Any]) -> Commitment:
    values = {name: getattr(row, name) for name in Commitment.__dataclass_fields__}
    outcome = values["outcome"]
    values["references"] = tuple(Reference(*pair) for pair in values["references"])
    values["outcome"] = None if outcome is None else tuple(outcome)
    return Commitment(**values)
