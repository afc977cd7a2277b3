"""What becomes of a series that waits no longer: jobs, or the reason why there are none."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from config import Route
from scp.completeness import Completeness, Outcome
from scp.ledger import SeriesState
from scp.ledger.jobs import NewJob
from scp.ledger.series import IndexedInstance, Series
from scp.receive.contexts import class_name, holds_slices

NO_ROUTE = "-"
_MOST_NAMED = 20

Policy = Literal["refuse", "first", "last"]


@dataclass(frozen=True, slots=True)
class TakenRoute:
    """A route that takes the series, and its verdict on whether the series is complete."""

    route: Route
    completeness: Completeness


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What becomes of a series."""

    state: SeriesState
    reason: str = ""
    jobs: tuple[NewJob, ...] = ()


@dataclass(frozen=True, slots=True)
class Versions:
    """The instances to use of a series, where some came with different contents.

    Parameters
    ----------
    used
        One of each SOP Instance UID, or all of them where that is refused.
    changed
        The SOP Instance UIDs of those that differ.
    policy
        By which it was chosen.
    """

    used: tuple[IndexedInstance, ...]
    changed: tuple[str, ...]
    policy: Policy

    @classmethod
    def chosen(cls, instances: Sequence[IndexedInstance], policy: Policy) -> "Versions":
        """Choose among the instances, which are in the order they came."""
        counts = Counter(instance.sop_instance_uid for instance in instances)
        changed = tuple(sorted(uid for uid, number in counts.items() if number > 1))
        if policy == "refuse" or not changed:
            return cls(tuple(instances), changed, policy)
        in_order = instances if policy == "last" else list(reversed(instances))
        by_uid = {instance.sop_instance_uid: instance for instance in in_order}
        used = {instance.name for instance in by_uid.values()}
        return cls(tuple(each for each in instances if each.name in used), changed, policy)

    @property
    def refusal(self) -> str:
        """Why none can be used; empty where that is not so."""
        if not self.changed or self.policy != "refuse":
            return ""
        return (
            f"{len(self.changed)} SOP Instance UIDs came with different contents, the first "
            f"{self.changed[0]}: which version is right cannot be known. Both are kept in the "
            "spool; find out at the sender, and send the series again under new UIDs, or say with "
            "the route's key 'changed' which version to use."
        )

    def as_document(self) -> dict[str, Any]:
        """What a job keeps of it."""
        return {
            "policy": self.policy,
            "instances": len(self.changed),
            "sop_instance_uids": list(self.changed[:_MOST_NAMED]),
        }


def conclusion(
    series: Series,
    instances: Sequence[IndexedInstance],
    taken: Sequence[TakenRoute],
    why_unrouted: str,
    now: datetime,
) -> Conclusion:
    """What becomes of a series with these instances, in the order they came."""
    nothing_to_do = why_no_slices(instances)
    jobs = tuple(
        job for each in taken for job in _jobs(series, instances, each, nothing_to_do, now)
    )
    failure = nothing_to_do or Versions.chosen(instances, "refuse").refusal
    if not jobs and failure:
        jobs = (_unrouted(series, instances, failure, now),)
    if jobs and all(job.failure for job in jobs):
        return Conclusion(SeriesState.FAILED, jobs[0].failure, jobs)
    if not jobs:
        return Conclusion(SeriesState.UNROUTED, why_unrouted)
    return Conclusion(SeriesState.COMPLETE, jobs=jobs)


def why_no_slices(instances: Sequence[IndexedInstance]) -> str:
    """Why no pipeline can be run on these instances at all; empty where one can be tried."""
    if any(holds_slices(instance.sop_class_uid) for instance in instances):
        return ""
    kinds = sorted({class_name(instance.sop_class_uid) for instance in instances})
    return (
        f"The series holds {', '.join(kinds)} and no image slices, so no volume can be made of "
        "it. Leave such objects out of the sender's forward rule if they are not wanted here."
    )


def _jobs(
    series: Series,
    instances: Sequence[IndexedInstance],
    taken: TakenRoute,
    failure: str,
    now: datetime,
) -> Iterator[NewJob]:
    """One job for each pipeline of a route."""
    route = taken.route
    versions = Versions.chosen(instances, route.changed)
    told = taken.completeness.as_document()
    if versions.changed:
        told["changed"] = versions.as_document()
    for pipeline in route.pipelines:
        yield NewJob(
            series_id=series.id,
            revision=series.revision,
            route=route.name,
            pipeline=pipeline,
            destinations=tuple(route.destinations),
            instance_names=tuple(instance.name for instance in versions.used),
            created_at=now,
            failure=failure or versions.refusal,
            held=_why_held(series, taken),
            completeness=told,
            is_stat=route.priority == "stat",
        )


def _why_held(series: Series, taken: TakenRoute) -> str:
    release = f"'hounsfield release {series.series_instance_uid}' runs it on what came."
    if series.on_hold:
        return f"The series was put on hold; {release}"
    if taken.completeness.outcome is Outcome.HELD:
        limit_s = taken.route.limit_s
        return f"The series was not complete within limit_s = {limit_s:g} s; {release}"
    return ""


def _unrouted(
    series: Series, instances: Sequence[IndexedInstance], failure: str, now: datetime
) -> NewJob:
    """A failed job of no route, so that the failure is seen where jobs are looked at."""
    return NewJob(
        series_id=series.id,
        revision=series.revision,
        route=NO_ROUTE,
        pipeline=NO_ROUTE,
        destinations=(),
        instance_names=tuple(instance.name for instance in instances),
        created_at=now,
        failure=failure,
    )
