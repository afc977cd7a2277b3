"""Gathering what is known of a series: from the ledger, and from headers in the spool."""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from pipeline.elements import Header
from pipeline.errors import UnreadableInstanceError
from pipeline.geometry import slice_normal
from pipeline.instance import read_instance
from scp.completeness import Arrivals, ArrivedAssociation, ArrivedInstance
from scp.ledger.associations import open_senders, transmissions_of
from scp.ledger.series import IndexedInstance, Series, instances_of
from scp.spool import Spool
from scp.stack_of_slices import Slice

_POSITION_VALUES, _ORIENTATION_VALUES = 3, 6


@dataclass(slots=True)
class ArrivalReader:
    """Reads each header once, and keeps what is asked of it until the series is concluded."""

    spool: Spool
    _known: dict[int, dict[str, ArrivedInstance]] = field(default_factory=dict)

    def read(self, connection: Connection, series: Series, *, with_headers: bool) -> Arrivals:
        """All that is known of a series; its headers only where they are wanted."""
        indexed = instances_of(connection, series.id)
        brought = transmissions_of(connection, series.id)
        senders = {each.association.calling_ae_title for each in brought}
        return Arrivals(
            opened_at=series.revision_began_at,
            last_received_at=series.last_received_at,
            instances=self._instances(series.id, indexed) if with_headers else (),
            associations=[
                ArrivedAssociation(
                    each.association.began_at, each.share.last_at, each.end, each.ended_at
                )
                for each in brought
            ],
            strays=sum(each.association_id is None for each in indexed),
            sender_is_busy=bool(senders & open_senders(connection)),
        )

    def forget(self, series_id: int) -> None:
        """Let go of the headers of a series that is concluded."""
        self._known.pop(series_id, None)

    def _instances(
        self, series_id: int, indexed: list[IndexedInstance]
    ) -> tuple[ArrivedInstance, ...]:
        known = self._known.setdefault(series_id, {})
        for each in indexed:
            if each.name not in known:
                known[each.name] = self._look(each)
        return tuple(known[each.name] for each in indexed)

    def _look(self, indexed: IndexedInstance) -> ArrivedInstance:
        """What the header says; nothing where it cannot be read: the quiet time has to do."""
        try:
            header = read_instance(self.spool.path(indexed.name)).elements
            return described(indexed.sop_instance_uid, header)
        except UnreadableInstanceError:
            return ArrivedInstance(indexed.sop_instance_uid)


def described(sop_instance_uid: str, header: Header) -> ArrivedInstance:
    """What a header says on the completeness of its series.

    Raises
    ------
    UnreadableInstanceError
        A value is damaged.

    Source: PS3.3 C.7.6.1 (Images in Acquisition), PS3.4 C.6.1.1.4 (Number of Series Related
    Instances).
    """
    return ArrivedInstance(
        sop_instance_uid=sop_instance_uid,
        announced_in_series=_count(header, "NumberOfSeriesRelatedInstances"),
        acquisition=_count(header, "AcquisitionNumber"),
        announced_in_acquisition=_count(header, "ImagesInAcquisition"),
        frames=_count(header, "NumberOfFrames") or 1,
        slice=_slice(header),
    )


def _count(header: Header, keyword: str) -> int | None:
    value = header.get(keyword)
    return int(value) if isinstance(value, int | float) and value > 0 else None


def _slice(header: Header) -> Slice | None:
    position = _numbers(header, "ImagePositionPatient", _POSITION_VALUES)
    orientation = _numbers(header, "ImageOrientationPatient", _ORIENTATION_VALUES)
    if not position or not orientation:
        return None
    row, column = orientation[:3], orientation[3:]
    if not any(row) or not any(column) or row == column:
        return None
    x, y, z = position
    return Slice(
        (x, y, z), slice_normal((row[0], row[1], row[2]), (column[0], column[1], column[2]))
    )


def _numbers(header: Header, keyword: str, count: int) -> tuple[float, ...] | None:
    value = header.get(keyword)
    if not isinstance(value, tuple) or len(value) != count:
        return None
    numbers = tuple(float(item) for item in value if isinstance(item, int | float))
    return numbers if len(numbers) == count else None
