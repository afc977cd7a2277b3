"""The whole story of a series: what came, why it was complete, what was made of it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import click
from sqlalchemy import Connection

from config import Settings
from scp.conclude import Versions
from scp.ledger import DeliveryState, Ledger
from scp.ledger.associations import Transmission, transmissions_of
from scp.ledger.jobs import Job, job_lines
from scp.ledger.series import IndexedInstance, Series, find_series, instances_of
from scp.ledger.stories import ToldResult, results_of
from scp.state_folder import StateFolder


class UnknownSeriesError(Exception):
    """No instance of the series has come; the message says so."""


@dataclass(frozen=True, slots=True)
class Story:
    """All that the ledger has on a series that was sent to one AE title."""

    series: Series
    instances: Sequence[IndexedInstance]
    transmissions: Sequence[Transmission]
    jobs: Sequence[Job]
    results: dict[int, list[ToldResult]]

    @classmethod
    def read(cls, connection: Connection, series: Series) -> "Story":
        """From the ledger."""
        return cls(
            series,
            instances_of(connection, series.id),
            transmissions_of(connection, series.id),
            [line.job for line in job_lines(connection, series.id)],
            results_of(connection, series.id),
        )

    @property
    def changed(self) -> int:
        """How many SOP Instance UIDs came with different contents."""
        return len(Versions.chosen(self.instances, "refuse").changed)

    def as_document(self) -> dict[str, Any]:
        """In values that JSON has: times in ISO 8601, UTC."""
        document: dict[str, Any] = _plain(
            asdict(self.series)
            | {
                "instances": len(self.instances),
                "changed_instances": self.changed,
                "associations": [
                    asdict(each.association)
                    | asdict(each.share)
                    | {"end": each.end, "ended_at": each.ended_at}
                    for each in self.transmissions
                ],
                "jobs": [
                    asdict(job)
                    | {"results": [asdict(each) for each in self.results.get(job.id, ())]}
                    for job in self.jobs
                ],
            }
        )
        return document


def print_story(settings: Settings, series_instance_uid: str, *, as_json: bool) -> None:
    """Print the story of a series, once for each AE title that it was sent to.

    Raises
    ------
    LedgerError
        No node has run with these settings, or its ledger cannot be read.
    UnknownSeriesError
        The ledger has no such series.
    """
    file = StateFolder(settings.node.state_folder).ledger
    with closing(Ledger.open(file)) as ledger, ledger.read() as connection:
        known = find_series(connection, series_instance_uid)
        stories = [Story.read(connection, series) for series in known]
    if not stories:
        raise UnknownSeriesError(
            f"No instance of series {series_instance_uid} has come; 'hounsfield jobs' lists those "
            "that have."
        )
    if as_json:
        click.echo(json.dumps([story.as_document() for story in stories], indent=2))
        return
    for story in stories:
        click.echo("\n".join(lines(story)))


def lines(story: Story) -> Iterator[str]:
    """The story as a person reads it, times in the time zone of this machine."""
    series = story.series
    yield f"Series {series.series_instance_uid} ({series.modality}) to {series.called_ae_title}"
    yield f"  {series.state.value}, revision {series.revision}" + (
        ", on hold" if series.on_hold else ""
    )
    if series.reason:
        yield f"  {series.reason}"
    yield (
        f"  {len(story.instances)} instances, first {_local(series.first_received_at)}, "
        f"last {_local(series.last_received_at)}"
    )
    if story.changed:
        yield f"  {story.changed} SOP Instance UIDs came with different contents"
    for each in story.transmissions:
        yield f"  {_association(each)}"
    for job in story.jobs:
        yield from _job(job, story.results.get(job.id, []))


def _association(each: Transmission) -> str:
    sender = each.association
    end = f"{each.end} {_local(each.ended_at)}" if each.end else "still open"
    return (
        f"association of {sender.calling_ae_title} at {sender.address}: {each.share.instances} "
        f"instances from {_local(each.share.first_at)} to {_local(each.share.last_at)}, {end}"
    )


def _job(job: Job, results: Sequence[ToldResult]) -> Iterator[str]:
    yield f"  Job {job.id}, revision {job.revision}: route {job.route}, pipeline {job.pipeline}"
    created, finished = _local(job.created_at), _local(job.finished_at)
    yield f"    created {created}, {job.state.value} {finished}".rstrip()
    if job.reason:
        yield f"    {job.reason}"
    yield from _completeness(job.completeness)
    for product, count in Counter(each.product for each in results).items():
        yield f"    results: {count} of {product}"
    yield from _deliveries(results)


def _completeness(told: dict[str, Any] | None) -> Iterator[str]:
    if told is None:
        return
    yield f"    {told['outcome']} by {told['because']}:"
    for each in told["evidence"]:
        since = f", {_local(datetime.fromisoformat(each['at']))}" if each["at"] else ""
        yield f"      {each['weight']:<7} {each['fact']}: {each['value']}{since}"
    if changed := told.get("changed"):
        yield (
            f"      {changed['instances']} instances came with different contents: "
            f"{changed['policy']}"
        )


def _deliveries(results: Sequence[ToldResult]) -> Iterator[str]:
    """One line for each destination and state, with the last time and the first reason."""
    alike: dict[tuple[str, DeliveryState], list[Any]] = {}
    for result in results:
        for each in result.deliveries:
            alike.setdefault((each.destination, each.state), []).append(each)
    for (destination, state), group in alike.items():
        times = [each.delivered_at or each.sent_at for each in group]
        last = max((time for time in times if time is not None), default=None)
        reason = next((f": {each.reason}" for each in group if each.reason), "")
        yield f"    to {destination}: {len(group)} {state.value} {_local(last)}".rstrip() + reason


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _local(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""
