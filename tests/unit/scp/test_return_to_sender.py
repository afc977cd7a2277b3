"""``@sender`` as a destination."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config import Peer, PipelineSettings, Route, Settings
from pipeline.products import Form, Product
from scp.engine.engine import Engine
from scp.engine.work import JobReport
from scp.ledger import DeliveryState, JobState, Ledger
from scp.ledger.jobs import job_lines, requeue
from scp.ledger.outbox import StoredResult
from scp.ledger.stories import ToldDelivery, results_of
from scp.return_to_sender import resolved
from scp.spool import Spool
from tests.unit.scp.test_engine import FakeCluster
from tests.unit.scp.test_ledger import index, make_job, received

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
RESULT = StoredResult("2.1", "1.2.840", "2.99", "1-x/01.dcm", "ab", Product.SEG, Form().key)


def peer(ae_title: str, role: str = "both") -> Peer:
    return Peer.model_validate(
        {"ae_title": ae_title, "host": "127.0.0.1", "port": 104, "role": role}
    )


@pytest.mark.parametrize(
    ("destinations", "sender", "names"),
    [
        (["@sender"], "PACS", ("pacs",)),
        (["@sender", "pacs"], "PACS", ("pacs",)),
        (["pacs", "@sender"], "SCANNER", ("pacs", "@sender")),
        (["@sender"], "STRANGER", ("@sender",)),
        (["pacs"], "STRANGER", ("pacs",)),
    ],
)
def test_the_sender_is_the_peer_of_its_ae_title_that_takes_results(
    destinations: list[str], sender: str, names: tuple[str, ...]
) -> None:
    """Each once; one that only sends does not count."""
    peers = {"ct": peer("SCANNER", "sender"), "pacs": peer("PACS")}
    assert resolved(destinations, sender, peers) == names


def settings(**peers: Peer) -> Settings:
    return Settings(
        pipelines={"chest": PipelineSettings.model_validate({"steps": [{"algorithm": "lungs"}]})},
        routes=(Route(name="a", pipelines=("chest",), destinations=("@sender",)),),
        peers=peers,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with one series from SENDER and its job."""
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.migrate()
        index(ledger, received(1), received(2))
        make_job(ledger, route="a")
        yield ledger


def work_off(ledger: Ledger, folder: Path, given: Settings) -> list[ToldDelivery]:
    """Run the job with a result; the deliveries that it has then."""
    cluster = FakeCluster()
    engine = Engine(ledger, Spool(folder / "spool"), given, folder / "results", cluster)
    engine.tick(NOW)
    done: Future[JobReport] = cluster.futures[0]
    (dialect,) = cluster.orders[0].dialects
    done.set_result(JobReport(results=(replace(RESULT, form=dialect.form.key),)))
    engine.tick(NOW)
    with ledger.read() as connection:
        assert [line.job.state for line in job_lines(connection)] == [JobState.DONE]
        ((result,),) = results_of(connection, 1).values()
    return list(result.deliveries)


def test_results_go_to_the_peer_that_sent_the_series(ledger: Ledger, tmp_path: Path) -> None:
    (only,) = work_off(ledger, tmp_path, settings(pacs=peer("SENDER")))
    assert (only.destination, only.state) == ("pacs", DeliveryState.PENDING)


def test_results_for_an_unknown_sender_are_set_aside_until_it_is_a_peer(
    ledger: Ledger, tmp_path: Path
) -> None:
    """The reason names the setting; after that a retry sends them, and nothing is left aside."""
    (aside,) = work_off(ledger, tmp_path, settings(other=peer("OTHER")))
    assert (aside.destination, aside.state) == ("@sender", DeliveryState.SET_ASIDE)
    assert "set peers.NAME with ae_title = 'SENDER' and role = 'both'" in aside.reason
    assert "'hounsfield retry 1'" in aside.reason
    with ledger.write() as connection:
        requeue(connection, 1)
    (only,) = work_off(ledger, tmp_path, settings(pacs=peer("SENDER")))
    assert (only.destination, only.state) == ("pacs", DeliveryState.PENDING)
