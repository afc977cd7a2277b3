"""When a series is complete, and what becomes of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

from config import AeTitle, NodeSettings, PipelineSettings, Route, Settings
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.products import Form, Product
from scp.collect import Collector
from scp.conclude import why_no_slices
from scp.ledger import AssociationEnd, JobState, Ledger, SeriesState
from scp.ledger.associations import (
    EndedAssociation,
    SendingAssociation,
    record_end,
    transmissions_of,
)
from scp.ledger.jobs import JobLine, input_names, job_lines
from scp.ledger.outbox import StoredResult, record_results
from scp.ledger.series import IndexedInstance, ReceivedInstance, Series, all_series, index_instances
from scp.spool import Spool
from tests.support.waiting import wait_for
from tests.unit.scp.test_associations import receiving

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


def route(name: str, quiet_time_s: float, modality: str = "CT", **further: object) -> Route:
    """A route for a modality."""
    return Route.model_validate(
        {
            "name": name,
            "pipelines": ("chest",),
            "quiet_time_s": quiet_time_s,
            "match": {"modality": modality},
        }
        | further
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
        self.spool_folder = folder / "spool"
        spool = Spool(self.spool_folder)
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

    def tick_in_reality(self, after_s: float) -> None:
        """Let the collector look at a time after this very moment."""
        self.collector.tick(datetime.now(UTC) + timedelta(seconds=after_s))

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
    assert why_no_slices([report, image]) == ""
    assert "Comprehensive 3D SR" in why_no_slices([report])


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


def test_a_route_of_evidence_runs_before_its_quiet_time(make_world: WorldMaker) -> None:
    """Real headers, a real association: even positions and a release are enough."""
    world = make_world(route("a", 3600, finish="evidence"))
    with receiving(world.ledger, world.spool_folder) as port:
        store_phantom(port, slices=4)
        wait_for("the release in the ledger", lambda: _ends(world.ledger))
    world.tick_in_reality(after_s=0.5)
    assert world.series().state is SeriesState.RECEIVING
    world.tick_in_reality(after_s=1.5)
    (line,) = world.jobs()
    told = line.job.completeness
    assert told is not None
    facts = {each["fact"]: each["value"] for each in told["evidence"]}
    assert (told["outcome"], told["because"]) == ("complete", "evidence")
    assert facts["associations"] == "1 released"
    assert facts["positions"].startswith("4 positions, 80.00 mm apart")


def test_an_instance_that_cannot_be_read_leaves_it_to_the_quiet_time(
    make_world: WorldMaker,
) -> None:
    """No file stands behind these rows, and no association: nothing is proven."""
    world = make_world(route("a", 5, finish="evidence"))
    world.receive(row(1), row(2))
    world.tick(4.9)
    assert world.series().state is SeriesState.RECEIVING
    world.tick(5)
    (line,) = world.jobs()
    assert line.job.completeness is not None
    assert line.job.completeness["because"] == "quiet"


def test_a_restless_series_is_held_at_the_limit_and_a_later_revision_takes_its_place(
    make_world: WorldMaker,
) -> None:
    """Its job waits for a person, who is told how to release it."""
    world = make_world(route("a", 5, limit_s=10, at_limit="hold"))
    world.receive(*(row(n, received_at=NOW + timedelta(seconds=4 * n)) for n in range(3)))
    world.tick(10)
    (line,) = world.jobs()
    assert line.job.state is JobState.HELD
    assert "within limit_s = 10 s; 'hounsfield release 1.2'" in line.job.reason
    world.receive(row(3, received_at=NOW + timedelta(seconds=12)))
    world.tick(17)
    first, second = world.jobs()
    assert (first.job.state, second.job.state) == (JobState.FAILED, JobState.QUEUED)
    assert "Superseded by revision 2" in first.job.reason


@pytest.mark.parametrize(("changed", "used"), [("first", "name-1"), ("last", "name-3")])
def test_the_version_that_the_route_names_is_used_of_a_changed_instance(
    make_world: WorldMaker, changed: str, used: str
) -> None:
    """And the job keeps which instance it was."""
    world = make_world(route("a", 5, changed=changed))
    world.receive(row(1), row(2), row(3, sop_instance_uid="1.2.1"))
    world.tick(5)
    (line,) = world.jobs()
    with world.ledger.read() as connection:
        names = input_names(connection, line.job.id)
    assert (line.job.state, names) == (JobState.QUEUED, sorted([used, "name-2"]))
    assert line.job.completeness is not None
    assert line.job.completeness["changed"] == {
        "policy": changed,
        "instances": 1,
        "sop_instance_uids": ["1.2.1"],
    }


@pytest.mark.parametrize(("changed", "jobs"), [("first", 1), ("last", 2)])
def test_a_late_version_that_is_not_used_makes_no_job(
    make_world: WorldMaker, changed: str, jobs: int
) -> None:
    """The same instances would give the same results once more."""
    world = make_world(route("a", 5, changed=changed))
    world.receive(row(1), row(2))
    world.tick(5)
    world.receive(row(3, sop_instance_uid="1.2.1", received_at=NOW + timedelta(seconds=20)))
    world.tick(25)
    assert (len(world.jobs()), world.series().state) == (jobs, SeriesState.COMPLETE)


def store_phantom(port: int, slices: int) -> None:
    """C-STORE a phantom over one association, and release it."""
    entity = AE("SCANNER")
    entity.add_requested_context(CT, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title="HOUNSFIELD")
    for image in phantom_instances(chest_phantom(slices=slices, size=8)):
        assert association.send_c_store(image).Status == 0
    association.release()


def _ends(ledger: Ledger) -> list[object]:
    with ledger.read() as connection:
        return [each.end for each in transmissions_of(connection, 1) if each.end]


def test_doubts_are_looked_at_seldom_and_still_end_at_the_limit(make_world: WorldMaker) -> None:
    """An aborted association keeps the series open; looking costs, so it is done now and then."""
    world = make_world(route("a", 5, finish="evidence", limit_s=60, at_limit="hold"))
    sender = SendingAssociation("a" * 32, "SENDER", "HOUNSFIELD", "10.0.0.1", 1, NOW)
    world.receive(row(1, association=sender), row(2, association=sender))
    with world.ledger.write() as connection:
        record_end(connection, EndedAssociation(sender.id, AssociationEnd.ABORTED, NOW))
    for tenths in range(599):
        world.tick(tenths / 10)
    assert world.series().state is SeriesState.RECEIVING
    world.tick(60)
    assert [line.job.state for line in world.jobs()] == [JobState.HELD]


def test_a_resend_that_makes_good_an_aborted_one_ends_the_wait(make_world: WorldMaker) -> None:
    """Though the same instances came again and nothing is new."""
    world = make_world(route("a", 5, finish="evidence"))
    first = SendingAssociation("a" * 32, "SENDER", "HOUNSFIELD", "10.0.0.1", 1, NOW)
    again = replace(first, id="b" * 32, began_at=NOW + timedelta(seconds=20))
    world.receive(row(1, association=first))
    with world.ledger.write() as connection:
        record_end(connection, EndedAssociation(first.id, AssociationEnd.LOST, NOW))
    world.tick(20)
    assert world.series().state is SeriesState.RECEIVING
    world.receive(row(1, association=again, received_at=again.began_at))
    with world.ledger.write() as connection:
        record_end(connection, EndedAssociation(again.id, AssociationEnd.RELEASED, again.began_at))
    world.tick(24.9)
    assert world.series().state is SeriesState.RECEIVING
    world.tick(25)
    assert (world.series().state, world.series().revision) == (SeriesState.COMPLETE, 1)
