"""Results and their deliveries in the ledger: the outbox."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from pipeline.products import Dialect, Product
from scp.ledger.schema import delivery, result
from scp.ledger.states import DeliveryState

T = TypeVar("T")

_MOST_AT_ONCE = 500
_UNFINISHED = (DeliveryState.PENDING, DeliveryState.SENT)
_DELIVERY_OF_RESULT = delivery.join(
    result, result.c.sop_instance_uid == delivery.c.sop_instance_uid
)


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result that is durable in the state folder.

    Parameters
    ----------
    file
        Its path below the results folder.
    sha256
        Of the whole file.
    product, form
        What it is, and the key of the form it is said in: by these destinations choose.
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    file: str
    sha256: str
    product: Product
    form: str

    def suits(self, dialect: Dialect) -> bool:
        """Whether a destination with this dialect takes it."""
        return self.product in dialect.products and self.form == dialect.form.key


class ChangedResultError(Exception):
    """A result differs from what was recorded, and maybe sent, under its SOP Instance UID."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One result on its way to one destination."""

    id: int
    job_id: int
    attempts: int
    created_at: datetime
    sop_instance_uid: str
    sop_class_uid: str
    file: str


def record_results(
    connection: Connection,
    job_id: int,
    results: Sequence[StoredResult],
    destinations: Mapping[str, Dialect],
    now: datetime,
) -> None:
    """Record a job's results and put them into the outbox, each once per destination that takes it.

    A result that is recorded already (the job was run again) keeps its deliveries; what was set
    aside is tried again.

    Raises
    ------
    ChangedResultError
        A result is recorded already with other bytes.
    """
    _record(connection, job_id, results)
    wanted = _wanted(results, destinations)
    known = _deliveries_of(connection, [item.sop_instance_uid for item in results])
    fresh = [
        {"sop_instance_uid": uid, "destination": destination, "job_id": job_id, **_begun(now)}
        for uid, destination in wanted
        if (uid, destination) not in known
    ]
    if fresh:
        connection.execute(insert(delivery), fresh)
    again = [
        known[each][0]
        for each in wanted
        if each in known and known[each][1] is DeliveryState.SET_ASIDE
    ]
    for some in _chunks(again):
        connection.execute(update(delivery).where(delivery.c.id.in_(some)).values(_begun(now)))


def withdraw_others(
    connection: Connection,
    job_id: int,
    results: Sequence[StoredResult],
    destinations: Mapping[str, Dialect],
    now: datetime,
) -> None:
    """Take out of the outbox what a job put there before and would not put there now.

    So no note on a failure follows the results of a later success, and what a destination does not
    take any more stops waiting for it. What is on its way at this moment is left.
    """
    wanted = set(_wanted(results, destinations))
    waiting = connection.execute(
        select(delivery.c.id, delivery.c.sop_instance_uid, delivery.c.destination).where(
            delivery.c.job_id == job_id,
            delivery.c.state.in_((DeliveryState.PENDING, DeliveryState.SET_ASIDE)),
            or_(delivery.c.claimed_until.is_(None), delivery.c.claimed_until <= now),
        )
    )
    obsolete = [row.id for row in waiting if (row[1], row[2]) not in wanted]
    for some in _chunks(obsolete):
        connection.execute(delete(delivery).where(delivery.c.id.in_(some)))


def _wanted(
    results: Sequence[StoredResult], destinations: Mapping[str, Dialect]
) -> list[tuple[str, str]]:
    """SOP Instance UID and destination of each delivery, each once."""
    pairs = (
        (item.sop_instance_uid, destination)
        for item in results
        for destination, dialect in destinations.items()
        if item.suits(dialect)
    )
    return list(dict.fromkeys(pairs))


def _record(connection: Connection, job_id: int, results: Sequence[StoredResult]) -> None:
    known: dict[str, str] = {}
    for some in _chunks([item.sop_instance_uid for item in results]):
        columns = select(result.c.sop_instance_uid, result.c.sha256)
        rows = connection.execute(columns.where(result.c.sop_instance_uid.in_(some)))
        known.update((row[0], row[1]) for row in rows)
    recorded = set(known)
    fresh = {}
    for item in results:
        if known.setdefault(item.sop_instance_uid, item.sha256) != item.sha256:
            raise ChangedResultError(
                f"Result {item.sop_instance_uid} came out with other bytes than before; those of "
                "before are kept. Please report it."
            )
        fresh[item.sop_instance_uid] = {"job_id": job_id, **asdict(item)}
    new = [row for uid, row in fresh.items() if uid not in recorded]
    if new:
        connection.execute(insert(result), new)


def _deliveries_of(
    connection: Connection, sop_instance_uids: Sequence[str]
) -> dict[tuple[str, str], tuple[int, DeliveryState]]:
    """Number and state of the deliveries that there are, by result and destination."""
    columns = select(
        delivery.c.id, delivery.c.state, delivery.c.sop_instance_uid, delivery.c.destination
    )
    return {
        (row.sop_instance_uid, row.destination): (row.id, row.state)
        for some in _chunks(sop_instance_uids)
        for row in connection.execute(columns.where(delivery.c.sop_instance_uid.in_(some)))
    }


