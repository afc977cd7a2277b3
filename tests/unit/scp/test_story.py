"""The story of a series, as a person and a program are told it."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.products import Dialect, Form, Product
from scp.cli import main
from scp.collect import Collector
from scp.ledger import AssociationEnd, Ledger
from scp.ledger.associations import EndedAssociation, SendingAssociation, record_end
from scp.ledger.jobs import finish_job
from scp.ledger.outbox import StoredResult, record_results
from scp.ledger.series import index_instances
from scp.spool import Spool
from scp.state_folder import StateFolder
from tests.unit.scp.test_collect import NOW, route, row, settings

SENDER = SendingAssociation("a" * 32, "SENDER", "HOUNSFIELD", "10.0.0.1", 100, NOW)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """The settings of a node that has made results of a series of two instances."""
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    file = tmp_path / "site.toml"
    file.write_text(f'[node]\nstate = "{folder.path}"\n')
    with closing(Ledger(folder.ledger)) as ledger:
        ledger.migrate()
        make_results(ledger, Spool(folder.spool))
        yield file


def make_results(ledger: Ledger, spool: Spool) -> None:
    """Receive, conclude, finish and put out, as a node does."""
    spool.prepare()
    with ledger.write() as connection:
        index_instances(connection, [row(1, association=SENDER), row(2, association=SENDER)])
        record_end(connection, EndedAssociation(SENDER.id, AssociationEnd.RELEASED, NOW))
    collector = Collector(ledger, spool, settings(route("a", 5)), lambda: NOW, lambda: None)
    collector.tick(NOW + timedelta(seconds=5))
    stored = StoredResult("2.1", "1.2.840", "2.9", "1/01.dcm", "ab", Product.SEG, Form().key)
    with ledger.write() as connection:
        pacs = {"pacs": Dialect(form=Form())}
        record_results(connection, 1, [stored], pacs, NOW)
        finish_job(connection, 1, [], NOW + timedelta(seconds=9))


def tell(site: Path, *arguments: str) -> str:
    answer = CliRunner().invoke(main, ["series", *arguments, "--config", str(site)])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_a_program_is_told_everything(site: Path) -> None:
    """Instances, associations, verdict and evidence, job, result, delivery; times in UTC."""
    (story,) = json.loads(tell(site, "1.2", "--json"))
    assert (story["state"], story["instances"], story["changed_instances"]) == ("complete", 2, 0)
    (association,) = story["associations"]
    assert (association["end"], association["instances"]) == ("released", 2)
    assert association["ended_at"] == NOW.isoformat()
    (job,) = story["jobs"]
    assert job["completeness"]["because"] == "quiet"
    facts = [each["fact"] for each in job["completeness"]["evidence"]]
    assert facts == ["quiet time", "associations", "sender", "limit"]
    (result,) = job["results"]
    assert (result["sop_instance_uid"], result["product"]) == ("2.1", "seg")
    assert [each["destination"] for each in result["deliveries"]] == ["pacs"]
    assert result["deliveries"][0]["state"] == "pending"


def test_a_person_reads_it_in_the_order_it_happened(site: Path) -> None:
    told = tell(site, "1.2")
    words = [
        "Series 1.2 (CT) to HOUNSFIELD",
        "complete, revision 1",
        "2 instances, first",
        "association of SENDER at 10.0.0.1: 2 instances",
        "Job 1, revision 1: route a, pipeline chest",
        "complete by quiet:",
        "quiet time: 5.0 s of 5 s",
        "results: 1 of seg",
        "to pacs: 1 pending",
    ]
    places = [told.index(each) for each in words]
    assert places == sorted(places)


def test_a_series_that_never_came_says_so(site: Path) -> None:
    answer = CliRunner().invoke(main, ["series", "9.9", "--config", str(site)])
    assert answer.exit_code == 1
    assert "No instance of series 9.9 has come" in answer.output
