"""When a series is complete, and what is then done with it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from pydicom.dataset import Dataset

from config import Route, Settings
from pipeline.errors import UnreadableInstanceError
from pipeline.instance import read_instance
from scp.arrivals import ArrivalReader
from scp.completeness import Moment, Outcome, Rule, assess
from scp.conclude import Conclusion, TakenRoute, conclusion
from scp.ledger import Ledger, SeriesState
from scp.ledger.associations import series_being_sent
from scp.ledger.jobs import create_job, has_run_on, supersede_held
from scp.ledger.series import (
    Series,
    conclude_series,
    instances_of,
    is_own_result,
    receiving_series,
)
from scp.route import SeriesFacts, Verdict, explain, judge
from scp.spool import Spool

_FLOOR_S = 10.0  # quiet time of a series that no route takes
_NO_ROUTE_RULE = Rule(_FLOOR_S, "quiet", 5400.0, "process")
_RESTLESS, _REST = timedelta(seconds=5), timedelta(seconds=5)
_SENT_BACK = "one of this node's own results, sent back"

log = structlog.get_logger()


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
    _resting: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)
    _arrivals: ArrivalReader = field(init=False)

    def __post_init__(self) -> None:
        self._arrivals = ArrivalReader(self.spool)

    def tick(self, now: datetime) -> None:
        """Conclude every series that is complete now."""
        moment = Moment(now, min(self.waits_since() or now, now), self.awake_since())
        with self.ledger.read() as connection:
            waiting = receiving_series(connection)
            being_sent = series_being_sent(connection) if waiting else set()
        for series in waiting:
            if self._is_resting(series, now):
                continue
            if self._may_be_complete(series, moment, is_being_sent=series.id in being_sent):
                self._look_at(series, moment)

    def _may_be_complete(self, series: Series, moment: Moment, *, is_being_sent: bool) -> bool:
        """Whether it is worth the while to gather all facts: cheap, as it is asked all the time."""
        routes = self.settings.routes
        quiet_s = min((route.quiet_time_s for route in routes), default=_FLOOR_S)
        limit_s = min((route.limit_s for route in routes), default=_NO_ROUTE_RULE.limit_s)
        quiet = moment.known_until - max(series.last_received_at, moment.awake_since)
        waited = moment.now - max(series.revision_began_at, moment.awake_since)
        by_evidence = any(route.finish == "evidence" for route in routes) and not is_being_sent
        return (
            by_evidence
            or quiet >= timedelta(seconds=quiet_s)
            or waited >= timedelta(seconds=limit_s)
        )

    def _look_at(self, series: Series, moment: Moment) -> None:
        """Conclude a series where each route that takes it has come to a verdict."""
        verdicts = self._judged(series)
        routes = [verdict.route for verdict in verdicts if verdict.is_taken]
        with_headers = any(route.finish == "evidence" for route in routes)
        with self.ledger.read() as connection:
            arrivals = self._arrivals.read(connection, series, with_headers=with_headers)
        taken = [TakenRoute(route, assess(arrivals, _rule_of(route), moment)) for route in routes]
        outcomes = [each.completeness.outcome for each in taken] or [
            assess(arrivals, _NO_ROUTE_RULE, moment).outcome
        ]
        if Outcome.WAITING in outcomes:
            self._rest(series, routes, moment)
            return
        self._conclude(series, verdicts, taken, moment.now)
        self._verdicts.pop((series.id, series.revision), None)
        self._resting.pop(series.id, None)
        self._arrivals.forget(series.id)

    def _rest(self, series: Series, routes: Sequence[Route], moment: Moment) -> None:
        """Leave a series alone whose evidence is slow to change; gathering it has its price."""
        quiet_since = max(series.last_received_at, moment.awake_since)
        if moment.known_until < moment.now or moment.now - quiet_since < _RESTLESS:
            return
        open_since = max(series.revision_began_at, moment.awake_since)
        ends = [quiet_since + timedelta(seconds=route.quiet_time_s) for route in routes]
        ends += [open_since + timedelta(seconds=route.limit_s) for route in routes]
        until = min([moment.now + _REST, *(end for end in ends if end > moment.now)])
        self._resting[series.id] = (series.last_received_at, until)

    def _is_resting(self, series: Series, now: datetime) -> bool:
        last_received_at, until = self._resting.get(series.id, (None, now))
        return last_received_at == series.last_received_at and now < until

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

    def _conclude(
        self,
        series: Series,
        verdicts: Sequence[Verdict],
        taken: Sequence[TakenRoute],
        now: datetime,
    ) -> None:
        with self.ledger.write() as connection:
            instances = instances_of(connection, series.id)
            if is_own_result(connection, series.series_instance_uid):
                concluded = Conclusion(SeriesState.OWN_RESULT, _SENT_BACK)
            else:
                why_unrouted = "" if taken else explain(verdicts)
                concluded = conclusion(series, instances, taken, why_unrouted, now)
            if not conclude_series(connection, series, concluded.state, concluded.reason):
                return
            created = [job for job in concluded.jobs if not has_run_on(connection, job)]
            for new in created:
                create_job(connection, new)
            supersede_held(connection, series.id, series.revision, now)
        _log_conclusion(series, len(instances), replace(concluded, jobs=tuple(created)))


def _rule_of(route: Route) -> Rule:
    return Rule(route.quiet_time_s, route.finish, route.limit_s, route.at_limit)


def _log_conclusion(series: Series, instances: int, concluded: Conclusion) -> None:
    facts = {
        "series_instance_uid": series.series_instance_uid,
        "revision": series.revision,
        "instances": instances,
        "state": concluded.state.value,
    }
    if concluded.state is SeriesState.COMPLETE:
        held = sum(bool(job.held) for job in concluded.jobs)
        log.info("series complete", jobs=len(concluded.jobs), held=held, **facts)
    else:
        log.warning("series not processed", reason=concluded.reason, **facts)