def _begun(now: datetime) -> dict[str, Any]:
    """A delivery that has not been tried."""
    return {
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "next_attempt_at": now,
        "created_at": now,
        "sent_at": None,
        "reason": "",
    }


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as any database takes in one statement."""
    return (items[begin : begin + _MOST_AT_ONCE] for begin in range(0, len(items), _MOST_AT_ONCE))


def count_due(
    connection: Connection, destination: str, now: datetime, classes: Collection[str] = ()
) -> int:
    """How many results a destination should be sent now, and nobody is sending.

    Parameters
    ----------
    classes
        Their SOP Classes; all where there are none.
    """
    return connection.execute(
        select(func.count())
        .select_from(_DELIVERY_OF_RESULT)
        .where(*_is_due(destination, now, classes))
    ).scalar_one()


def claim_due(
    connection: Connection,
    destination: str,
    now: datetime,
    until: datetime,
    limit: int,
    *,
    classes: Collection[str] = (),
) -> list[Delivery]:
    """Take on what a destination should be sent now, oldest job first.

    Until a time no other courier is given the same.
    """
    rows = connection.execute(
        select(
            delivery.c.id,
            delivery.c.job_id,
            delivery.c.attempts,
            delivery.c.created_at,
            result.c.sop_instance_uid,
            result.c.sop_class_uid,
            result.c.file,
        )
        .select_from(_DELIVERY_OF_RESULT)
        .where(*_is_due(destination, now, classes))
        .order_by(delivery.c.id)
        .limit(limit)
        .with_for_update(of=delivery, skip_locked=True)
    )
    claimed = [Delivery(*row) for row in rows]
    extend_claims(connection, [item.id for item in claimed], until)
    return claimed


def extend_claims(connection: Connection, delivery_ids: Sequence[int], until: datetime) -> None:
    """Keep what was taken on until a later time."""
    _change_pending(connection, delivery_ids, claimed_until=until)


def give_back(connection: Connection, delivery_ids: Sequence[int]) -> None:
    """Leave it to any courier to send what was taken on."""
    _change_pending(connection, delivery_ids, claimed_until=None)


def give_all_back(connection: Connection) -> None:
    """Free what the couriers of a node that has ended were sending."""
    connection.execute(
        update(delivery).where(delivery.c.claimed_until.is_not(None)).values(claimed_until=None)
    )


def mark_delivered(connection: Connection, delivery_id: int, status: int, now: datetime) -> None:
    """Record that the destination answered that it has the instance."""
    _settle(
        connection,
        [delivery_id],
        state=DeliveryState.DELIVERED,
        status=status,
        sent_at=now,
        delivered_at=now,
        reason="",
    )


def mark_sent(connection: Connection, delivery_id: int, status: int, now: datetime) -> None:
    """Record that the destination answered that it has the instance, and has yet to prove it."""
    _settle(
        connection,
        [delivery_id],
        state=DeliveryState.SENT,
        status=status,
        sent_at=now,
        next_attempt_at=now,
        reason="",
    )


def postpone(
    connection: Connection,
    delivery_ids: Sequence[int],
    reason: str,
    next_attempt_at: datetime,
    status: int | None = None,
) -> None:
    """Record a failed attempt that will be repeated."""
    _settle(
        connection,
        delivery_ids,
        attempts=delivery.c.attempts + 1,
        next_attempt_at=next_attempt_at,
        reason=reason,
        status=status,
    )


def set_aside(
    connection: Connection, delivery_ids: Sequence[int], reason: str, status: int | None = None
) -> None:
    """Give up on deliveries until a person asks again with ``hounsfield retry``."""
    _settle(
        connection,
        delivery_ids,
        state=DeliveryState.SET_ASIDE,
        attempts=delivery.c.attempts + 1,
        reason=reason,
        status=status,
    )


def set_aside_destination_of(
    connection: Connection, job_id: int, destination: str, reason: str
) -> None:
    """Give up on what a job has for one destination, until a person asks again."""
    connection.execute(
        update(delivery)
        .where(delivery.c.job_id == job_id, delivery.c.destination == destination)
        .values(state=DeliveryState.SET_ASIDE, reason=reason)
    )


def forget_destination_of(connection: Connection, job_id: int, destination: str) -> None:
    """Remove what a job had set aside for a destination that it does not have any more."""
    connection.execute(
        delete(delivery).where(
            delivery.c.job_id == job_id,
            delivery.c.destination == destination,
            delivery.c.state == DeliveryState.SET_ASIDE,
        )
    )


def set_aside_destination(connection: Connection, destination: str, reason: str) -> None:
    """Give up on everything that waits for a destination, until a person asks again."""
    connection.execute(
        update(delivery)
        .where(delivery.c.destination == destination, delivery.c.state.in_(_UNFINISHED))
        .values(state=DeliveryState.SET_ASIDE, reason=reason)
    )


def unfinished_destinations(connection: Connection) -> set[str]:
    """The destinations that something waits for, or that have yet to prove that they have it."""
    return set(
        connection.scalars(
            select(delivery.c.destination).where(delivery.c.state.in_(_UNFINISHED)).distinct()
        )
    )


def _is_due(destination: str, now: datetime, classes: Collection[str]) -> tuple[Any, ...]:
    of_classes = [result.c.sop_class_uid.in_(classes)] if classes else []
    return (
        *of_classes,
        delivery.c.destination == destination,
        delivery.c.state == DeliveryState.PENDING,
        delivery.c.next_attempt_at <= now,
        or_(delivery.c.claimed_until.is_(None), delivery.c.claimed_until <= now),
    )


def _settle(connection: Connection, delivery_ids: Sequence[int], **values: Any) -> None:
    _change_pending(connection, delivery_ids, claimed_until=None, **values)


def _change_pending(connection: Connection, delivery_ids: Sequence[int], **values: Any) -> None:
    """Change what is not ended yet: a courier that comes too late changes nothing."""
    connection.execute(
        update(delivery)
        .where(delivery.c.id.in_(delivery_ids), delivery.c.state == DeliveryState.PENDING)
        .values(values)
    )
