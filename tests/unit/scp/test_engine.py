"""From queued jobs to results in the outbox, with a cluster that is under our control."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from distributed import KilledWorker

from config import EngineSettings, Peer, PipelineSettings, Settings
from pipeline.products import USUAL_PRODUCTS, Form, Product
from scp.engine.engine import Engine
from scp.engine.work import JobOrder, JobReport
from scp.ledger import JobState, Ledger
from scp.ledger.jobs import JobLine, job_lines, requeue
from scp.ledger.outbox import StoredResult, claim_due
from scp.spool import Spool
from tests.unit.scp.test_ledger import index, make_job, received

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
RESULT = StoredResult("2.1", "1.2.840", "2.99", "1-x/01.dcm", "ab", Product.SEG, Form().key)


@dataclass
class FakeCluster:
    """Two workers whose jobs end when the test says so."""

    workers: int = 2
    orders: list[JobOrder] = field(default_factory=list)
    futures: list[Future[JobReport]] = field(default_factory=list)
    stopped: list[Any] = field(default_factory=list)
    stages: dict[int, str] = field(default_factory=dict)

    def stage(self, job_id: int) -> str:
        """What a job is at."""
        return self.stages.get(job_id, "")

    def submit(self, order: JobOrder) -> Any:
        """Begin a job."""
        self.orders.append(order)
        self.futures.append(Future())
        return self.futures[-1]

    def stop_job(self, future: Any) -> None:
        """End a job."""
        self.stopped.append(future)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with one series of two instances."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.migrate()
    index(ledger, received(1), received(2))
    yield ledger
    ledger.close()


@pytest.fixture
def cluster() -> FakeCluster:
    """A cluster under control."""
    return FakeCluster()


@pytest.fixture
def engine(tmp_path: Path, ledger: Ledger, cluster: FakeCluster) -> Engine:
    """An engine with the pipeline 'chest'."""
    settings = Settings(
        engine=EngineSettings(job_time_limit_s=60.0),
        pipelines={"chest": PipelineSettings.model_validate({"steps": [{"algorithm": "lungs"}]})},
    )
    return Engine(ledger, Spool(tmp_path / "spool"), settings, tmp_path / "results", cluster)


def line(ledger: Ledger, number: int = 1) -> JobLine:
    """A job as the ledger has it."""
    with ledger.read() as connection:
        return job_lines(connection)[number - 1]


def test_no_more_jobs_run_than_there_are_workers(
    engine: Engine, ledger: Ledger, cluster: FakeCluster
) -> None:
    """The third of three waits until a worker is free; the oldest goes first."""
    for name in ("a", "b", "c"):
        make_job(ledger, route=name)
    engine.tick(NOW)
    assert [order.job_id for order in cluster.orders] == [1, 2]
    cluster.futures[0].set_result(JobReport(results=(RESULT,)))
    engine.tick(NOW)
    assert [order.job_id for order in cluster.orders] == [1, 2, 3]
    assert line(ledger, 1).job.state is JobState.DONE


def test_results_and_outbox_are_written_with_the_end_of_the_job(
    engine: Engine, ledger: Ledger, cluster: FakeCluster
) -> None:
    """A job that is done has its deliveries waiting."""
    make_job(ledger)
    engine.tick(NOW)
    cluster.futures[0].set_result(JobReport(results=(RESULT,)))
    engine.tick(NOW)
    with ledger.read() as connection:
        (due,) = claim_due(connection, "pacs", NOW, NOW, 10)
    assert due.sop_instance_uid == "2.1"


def test_a_destination_is_sent_what_its_dialect_takes(
    engine: Engine, ledger: Ledger, cluster: FakeCluster
) -> None:
    """Of what all destinations want together, each gets its own kinds."""
    peer = {"ae_title": "PACS", "host": "127.0.0.1", "port": 104}
    engine.settings = engine.settings.model_copy(
        update={
            "peers": {
                "pacs": Peer.model_validate(peer),
                "viewer": Peer.model_validate(peer | {"dialect": {"kinds": ["picture"]}}),
            }
        }
    )
    make_job(ledger, destinations=("pacs", "viewer"))
    engine.tick(NOW)
    (order,) = cluster.orders
    assert {product for each in order.dialects for product in each.products} == {
        *USUAL_PRODUCTS,
        Product.PICTURE,
    }
    picture = replace(RESULT, sop_instance_uid="2.2", product=Product.PICTURE)
    cluster.futures[0].set_result(JobReport(results=(RESULT, picture)))
    engine.tick(NOW)
    assert due(ledger, "pacs") == ["2.1"]
    assert due(ledger, "viewer") == ["2.2"]


def test_a_note_on_a_refused_series_is_sent_and_the_job_has_failed(
    engine: Engine, ledger: Ledger, cluster: FakeCluster
) -> None:
    make_job(ledger)
    engine.tick(NOW)
    cluster.futures[0].set_result(JobReport(results=(RESULT,), failure="Slices are missing."))
    engine.tick(NOW)
    assert line(ledger).job.state is JobState.FAILED
    assert due(ledger, "pacs") == ["2.1"]


def test_what_a_later_run_would_not_send_is_taken_out_of_the_outbox(
    engine: Engine, ledger: Ledger, cluster: FakeCluster
) -> None:
    """The note on a failure does not follow the results of a later success."""
    make_job(ledger)
    engine.tick(NOW)
    cluster.futures[0].set_result(JobReport(results=(RESULT,), failure="Slices are missing."))
    engine.tick(NOW)
    with ledger.write() as connection:
        requeue(connection, 1)
    engine.tick(NOW)
    later = replace(RESULT, sop_instance_uid="2.3")
    cluster.futures[1].set_result(JobReport(results=(later,)))
    engine.tick(NOW)
    assert due(ledger, "pacs") == ["2.3"]


def test_settings_changed_to_and_fro_give_the_times_of_before(
    engine: Engine, ledger: Ledger, cluster: FakeCluster
) -> None:
    """The same results again have the same bytes, whatever was run in between."""
    make_job(ledger)
    before = engine.settings
    other = PipelineSettings.model_validate({"steps": [{"algorithm": "sliding-mip"}]})
    times = []
    for number, pipeline in enumerate((None, other, None)):
        changed = {"pipelines": {"chest": pipeline}} if pipeline else {}
        engine.settings = before.model_copy(update=changed)
        engine.tick(NOW + timedelta(hours=number))
        times.append(cluster.orders[-1].content_time)
        cluster.futures[-1].set_result(JobReport(results=()))
        engine.tick(NOW + timedelta(hours=number))
        with ledger.write() as connection:
            requeue(connection, 1)
    assert times == [NOW, NOW + timedelta(hours=1), NOW]


def test_a_result_with_other_bytes_than_before_is_not_sent(
    engine: Engine, ledger: Ledger, cluster: FakeCluster
) -> None:
    """One SOP Instance UID never stands for two objects."""
    make_job(ledger)
    engine.tick(NOW)
    cluster.futures[0].set_result(JobReport(results=(RESULT,)))
    engine.tick(NOW)
    with ledger.write() as connection:
        requeue(connection, 1)
    engine.tick(NOW)
    cluster.futures[1].set_result(JobReport(results=(replace(RESULT, sha256="cd"),)))
    engine.tick(NOW)
    job = line(ledger).job
    assert job.state is JobState.FAILED
    assert "other bytes" in job.reason


def due(ledger: Ledger, destination: str) -> list[str]:
    """SOP Instance UIDs that wait for a destination."""
    with ledger.read() as connection:
        return [item.sop_instance_uid for item in claim_due(connection, destination, NOW, NOW, 9)]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (JobReport(failure="The slices make no volume."), "The slices make no volume."),
        (KilledWorker("task", None, 3), "lost its worker"),
        (ValueError("PATIENT^NAME"), "ValueError"),
    ],
    ids=["refused", "worker lost", "engine error"],
)
def test_a_job_that_ends_badly_says_why(
    engine: Engine, ledger: Ledger, cluster: FakeCluster, end: Any, words: str
) -> None:
    """The reason is in the ledger, and quotes no exception's message."""
    make_job(ledger)
    engine.tick(NOW)
    if isinstance(end, JobReport):
        cluster.futures[0].set_result(end)
    else:
        cluster.futures[0].set_exception(end)
    engine.tick(NOW)
    job = line(ledger).job
    assert job.state is JobState.FAILED
    assert words in job.reason
    assert "PATIENT" not in job.reason


