"""What became of a series: its results and their deliveries, job by job."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from scp.ledger.schema import delivery, job, result
from scp.ledger.states import DeliveryState


@dataclass(frozen=True, slots=True)
class ToldDelivery:
    """Where the delivery of a result to one destination stands."""

    destination: str
    state: DeliveryState
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class ToldResult:
    """A result with its deliveries."""

    sop_instance_uid: str
    series_instance_uid: str
    product: str
    form: str
    file: str
    sha256: str
    deliveries: tuple[ToldDelivery, ...]


def results_of(connection: Connection, series_id: int) -> dict[int, list[ToldResult]]:
    """The results of a series' jobs, by the job's id."""
    deliveries = _deliveries_of(connection, series_id)
    rows = connection.execute(
        select(result)
        .join(job, job.c.id == result.c.job_id)
        .where(job.c.series_id == series_id)
        .order_by(result.c.file)
    )
    told: dict[int, list[ToldResult]] = defaultdict(list)
    for row in rows:
        told[row.job_id].append(
            ToldResult(
                row.sop_instance_uid,
                row.series_instance_uid,
                row.product,
                row.form,
                row.file,
                row.sha256,
                tuple(deliveries[row.sop_instance_uid]),
            )
        )
    return told


def _deliveries_of(connection: Connection, series_id: int) -> dict[str, list[ToldDelivery]]:
    columns = [delivery.c[name] for name in ToldDelivery.__dataclass_fields__]
    rows = connection.execute(
        select(delivery.c.sop_instance_uid, *columns)
        .join(job, job.c.id == delivery.c.job_id)
        .where(job.c.series_id == series_id)
        .order_by(delivery.c.id)
    )
    told: dict[str, list[ToldDelivery]] = defaultdict(list)
    for sop_instance_uid, *values in rows:
        told[sop_instance_uid].append(ToldDelivery(*values))
    return told
