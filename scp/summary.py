"""Settings, series and jobs as text for a person, or JSON for a program."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from config import Route, Settings
from scp.ledger import JobState, Ledger, SeriesState
from scp.ledger.jobs import JobLine, job_lines
from scp.ledger.series import Series, all_series
from scp.ports import listening_ports
from scp.state_folder import StateFolder


def describe_settings(settings: Settings) -> str:
    """What a node would do under these settings, in a few lines."""
    node = settings.node
    doors = " and ".join(str(port) for port in listening_ports(settings))
    lines = [f"  node {node.ae_title} on {doors}, state in {node.state_folder}"]
    lines += [f"  {line}" for line in _describe_access(settings)]
    lines += [
        f"  peer {name}: {peer.place} ({peer.role}{', with TLS' if peer.tls else ''})"
        for name, peer in settings.peers.items()
    ]
    for route in settings.routes:
        where = ", ".join(route.destinations) or "the state folder only"
        lines.append(
            f"  route {route.name}: {', '.join(route.pipelines)} -> {where}, "
            f"complete {_describe_finish(route)}"
        )
    return "\n".join(lines)


def _describe_finish(route: Route) -> str:
    """When a series of the route is complete."""
    early = "by evidence, else " if route.finish == "evidence" else ""
    return f"{early}after {route.quiet_time_s:g} s of quiet"


def _describe_access(settings: Settings) -> Iterator[str]:
    """Who may send, in a sentence or two."""
    senders = [name for name, peer in settings.peers.items() if peer.sends_instances]
    only_peers = settings.access.callers == "peers"
    yield f"{', '.join(senders) if only_peers else 'anyone who reaches it'} may send"
    if settings.tls.port is not None:
        yield f"TLS on port {settings.tls.port}: client certificates " + (
            "not asked for"
            if settings.tls.client_certificates == "none"
            else settings.tls.client_certificates
        )


def print_jobs(settings: Settings, *, as_json: bool) -> None:
    """Print every series and job.

    Raises
    ------
    LedgerError
        No node has run with these settings, or its ledger cannot be read.
    """
    ledger = Ledger.open(StateFolder(settings.node.state_folder).ledger)
    try:
        with ledger.read() as connection:
            series, jobs = all_series(connection), job_lines(connection)
    finally:
        ledger.close()
    console = Console(markup=False, highlight=False)
    if as_json:
        console.print_json(json.dumps(document(series, jobs)))
        return
    console.print(_series_table(series), _jobs_table(jobs))
    for reason in _reasons(series, jobs):
        console.print(reason, soft_wrap=True)


def document(series: Sequence[tuple[Series, int]], jobs: Sequence[JobLine]) -> dict[str, Any]:
    """The same in values that JSON has: times in ISO 8601, UTC."""
    return {
        "series": [_plain(asdict(item) | {"instances": count}) for item, count in series],
        "jobs": [_plain(asdict(line.job) | _without_job(line)) for line in jobs],
    }


def _without_job(line: JobLine) -> dict[str, Any]:
    return {name: value for name, value in asdict(line).items() if name != "job"}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _series_table(series: list[tuple[Series, int]]) -> Table:
    table = Table(title="Series", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("Series Instance UID", "From", "Modality", "Instances", "Received", "State"):
        table.add_column(heading, overflow="fold")
    for item, count in series:
        table.add_row(
            item.series_instance_uid,
            item.calling_ae_title,
            item.modality,
            str(count),
            _local(item.last_received_at),
            item.state.value if item.revision == 1 else f"{item.state}, revision {item.revision}",
        )
    return table


def _jobs_table(jobs: list[JobLine]) -> Table:
    table = Table(title="Jobs", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("Job", "Series Instance UID", "Pipeline", "State", "Started", "Finished"):
        table.add_column(heading, overflow="fold")
    table.add_column("Results")
    for line in jobs:
        job = line.job
        table.add_row(
            str(job.id),
            line.series_instance_uid,
            job.pipeline,
            f"{job.state} {job.stage}".strip(),
            _local(job.started_at),
            _local(job.finished_at),
            _deliveries(line),
            style="red" if job.state is JobState.FAILED else "",
        )
    return table


def _deliveries(line: JobLine) -> str:
    if not line.deliveries:
        return f"{line.results} kept here" if line.job.state is JobState.DONE else ""
    text = f"{line.delivered} of {line.deliveries} delivered"
    if line.sent:
        text += f", {line.sent} sent and not proven yet"
    return f"{text}, {line.set_aside} set aside" if line.set_aside else text


def _reasons(series: list[tuple[Series, int]], jobs: list[JobLine]) -> Iterator[str]:
    """A line for everything that did not go its way."""
    for item, _ in series:
        if item.state in (SeriesState.UNROUTED, SeriesState.OWN_RESULT):
            yield f"Series {item.series_instance_uid}: {item.reason}"
    for line in jobs:
        if line.job.reason:
            yield f"Job {line.job.id}: {line.job.reason}"
        if line.delivery_reason:
            yield f"Delivery of job {line.job.id}: {line.delivery_reason}"


def _local(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""
