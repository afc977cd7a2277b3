"""The journal of rejected associations in the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from scp.ledger.schema import rejection

KEPT = 1000
"""Rows that are kept; beyond them the longest silent go."""

KEPT_OF_ADDRESS = 20
"""Rows of one address that are kept apart by their titles."""

ANY_TITLE = "*"
"""Stands for titles that are not kept apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedAssociations:
    """Associations that were rejected alike.

    Parameters
    ----------
    calling_ae_title, called_ae_title
        As asked; empty where the caller got no further than the handshake.
    reason
        A sentence.
    setting
        The key that would allow it; empty where none would.
    count
        How many there were.
    first_at, last_at
        When.
    """

    calling_ae_title: str
    called_ae_title: str
    address: str
    reason: str
    setting: str
    count: int
    first_at: datetime
    last_at: datetime


def record_rejections(connection: Connection, rejected: Sequence[RejectedAssociations]) -> None:
    """Add to the journal; what is known already is counted on.

    However many titles and addresses a flood makes up, the journal stays short.
    """
    for item in rejected:
        if _count_on(connection, item):
            continue
        if _rows_of(connection, item.address) < KEPT_OF_ADDRESS:
            _insert(connection, item)
            continue
        folded = replace(item, calling_ae_title=ANY_TITLE, called_ae_title=ANY_TITLE)
        if not _count_on(connection, folded):
            _insert(connection, folded)
    _drop_oldest(connection)


def _count_on(connection: Connection, item: RejectedAssociations) -> bool:
    changed = connection.execute(
        update(rejection)
        .where(_same(item))
        .values(
            count=rejection.c.count + item.count,
            last_at=item.last_at,
            setting=item.setting,
        )
    )
    return changed.rowcount == 1


def _same(item: RejectedAssociations) -> ColumnElement[bool]:
    return and_(
        rejection.c.calling_ae_title == item.calling_ae_title,
        rejection.c.called_ae_title == item.called_ae_title,
        rejection.c.address == item.address,
        rejection.c.reason == item.reason,
    )


def _rows_of(connection: Connection, address: str) -> int:
    query = select(func.count()).select_from(rejection).where(rejection.c.address == address)
    return connection.execute(query).scalar_one()


def _insert(connection: Connection, item: RejectedAssociations) -> None:
    values = {name: getattr(item, name) for name in RejectedAssociations.__dataclass_fields__}
    connection.execute(insert(rejection).values(values))


def _drop_oldest(connection: Connection) -> None:
    recent = select(rejection.c.id).order_by(rejection.c.last_at.desc()).limit(KEPT)
    connection.execute(delete(rejection).where(rejection.c.id.not_in(recent)))


def all_rejections(connection: Connection) -> list[RejectedAssociations]:
    """The whole journal, the last rejected first."""
    names = RejectedAssociations.__dataclass_fields__
    rows = connection.execute(
        select(*(rejection.c[name] for name in names)).order_by(
            rejection.c.last_at.desc(), rejection.c.id
        )
    )
    return [RejectedAssociations(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's API


def clear_rejections(connection: Connection) -> int:
    """Empty the journal; return how many rows it had."""
    return connection.execute(delete(rejection)).rowcount
