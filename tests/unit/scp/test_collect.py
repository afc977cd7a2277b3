"""When a series is complete, and what becomes of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config import AeTitle, NodeSettings, PipelineSettings, Route, Settings
from pipeline.products import Form, Product
from scp.collect import Collector, is_complete, why_no_volume
from scp.ledger import JobState, Ledger, SeriesState
from scp.ledger.jobs import JobLine, job_lines
from scp.ledger.outbox import StoredResult, record_results
from scp.ledger.series import IndexedInstance, ReceivedInstance, Series, all_series, index_instances
from scp.spool import Spool

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
SR = "1.2.840.10008.5.1.4.1.1.88.34"


def settings(*routes: Route) -> Settings:
    """Settings with these routes."""
    return Settings(
        node=NodeSettings(ae_title=AeTitle("HOUNSFIELD")),
        pipelines={"chest": PipelineSettings.model_validate({"steps": [{"algorithm": "lungs"}]})},
        routes=routes,
    )


def route(name: str, quiet_time_s: float, modality: str = "CT") -> Route:
    """A route for a modality."""
    return Route.model_validate(
        {
            "name": name,
            "pipelines": ("chest",),
            "quiet_time_s": quiet_time_s,
            "match": {"modality": modality},
        }
    )


def row(number: int, **changes: object) -> ReceivedInstance:
    """One instance of a CT series, received at NOW."""
    values: dict[str, object] = {
        "name": f"name-{number}",
        "sop_instance_uid": f"1.2.{number}",
        "sop_class_uid": CT,
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "study_instance_uid": "1.1",
        "series_instance_uid": "1.2",
        "modality": "CT",
        "calling_ae_title": "SENDER",
        "called_ae_title": "HOUNSFIELD",
        "size_bytes": 10,
        "received_at": NOW,
    }
    return ReceivedInstance(**values | changes)  # type: ignore[arg-type]


class World:
    """A ledger with instances, and a collector over it."""

    def __init__(self, folder: Path, *routes: Route) -> None:
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.ledger.migrate()
        spool = Spool(folder / "spool")
        spool.prepare()
        self.waits_since: datetime | None = None
        self.collector = Collector(
            self.ledger,
            spool,
            settings(*routes),
            awake_since=lambda: NOW,
            waits_since=lambda: self.waits_since,
        )

    def receive(self, *rows: ReceivedInstance) -> None:
        """Add rows to the index."""
        with self.ledger.write() as connection:
            index_instances(connection, rows)

    def tick(self, after_s: float) -> None:
        """Let the collector look at a time."""
        self.collector.tick(NOW + timedelta(seconds=after_s))

    def series(self) -> Series:
        """The only series."""
        with self.ledger.read() as connection:
            ((series, _),) = all_series(connection)
        return series

    def jobs(self) -> list[JobLine]:
        """All jobs."""
        with self.ledger.read() as connection:
            return job_lines(connection)


WorldMaker = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[WorldMaker]:
    """Makes the world of a test from its routes."""
    with ExitStack() as stack:

        def make(*routes: Route) -> World:
            world = World(tmp_path, *routes)
            stack.callback(world.ledger.close)
            return world

        yield make


@pytest.mark.parametrize(
    ("quiet_s", "awake_s", "complete"),
    [(10, 100, True), (9.9, 100, False), (100, 9.9, False), (100, 10, True)],
)
def test_quiet_is_counted_while_the_node_is_awake(
    quiet_s: float, awake_s: float, *, complete: bool
) -> None:
    """The time that the node was down is no quiet."""
    last = NOW - timedelta(seconds=quiet_s)
    series = Series(1, "1.2", "1.1", "CT", "A", "B", SeriesState.RECEIVING, "", 1, last, last)
    awake_since = NOW - timedelta(seconds=awake_s)
    assert is_complete(series, 10.0, awake_since=awake_since, now=NOW) is complete


def test_a_quiet_series_becomes_one_job_a_route(make_world: WorldMaker) -> None:
    """After the longest quiet time of its routes, each gets its job, with all instances."""
    world = make_world(route("a", 5), route("b", 8), route("other", 60, "MR"))
    world.receive(row(1), row(2))
    world.tick(7.9)
    assert world.series().state is SeriesState.RECEIVING
    world.tick(8)
    assert world.series().state is SeriesState.COMPLETE
    assert [(line.job.route, line.job.state, line.inputs) for line in world.jobs()] == [
        ("a", JobState.QUEUED, 2),
        ("b", JobState.QUEUED, 2),
    ]
    world.tick(100)
    assert len(world.jobs()) == 2


def test_a_late_instance_makes_a_job_of_the_next_revision(make_world: WorldMaker) -> None:
    """The later job has all instances."""
    world = make_world(route("a", 5))
    world.receive(row(1))
    world.tick(5)
    world.receive(row(2, received_at=NOW + timedelta(seconds=20)))
    world.tick(25)
    assert [(line.job.revision, line.inputs) for line in world.jobs()] == [(1, 1), (2, 2)]


def test_a_series_that_no_route_takes_says_why(make_world: WorldMaker) -> None:
    """It is kept, and the reason names the routes."""
    world = make_world(route("a", 5, "MR"))
    world.receive(row(1))
    world.tick(10)
    series = world.series()
    assert series.state is SeriesState.UNROUTED
    assert series.reason == "no route takes it (a: Modality is CT, wanted is MR)"
    assert world.jobs() == []


@pytest.mark.parametrize("modality", ["SEG", "CT"])
def test_objects_without_slices_end_as_a_failed_job(make_world: WorldMaker, modality: str) -> None:
    """A SEG fails with a reason, whether a route takes its modality or not."""
    world = make_world(route("a", 5, "CT"))
    world.receive(row(1, sop_class_uid=SEG, modality=modality))
    world.tick(10)
    assert world.series().state is SeriesState.FAILED
    (line,) = world.jobs()
    assert line.job.state is JobState.FAILED
    assert "holds Segmentation and no image slices" in line.job.reason


def test_two_versions_of_an_instance_are_not_guessed_between(
    make_world: WorldMaker,
) -> None:
    """The same SOP Instance UID with other bytes fails the job and names the UID."""
    world = make_world(route("a", 5))
    world.receive(row(1), row(2), row(3, sop_instance_uid="1.2.1"))
    world.tick(5)
    (line,) = world.jobs()
    assert line.job.state is JobState.FAILED
    assert "the first 1.2.1" in line.job.reason


def test_our_own_results_are_not_processed_again(make_world: WorldMaker) -> None:
    """A PACS that forwards our results back starts no loop."""
    world = make_world(route("a", 5))
    world.receive(row(1))
    world.tick(5)
    with world.ledger.write() as connection:
        record_results(
            connection,
            1,
            [StoredResult("2.1", CT, "2.9", "f", "ab", Product.SEG, Form().key)],
            {},
            NOW,
        )
    world.receive(row(2, series_instance_uid="2.9", sop_instance_uid="2.1"))
    world.tick(10)
    with world.ledger.read() as connection:
        states = [series.state for series, _ in all_series(connection)]
    assert states == [SeriesState.COMPLETE, SeriesState.OWN_RESULT]
    assert len(world.jobs()) == 1


def test_slices_beside_a_report_can_be_tried() -> None:
    """Only a series without any slice is hopeless from the index alone."""
    report, image = IndexedInstance("a", "1.1", SR), IndexedInstance("b", "1.2", CT)
    assert why_no_volume([report, image]) == ""
    assert "Comprehensive 3D SR" in why_no_volume([report])


def test_a_series_waits_for_what_is_not_in_the_index_yet(make_world: WorldMaker) -> None:
    """While a row of its quiet time is on its way, the series may not be complete."""
    world = make_world(route("a", 5))
    world.receive(row(1))
    world.waits_since = NOW + timedelta(seconds=3)
    world.tick(60)
    assert world.series().state is SeriesState.RECEIVING
    world.receive(row(2, received_at=NOW + timedelta(seconds=3)))
    world.waits_since = NOW + timedelta(seconds=59)
    world.tick(60)
    assert world.series().state is SeriesState.COMPLETE
    assert [line.inputs for line in world.jobs()] == [2]


def test_a_sender_that_starts_again_keeps_the_series_open(make_world: WorldMaker) -> None:
    """Duplicates are a sign that the sender is still at it."""
    world = make_world(route("a", 5))
    world.receive(row(1), row(2))
    world.receive(row(1, received_at=NOW + timedelta(seconds=4)))
    world.tick(8.9)
    assert world.series().state is SeriesState.RECEIVING
    world.tick(9)
    assert world.series().state is SeriesState.COMPLETE
    assert world.series().revision == 1
