"""What a worker reports of a job, whatever happens in it."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import NothingFoundError
from pipeline.findings import Finding
from pipeline.plan import Pipeline, Step
from pipeline.products import Dialect, Product
from pipeline.volume import Volume
from scp.engine import work
from scp.engine.work import JobOrder, JobReport, run_job
from tests.support.every_kind import TIME, Source
from tests.support.own_algorithm import SHAPES, ShapesParameters, installed_with

DIALECT = Dialect(frozenset({Product.SEG, Product.NOTE}))


@pytest.fixture
def order(tmp_path: Path) -> JobOrder:
    """A job on a small CT series for a destination that wants notes."""
    return JobOrder(
        job_id=1,
        paths=tuple(Source(tmp_path / "source").write()),
        pipeline=Pipeline("test", (Step("shapes", ShapesParameters()),)),
        dialects=(DIALECT,),
        content_time=TIME,
        results_folder=tmp_path / "results",
    )


def report(order: JobOrder, error: Exception | None = None) -> JobReport:
    """Run a job whose algorithm works, or raises an error."""

    def analyse(volume: Volume, parameters: ShapesParameters) -> tuple[Finding, ...]:
        if error is not None:
            raise error
        return SHAPES.analyse(volume, parameters)

    with installed_with(replace(SHAPES, analyse=analyse)):
        return run_job(order, lambda _progress: None)


def test_a_refusal_is_reported_with_its_note(order: JobOrder) -> None:
    refused = report(order, NothingFoundError("Nothing is there."))
    assert refused.failure == "Nothing is there."
    assert [item.product for item in refused.results] == [Product.NOTE]


def test_another_refusal_has_a_note_of_its_own(order: JobOrder) -> None:
    """What is wrong with a series may change while its settings stay."""
    first = report(order, NothingFoundError("Nothing is there."))
    second = report(order, NothingFoundError("Nothing is there either."))
    again = report(order, NothingFoundError("Nothing is there."))
    assert second.failure == "Nothing is there either."
    assert again == first != second


def test_an_error_of_the_algorithm_is_no_error_of_the_disk(order: JobOrder) -> None:
    """It is told by its kind and place, and not by its message, which may quote a patient."""
    failed = report(order, FileNotFoundError(2, "No such file", "Smith.weights"))
    assert "FileNotFoundError" in failed.failure
    assert "kept" not in failed.failure
    assert "test_work.py" in failed.trace
    assert "Smith" not in f"{failed.failure}{failed.trace}"


def test_an_error_while_the_note_is_made_is_reported_too(
    order: JobOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is raised: a worker's exception would be logged with its message."""

    def fail(*_: object, **__: object) -> None:
        raise KeyError("Smith")

    monkeypatch.setattr(work, "notes_on", fail)
    failed = report(order, NothingFoundError("Nothing is there."))
    assert "KeyError" in failed.failure
    assert "Smith" not in failed.failure


def test_a_disk_that_takes_nothing_is_reported(order: JobOrder) -> None:
    order.results_folder.write_text("no folder")
    assert report(order).failure == "The results could not be kept: Not a directory."


def test_a_refusal_stands_where_the_note_cannot_be_kept(order: JobOrder) -> None:
    order.results_folder.write_text("no folder")
    refused = report(order, NothingFoundError("Nothing is there."))
    assert refused.failure.startswith("Nothing is there. No note of it could be made: ")
    assert refused.results == ()


def test_another_version_keeps_its_results_beside_those_of_before(
    order: JobOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade a job that was done can be run again."""
    first = report(order)
    monkeypatch.setattr("pipeline.encode.context.IMPLEMENTATION_VERSION_NAME", "HOUNSFIELD_NEXT")
    monkeypatch.setattr(work, "VERSION", "next")
    second = report(order)
    assert (first.failure, second.failure) == ("", "")
    uids = [{item.sop_instance_uid for item in each.results} for each in (first, second)]
    assert uids[0]
    assert uids[0].isdisjoint(uids[1])
