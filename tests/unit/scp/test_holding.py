"""Holding series, releasing them, and who goes first."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from config import AeTitle, NodeSettings, PipelineSettings, Route, Settings
from scp.cli import main
from scp.collect import Collector
from scp.ledger import JobState, Ledger
from scp.ledger.jobs import JobLine, job_lines, queued_jobs, start_job
from scp.ledger.series import index_instances
from scp.spool import Spool
from scp.state_folder import StateFolder
from tests.unit.scp.test_collect import NOW, row, timedelta
from tests.unit.scp.test_ledger import make_job


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A settings file whose state folder has a ledger."""
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    file = tmp_path / "site.toml"
    file.write_text(f'[node]\nstate = "{folder.path}"\n')
    return file


@pytest.fixture
def ledger(site: Path) -> Iterator[Ledger]:
    """The ledger of that state folder, with one series of two instances."""
    with closing(Ledger(StateFolder(site.parent / "state").ledger)) as ledger:
        ledger.migrate()
        with ledger.write() as connection:
            index_instances(connection, [row(1), row(2)])
        yield ledger


def run(site: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(site)])


def lines(ledger: Ledger) -> list[JobLine]:
    with ledger.read() as connection:
        return job_lines(connection)


def states(ledger: Ledger) -> list[JobState]:
    return [line.job.state for line in lines(ledger)]


def test_a_series_on_hold_waits_until_it_is_released(site: Path, ledger: Ledger) -> None:
    """Its queued jobs are not taken by the engine; the reason names the way out."""
    make_job(ledger)
    answer = run(site, "hold", "1.2")
    assert (answer.exit_code, answer.output) == (0, "Series 1.2 is on hold, with 1 queued jobs.\n")
    with ledger.read() as connection:
        assert queued_jobs(connection, 10) == []
    assert "'hounsfield release 1.2'" in lines(ledger)[0].job.reason
    assert run(site, "release", "1.2").output == "Series 1.2 is released, 1 jobs are queued.\n"
    (line,) = lines(ledger)
    assert (line.job.state, line.job.reason) == (JobState.QUEUED, "")


def test_a_job_that_runs_is_not_held(site: Path, ledger: Ledger) -> None:
    make_job(ledger)
    with ledger.write() as connection:
        (job,) = queued_jobs(connection, 1)
        start_job(connection, job, "digest", NOW)
    assert "with 0 queued jobs" in run(site, "hold", "1.2").output
    assert states(ledger) == [JobState.RUNNING]


def test_jobs_that_are_still_to_come_of_a_series_on_hold_are_held_too(
    site: Path, ledger: Ledger, tmp_path: Path
) -> None:
    """And released with it."""
    run(site, "hold", "1.2")
    spool = Spool(tmp_path / "spool")
    spool.prepare()
    settings = Settings(
        node=NodeSettings(ae_title=AeTitle("HOUNSFIELD")),
        pipelines={"chest": PipelineSettings.model_validate({"steps": [{"algorithm": "lungs"}]})},
        routes=(Route(name="a", pipelines=("chest",), quiet_time_s=5),),
    )
    collector = Collector(ledger, spool, settings, lambda: NOW, lambda: None)
    collector.tick(NOW + timedelta(seconds=5))
    assert states(ledger) == [JobState.HELD]
    assert run(site, "release", "1.2").exit_code == 0
    assert states(ledger) == [JobState.QUEUED]


@pytest.mark.parametrize(
    ("command", "uid", "words"),
    [
        ("hold", "9.9", "No instance of series 9.9 has come"),
        ("release", "1.2", "Nothing of series 1.2 is held"),
    ],
)
def test_what_cannot_be_held_or_released_says_why(
    site: Path, ledger: Ledger, command: str, uid: str, words: str
) -> None:
    answer = run(site, command, uid)
    assert answer.exit_code == 1
    assert words in answer.output
    assert states(ledger) == []


def test_stat_jobs_go_before_all_routine_ones_that_wait(ledger: Ledger) -> None:
    """Among themselves the oldest first."""
    for name, is_stat in (("a", False), ("b", True), ("c", False), ("d", True)):
        make_job(ledger, route=name, is_stat=is_stat)
    with ledger.read() as connection:
        assert [job.route for job in queued_jobs(connection, 3)] == ["b", "d", "a"]
