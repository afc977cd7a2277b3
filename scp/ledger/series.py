"""Series and their instances in the ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from scp.ledger.associations import SendingAssociation, Share, record_shares
from scp.ledger.schema import instance, result, series
from scp.ledger.states import SeriesState


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedInstance:
    """A durable instance as the index takes it."""

    name: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    calling_ae_title: str
    called_ae_title: str
    size_bytes: int
    received_at: datetime
    association: SendingAssociation | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A received series: the instances of one Series Instance UID sent to one called AE title."""

    id: int
    series_instance_uid: str
    study_instance_uid: str
    modality: str
    calling_ae_title: str
    called_ae_title: str
    state: SeriesState
    reason: str
    revision: int
    first_received_at: datetime
    last_received_at: datetime
    opened_at: datetime | None = None
    on_hold: bool = False

    @property
    def revision_began_at(self) -> datetime:
        """When the first instance of the present revision came."""
        return self.opened_at or self.first_received_at


@dataclass(frozen=True, slots=True)
class IndexedInstance:
    """An instance of a series as the index knows it."""

    name: str
    sop_instance_uid: str
    sop_class_uid: str
    association_id: str | None = None


def index_instances(connection: Connection, received: Sequence[ReceivedInstance]) -> int:
    """Add instances to the index; return how many were new.

    A new instance of a series that was concluded opens the series again as its next revision. One
    that came again shows that the sender is still at it, and changes nothing else.
    """
    known = set(
        connection.scalars(
            select(instance.c.name).where(instance.c.name.in_([item.name for item in received]))
        )
    )
    fresh = {item.name: item for item in received if item.name not in known}
    for item in received:
        if item.name in known:
            _note_sign_of_life(connection, item)
            _adopt(connection, item)
    rows = [row for items in _by_series(fresh.values()) for row in _rows(connection, items)]
    if rows:
        connection.execute(insert(instance), rows)
    record_shares(connection, _shares(connection, received))
    return len(fresh)


def _shares(
    connection: Connection, received: Sequence[ReceivedInstance]
) -> dict[tuple[int, SendingAssociation], Share]:
    """What each association brought of each series."""
    shares: dict[tuple[int, SendingAssociation], Share] = {}
    for items in _by_series(received):
        known = _find_series(connection, items[0])
        for item in items:
            if item.association is not None and known is not None:
                key = (known.id, item.association)
                share = Share(1, item.received_at, item.received_at)
                shares[key] = shares[key] + share if key in shares else share
    return shares


def _by_series(items: Iterable[ReceivedInstance]) -> list[list[ReceivedInstance]]:
    """The instances of each series together, in the order they were received."""
    groups: dict[tuple[str, str], list[ReceivedInstance]] = {}
    for item in sorted(items, key=lambda each: each.received_at):
        groups.setdefault((item.series_instance_uid, item.called_ae_title), []).append(item)
    return list(groups.values())


def _rows(connection: Connection, items: Sequence[ReceivedInstance]) -> list[dict[str, Any]]:
    """The rows of new instances of one series, which is touched by the first and the last."""
    series_id = _touch_series(connection, items[0])
    if len(items) > 1:
        _touch_series(connection, items[-1])
    return [
        {
            "name": item.name,
            "series_id": series_id,
            "sop_instance_uid": item.sop_instance_uid,
            "sop_class_uid": item.sop_class_uid,
            "transfer_syntax_uid": item.transfer_syntax_uid,
            "size_bytes": item.size_bytes,
            "received_at": item.received_at,
            "association_id": item.association.id if item.association else None,
        }
        for item in items
    ]


def _note_sign_of_life(connection: Connection, item: ReceivedInstance) -> None:
    """A duplicate prolongs the wait for a series that is being received."""
    connection.execute(
        update(series)
        .where(
            series.c.series_instance_uid == item.series_instance_uid,
            series.c.called_ae_title == item.called_ae_title,
            series.c.state == SeriesState.RECEIVING,
            series.c.last_received_at < item.received_at,
        )
        .values(last_received_at=item.received_at)
    )


def _touch_series(connection: Connection, item: ReceivedInstance) -> int:
    """The series' id, the series created or opened again where needed."""
    row = _find_series(connection, item)
    if row is None:
        return _insert_series(connection, item)
    changes: dict[str, Any] = {"last_received_at": max(row.last_received_at, item.received_at)}
    if row.state is not SeriesState.RECEIVING:
        changes |= {
            "state": SeriesState.RECEIVING,
            "reason": "",
            "revision": series.c.revision + 1,
            "opened_at": item.received_at,
        }
    connection.execute(update(series).where(series.c.id == row.id).values(changes))
    return int(row.id)


