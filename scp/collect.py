"""When a series is complete, and what is then done with it."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydicom.dataset import Dataset
from sqlalchemy import Connection

from config import Route, Settings
from pipeline.errors import UnreadableInstanceError
from pipeline.instance import read_instance
from scp.ledger import Ledger, SeriesState
from scp.ledger.jobs import NewJob, create_job
from scp.ledger.series import (
    IndexedInstance,
    Series,
    conclude_series,
    instances_of,
    is_own_result,
    receiving_series,
)
from scp.receive.contexts import class_name, holds_slices
from scp.route import SeriesFacts, Verdict, explain, judge
from scp.spool import Spool

NO_ROUTE = "-"
_FLOOR_S = 10.0  # quiet time of a series that no route takes

log = structlog.get_logger()


def is_complete(
    series: Series, quiet_time_s: float, *, awake_since: datetime, now: datetime
) -> bool:
    """Whether a series has been quiet long enough.

    Parameters
    ----------
    series
        With the time of its last instance.
    quiet_time_s
        The longest quiet time among the routes that take it.
    awake_since
        Since when senders could reach the node: while it was down nothing could arrive, so that
        time is no quiet.
    now
        The present time.
    """
    quiet_since = max(series.last_received_at, awake_since)
    return now - quiet_since >= timedelta(seconds=quiet_time_s)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What becomes of a complete series."""

    state: SeriesState
    reason: str = ""
    jobs: tuple[NewJob, ...] = ()


@dataclass(slots=True)
class Collector:
    """Watches the series that are being received and turns complete ones into jobs.

    Parameters
    ----------
    awake_since
        Gives the time from which on senders could reach the node.
    waits_since
        Gives the time of the oldest received instance that is not in the index yet. A series is
        not concluded while an instance of its quiet time may still come to light.
    """

    ledger: Ledger
    spool: Spool
    settings: Settings
    awake_since: Callable[[], datetime]
    waits_since: Callable[[], datetime | None]
    _verdicts: dict[tuple[int, int], list[Verdict]] = field(default_factory=dict)

    def tick(self, now: datetime) -> None:
        """Conclude every series that is complete now."""
        with self.ledger.read() as connection:
            waiting = receiving_series(connection)
        known_until = min(self.waits_since() or now, now)
        awake_since = self.awake_since()
        shortest = min((route.quiet_time_s for route in self.settings.routes), default=_FLOOR_S)
        for series in waiting:
            if not is_complete(series, shortest, awake_since=awake_since, now=known_until):
                continue
            verdicts = self._judged(series)
            quiet = max((route.quiet_time_s for route in _taken(verdicts)), default=_FLOOR_S)
            if is_complete(series, quiet, awake_since=awake_since, now=known_until):
                self._conclude(series, verdicts, now)
                self._verdicts.pop((series.id, series.revision), None)

    def _judged(self, series: Series) -> list[Verdict]:
        """The routes' verdicts; a header is read once for each revision."""
        key = (series.id, series.revision)
        if key not in self._verdicts:
            self._verdicts[key] = self._judge(series)
        return self._verdicts[key]

    def _judge(self, series: Series) -> list[Verdict]:
        with self.ledger.read() as connection:
            first = instances_of(connection, series.id)[0]
        header: Dataset | None = None
        with suppress(UnreadableInstanceError):
            header = read_instance(self.spool.path(first.name)).header
        facts = SeriesFacts(
            modality=series.modality,
            calling_ae_title=series.calling_ae_title,
            called_ae_title=series.called_ae_title,
            header=header,
        )
        return judge(self.settings.routes, facts)

    def _conclude(self, series: Series, verdicts: Sequence[Verdict], now: datetime) -> None:
        with self.ledger.write() as connection:
            instances = instances_of(connection, series.id)
            conclusion = self._conclusion(connection, series, instances, verdicts, now)
            if not conclude_series(connection, series, conclusion.state, conclusion.reason):
                return
            for new in conclusion.jobs:
                create_job(connection, new)
        _log_conclusion(series, len(instances), conclusion)

    def _conclusion(
        self,
        connection: Connection,
        series: Series,
        instances: Sequence[IndexedInstance],
        verdicts: Sequence[Verdict],
        now: datetime,
    ) -> Conclusion:
        if is_own_result(connection, series.series_instance_uid):
            return Conclusion(SeriesState.OWN_RESULT, "one of this node's own results, sent back")
        failure = why_no_volume(instances)
        common: dict[str, Any] = {
            "series_id": series.id,
            "revision": series.revision,
            "instance_names": tuple(instance.name for instance in instances),
            "created_at": now,
            "failure": failure,
        }
        jobs = tuple(
            NewJob(
                route=route.name, pipeline=name, destinations=tuple(route.destinations), **common
            )
            for route in _taken(verdicts)
            for name in route.pipelines
        )
        if failure:
            unrouted = NewJob(route=NO_ROUTE, pipeline=NO_ROUTE, destinations=(), **common)
            return Conclusion(SeriesState.FAILED, failure, jobs or (unrouted,))
        if not jobs:
            return Conclusion(SeriesState.UNROUTED, explain(verdicts))
        return Conclusion(SeriesState.COMPLETE, jobs=jobs)


def _taken(verdicts: Sequence[Verdict]) -> list[Route]:
    return [verdict.route for verdict in verdicts if verdict.is_taken]


def why_no_volume(instances: Sequence[IndexedInstance]) -> str:
    """Why no pipeline can be run on these instances at all; empty where one can be tried."""
    if not any(holds_slices(instance.sop_class_uid) for instance in instances):
        kinds = sorted({class_name(instance.sop_class_uid) for instance in instances})
        return (
            f"The series holds {', '.join(kinds)} and no image slices, so no volume can be made of "
            "it. Leave such objects out of the sender's forward rule if they are not wanted here."
        )
    versions = Counter(instance.sop_instance_uid for instance in instances)
    doubled = sorted(uid for uid, number in versions.items() if number > 1)
    if doubled:
        return (
            f"{len(doubled)} SOP Instance UIDs came with different contents, the first "
            f"{doubled[0]}: which version is right cannot be known. Both are kept in the spool; "
            "find out at the sender, and send the series again under new UIDs."
        )
    return ""


def _log_conclusion(series: Series, instances: int, conclusion: Conclusion) -> None:
    facts = {
        "series_instance_uid": series.series_instance_uid,
        "revision": series.revision,
        "instances": instances,
        "state": conclusion.state.value,
    }
    if conclusion.state is SeriesState.COMPLETE:
        log.info("series complete", jobs=len(conclusion.jobs), **facts)
    else:
        log.warning("series not processed", reason=conclusion.reason, **facts)