def test_a_job_over_its_time_is_stopped(
    engine: Engine, ledger: Ledger, cluster: FakeCluster
) -> None:
    """Its worker is freed, and the reason names the setting."""
    make_job(ledger)
    engine.tick(NOW)
    engine.tick(NOW + timedelta(seconds=61))
    assert cluster.stopped == cluster.futures
    assert "engine.job_time_limit_s" in line(ledger).job.reason


def test_a_pipeline_that_was_taken_out_of_the_settings_fails_the_job(
    engine: Engine, ledger: Ledger
) -> None:
    """The reason says how to mend it."""
    make_job(ledger, pipeline="gone")
    engine.tick(NOW)
    assert "hounsfield retry 1" in line(ledger).job.reason


def test_a_restart_submits_again_with_the_same_time(
    engine: Engine, ledger: Ledger, cluster: FakeCluster, tmp_path: Path
) -> None:
    """A second node on the same ledger gives the job the content time of the first attempt."""
    make_job(ledger)
    engine.tick(NOW)
    again = Engine(ledger, Spool(tmp_path), engine.settings, tmp_path / "results", cluster)
    again.recover()
    again.tick(NOW + timedelta(hours=2))
    first, second = cluster.orders
    assert first.content_time == second.content_time == NOW
    assert first.folder_name == second.folder_name
    assert line(ledger).job.attempts == 2


