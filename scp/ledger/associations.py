"""Which association brought what of a series, and how each of them ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, insert, select, update

from scp.ledger.schema import association, transmission
from scp.ledger.states import AssociationEnd


@dataclass(frozen=True, slots=True)
class SendingAssociation:
    """An association that instances come over.

    Parameters
    ----------
    id
        The node's own; no two associations share one.
    calling_ae_title, called_ae_title, address
        Of its peers, and where it comes from.
    receiver
        The process that serves it.
    began_at
        When its first instance began to arrive.
    """

    id: str
    calling_ae_title: str
    called_ae_title: str
    address: str
    receiver: int
    began_at: datetime


@dataclass(frozen=True, slots=True)
class EndedAssociation:
    """How and when an association ended."""

    id: str
    end: AssociationEnd
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Share:
    """What one association brought of a series, duplicates included."""

    instances: int
    first_at: datetime
    last_at: datetime

    def __add__(self, other: "Share") -> "Share":
        return Share(
            self.instances + other.instances,
            min(self.first_at, other.first_at),
            max(self.last_at, other.last_at),
        )


@dataclass(frozen=True, slots=True)
class Transmission:
    """An association with its share in a series; it has no end while it is open."""

    association: SendingAssociation
    share: Share
    end: AssociationEnd | None
    ended_at: datetime | None


def record_shares(
    connection: Connection, shares: Mapping[tuple[int, SendingAssociation], Share]
) -> None:
    """Add what associations brought, by the series' id and the association."""
    for (series_id, sender), share in shares.items():
        _record_association(connection, sender)
        _add_share(connection, series_id, sender.id, share)


def _record_association(connection: Connection, sender: SendingAssociation) -> None:
    known = connection.scalar(select(association.c.id).where(association.c.id == sender.id))
    if known is None:
        values = {name: getattr(sender, name) for name in SendingAssociation.__dataclass_fields__}
        connection.execute(insert(association).values(values))


def _add_share(connection: Connection, series_id: int, association_id: str, share: Share) -> None:
    here = (
        transmission.c.series_id == series_id,
        transmission.c.association_id == association_id,
    )
    row = connection.execute(select(transmission).where(*here)).one_or_none()
    if row is None:
        connection.execute(
            insert(transmission).values(
                series_id=series_id,
                association_id=association_id,
                instances=share.instances,
                first_at=share.first_at,
                last_at=share.last_at,
            )
        )
        return
    total = Share(row.instances, row.first_at, row.last_at) + share
    connection.execute(
        update(transmission)
        .where(*here)
        .values(instances=total.instances, first_at=total.first_at, last_at=total.last_at)
    )


def record_end(connection: Connection, ended: EndedAssociation) -> None:
    """Record how an association ended; one that is not in the ledger brought nothing."""
    connection.execute(
        update(association)
        .where(association.c.id == ended.id, association.c.end.is_(None))
        .values(end=ended.end, ended_at=ended.ended_at)
    )


def end_left_open(connection: Connection, now: datetime, receiver: int | None = None) -> int:
    """Record as lost what a receiver that died, or all of them, left open; return how many."""
    of_receiver = () if receiver is None else (association.c.receiver == receiver,)
    return connection.execute(
        update(association)
        .where(association.c.end.is_(None), *of_receiver)
        .values(end=AssociationEnd.LOST, ended_at=now)
    ).rowcount


def transmissions_of(connection: Connection, series_id: int) -> list[Transmission]:
    """What each association brought of a series, in the order they began."""
    rows = connection.execute(
        _transmissions()
        .where(transmission.c.series_id == series_id)
        .order_by(association.c.began_at, association.c.id)
    )
    return [
        Transmission(
            SendingAssociation(
                *(getattr(row, name) for name in SendingAssociation.__dataclass_fields__)
            ),
            Share(row.instances, row.first_at, row.last_at),
            row.end,
            row.ended_at,
        )
        for row in rows
    ]


def _transmissions() -> Select[tuple[object, ...]]:
    return select(
        association, transmission.c.instances, transmission.c.first_at, transmission.c.last_at
    ).join(association, association.c.id == transmission.c.association_id)


def open_senders(connection: Connection) -> set[str]:
    """The calling AE titles of the associations that are open and have brought instances."""
    return set(
        connection.scalars(
            select(association.c.calling_ae_title).where(association.c.end.is_(None)).distinct()
        )
    )


def series_being_sent(connection: Connection) -> set[int]:
    """The ids of the series that an open association has brought instances of."""
    return set(
        connection.scalars(
            select(transmission.c.series_id)
            .join(association, association.c.id == transmission.c.association_id)
            .where(association.c.end.is_(None))
            .distinct()
        )
    )
