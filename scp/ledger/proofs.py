"""Proof of delivery in the ledger: what was sent and is not proven yet, and what was asked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from scp.ledger.schema import delivery, job, proof_request, result, series
from scp.ledger.states import DeliveryState

_UIDS_A_QUERY = 500


@dataclass(frozen=True, slots=True)
class SentDelivery:
    """One result that a destination answered that it has, and has yet to prove."""

    id: int
    attempts: int
    created_at: datetime
    sent_at: datetime
    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str


def unproven(
    connection: Connection, destination: str, now: datetime, limit: int
) -> list[SentDelivery]:
    """What a destination should be asked for a proof of now, oldest first."""
    rows = connection.execute(
        _sent(destination)
        .where(delivery.c.next_attempt_at <= now)
        .order_by(delivery.c.id)
        .limit(limit)
    )
    return [SentDelivery(*row) for row in rows]


def unproven_among(
    connection: Connection, destination: str, sop_instance_uids: Collection[str]
) -> list[SentDelivery]:
    """Those of the results that a destination has yet to prove."""
    uids, found = list(sop_instance_uids), []
    for start in range(0, len(uids), _UIDS_A_QUERY):
        some = uids[start : start + _UIDS_A_QUERY]
        rows = connection.execute(
            _sent(destination).where(delivery.c.sop_instance_uid.in_(some)).order_by(delivery.c.id)
        )
        found += [SentDelivery(*row) for row in rows]
    return found


def mark_proven(connection: Connection, delivery_ids: Sequence[int], now: datetime) -> None:
    """Record that the destination has proven that it has the instances."""
    _change_sent(
        connection, delivery_ids, state=DeliveryState.DELIVERED, delivered_at=now, reason=""
    )


def ask_later(
    connection: Connection, delivery_ids: Sequence[int], reason: str, next_at: datetime
) -> None:
    """Ask for the proof again at a time."""
    _change_sent(connection, delivery_ids, next_attempt_at=next_at, reason=reason)


def send_again(
    connection: Connection, delivery_ids: Sequence[int], reason: str, next_at: datetime
) -> None:
    """Send the same bytes again at a time: the destination does not have them after all."""
    _change_sent(
        connection,
        delivery_ids,
        state=DeliveryState.PENDING,
        attempts=delivery.c.attempts + 1,
        next_attempt_at=next_at,
        reason=reason,
    )


def set_unproven_aside(connection: Connection, delivery_ids: Sequence[int], reason: str) -> None:
    """Give up on a proof until a person asks again with ``hounsfield retry``."""
    _change_sent(connection, delivery_ids, state=DeliveryState.SET_ASIDE, reason=reason)


def accept_unproven(connection: Connection, destination: str, now: datetime) -> int:
    """Take the answers of before for proof enough, as the settings do now; return how many."""
    return connection.execute(
        update(delivery)
        .where(delivery.c.destination == destination, delivery.c.state == DeliveryState.SENT)
        .values(state=DeliveryState.DELIVERED, delivered_at=now, reason="")
    ).rowcount


def keep_request(
    connection: Connection, transaction_uid: str, destination: str, asked_at: datetime
) -> None:
    """Keep that a destination is asked for Storage Commitment, so that its report is known."""
    connection.execute(
        insert(proof_request).values(
            transaction_uid=transaction_uid, destination=destination, asked_at=asked_at
        )
    )


def destination_asked(connection: Connection, transaction_uid: str) -> str | None:
    """Who was asked for Storage Commitment under a Transaction UID; None where nobody was."""
    return connection.execute(
        select(proof_request.c.destination).where(
            proof_request.c.transaction_uid == transaction_uid
        )
    ).scalar_one_or_none()


def forget_requests(connection: Connection, before: datetime) -> None:
    """Forget requests that were sent before a time: nobody reports on them any more."""
    connection.execute(delete(proof_request).where(proof_request.c.asked_at < before))


def is_being_sent(connection: Connection, destination: str, now: datetime) -> bool:
    """Whether a destination is sent results now, or should be."""
    waiting = connection.execute(
        select(func.count())
        .select_from(delivery)
        .where(
            delivery.c.destination == destination,
            delivery.c.state == DeliveryState.PENDING,
            delivery.c.next_attempt_at <= now,
        )
    ).scalar_one()
    return waiting > 0


def _sent(destination: str) -> Any:
    return (
        select(
            delivery.c.id,
            delivery.c.attempts,
            delivery.c.created_at,
            delivery.c.sent_at,
            result.c.sop_instance_uid,
            result.c.sop_class_uid,
            result.c.series_instance_uid,
            series.c.study_instance_uid,
        )
        .join(result, result.c.sop_instance_uid == delivery.c.sop_instance_uid)
        .join(job, job.c.id == delivery.c.job_id)
        .join(series, series.c.id == job.c.series_id)
        .where(delivery.c.destination == destination, delivery.c.state == DeliveryState.SENT)
    )


def _change_sent(connection: Connection, delivery_ids: Sequence[int], **values: Any) -> None:
    """Change what is not proven yet: what another has ended stays so."""
    connection.execute(
        update(delivery)
        .where(delivery.c.id.in_(delivery_ids), delivery.c.state == DeliveryState.SENT)
        .values(values)
    )