def _adopt(connection: Connection, item: ReceivedInstance) -> None:
    """An instance that was found again in the spool, and is sent again, has an association now."""
    if item.association is not None:
        connection.execute(
            update(instance)
            .where(instance.c.name == item.name, instance.c.association_id.is_(None))
            .values(association_id=item.association.id)
        )


def _find_series(connection: Connection, item: ReceivedInstance) -> Row[Any, Any, Any] | None:
    return connection.execute(
        select(series.c.id, series.c.state, series.c.last_received_at).where(
            series.c.series_instance_uid == item.series_instance_uid,
            series.c.called_ae_title == item.called_ae_title,
        )
    ).one_or_none()


def _insert_series(connection: Connection, item: ReceivedInstance) -> int:
    created = connection.execute(
        insert(series)
        .values(
            series_instance_uid=item.series_instance_uid,
            study_instance_uid=item.study_instance_uid,
            modality=item.modality,
            calling_ae_title=item.calling_ae_title,
            called_ae_title=item.called_ae_title,
            state=SeriesState.RECEIVING,
            reason="",
            revision=1,
            first_received_at=item.received_at,
            last_received_at=item.received_at,
            opened_at=item.received_at,
        )
        .returning(series.c.id)
    )
    return int(created.scalar_one())


def receiving_series(connection: Connection) -> list[Series]:
    """The series that still wait for their last instance, longest waiting first."""
    rows = connection.execute(
        select(series)
        .where(series.c.state == SeriesState.RECEIVING)
        .order_by(series.c.last_received_at)
    )
    return [_to_series(row) for row in rows]


def all_series(connection: Connection) -> list[tuple[Series, int]]:
    """Every series with its number of instances, first received first."""
    counts = (
        select(instance.c.series_id, func.count().label("instances"))
        .group_by(instance.c.series_id)
        .subquery()
    )
    rows = connection.execute(
        select(series, func.coalesce(counts.c.instances, 0))
        .outerjoin(counts, counts.c.series_id == series.c.id)
        .order_by(series.c.id)
    )
    return [(_to_series(row), int(row[-1])) for row in rows]


def find_series(connection: Connection, series_instance_uid: str) -> list[Series]:
    """The series of this UID: one for each AE title that it was sent to."""
    rows = connection.execute(
        select(series)
        .where(series.c.series_instance_uid == series_instance_uid)
        .order_by(series.c.id)
    )
    return [_to_series(row) for row in rows]


def _to_series(row: Row[Any]) -> Series:
    return Series(*(getattr(row, name) for name in Series.__dataclass_fields__))


def instances_of(connection: Connection, series_id: int) -> list[IndexedInstance]:
    """The instances of a series in the order they came."""
    rows = connection.execute(
        select(*(instance.c[name] for name in IndexedInstance.__dataclass_fields__))
        .where(instance.c.series_id == series_id)
        .order_by(instance.c.received_at, instance.c.name)
    )
    return [IndexedInstance(*row) for row in rows]


def known_names(connection: Connection, names: Sequence[str]) -> set[str]:
    """Those of the given instance names that the index has."""
    return set(connection.scalars(select(instance.c.name).where(instance.c.name.in_(names))))


def is_own_result(connection: Connection, series_instance_uid: str) -> bool:
    """Whether the series is one of this node's own results, sent back by a PACS."""
    return (
        connection.execute(
            select(result.c.sop_instance_uid)
            .where(result.c.series_instance_uid == series_instance_uid)
            .limit(1)
        ).first()
        is not None
    )


def sender_of(connection: Connection, series_id: int) -> str:
    """The calling AE title that the first instance of a series came from."""
    title: str = connection.execute(
        select(series.c.calling_ae_title).where(series.c.id == series_id)
    ).scalar_one()
    return title


def conclude_series(
    connection: Connection, item: Series, state: SeriesState, reason: str = ""
) -> bool:
    """Move a series on from receiving; False where another instance came in between."""
    changed = connection.execute(
        update(series)
        .where(
            and_(
                series.c.id == item.id,
                series.c.state == SeriesState.RECEIVING,
                series.c.revision == item.revision,
                series.c.last_received_at == item.last_received_at,
            )
        )
        .values(state=state, reason=reason)
    )
    return changed.rowcount == 1