def test_a_retried_job_runs_again(engine: Engine, ledger: Ledger, cluster: FakeCluster) -> None:
    """A failed job that a person queues again is submitted at the next tick."""
    make_job(ledger)
    engine.tick(NOW)
    cluster.futures[0].set_result(JobReport(failure="broken"))
    engine.tick(NOW)
    with ledger.write() as connection:
        requeue(connection, 1)
    engine.tick(NOW)
    assert len(cluster.orders) == 2


def test_stages_are_noted_while_a_job_runs(
    engine: Engine, ledger: Ledger, cluster: FakeCluster
) -> None:
    """What a running job is at can be read in the ledger."""
    make_job(ledger)
    engine.tick(NOW)
    cluster.stages[1] = "rebuild 3/9"
    engine.tick(NOW)
    assert line(ledger).job.stage == "rebuild 3/9"


def test_a_job_that_cannot_be_submitted_stays_queued(
    engine: Engine, ledger: Ledger, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster is gone: the job waits for it instead of seeming to run."""
    make_job(ledger)

    def fail(_order: JobOrder) -> None:
        raise OSError("no cluster")

    monkeypatch.setattr(cluster, "submit", fail)
    with pytest.raises(OSError, match="no cluster"):
        engine.tick(NOW)
    assert line(ledger).job.state is JobState.QUEUED


def test_results_go_where_the_route_leads_now(
    tmp_path: Path, ledger: Ledger, cluster: FakeCluster
) -> None:
    """A route that was changed after the job was made holds for its results."""
    settings = Settings.model_validate(
        {
            "pipelines": {"chest": {"steps": [{"algorithm": "lungs"}]}},
            "routes": [{"name": "all", "pipelines": ["chest"], "destinations": ["archive"]}],
        }
    )
    engine = Engine(ledger, Spool(tmp_path / "spool"), settings, tmp_path / "results", cluster)
    make_job(ledger)
    engine.tick(NOW)
    cluster.futures[0].set_result(JobReport(results=(RESULT,)))
    engine.tick(NOW)
    with ledger.read() as connection:
        assert claim_due(connection, "pacs", NOW, NOW, 10) == []
        assert len(claim_due(connection, "archive", NOW, NOW, 10)) == 1
