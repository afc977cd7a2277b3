"""Results are kept all or none, and what was kept once stays."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pipeline.encode.part10 import set_file_meta
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.products import Form, Product
from pipeline.results import ResultSeries
from scp.engine.keep import UnequalResultsError, discard_drafts, keep_results


def series(description: str = "Slices", count: int = 40) -> ResultSeries:
    """Some images."""
    images = list(phantom_instances(chest_phantom(slices=count, size=16)))
    for image in images:
        image.SeriesDescription = description
        set_file_meta(image)
    return ResultSeries(Product.SERIES, Form().key, images)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_recorded_of_a_result_is_what_its_file_holds(tmp_path: Path) -> None:
    """Every instance has a file, and its digest is the file's."""
    stored = keep_results(tmp_path, "7-ab", [series(), series("More", 2)])
    assert [item.file for item in stored] == files(tmp_path)
    assert len(stored) == 42
    for item in stored:
        assert hashlib.sha256((tmp_path / item.file).read_bytes()).hexdigest() == item.sha256


def test_the_same_results_again_change_nothing(tmp_path: Path) -> None:
    first = keep_results(tmp_path, "7-ab", [series()])
    assert keep_results(tmp_path, "7-ab", [series()]) == first
    assert files(tmp_path) == [item.file for item in first]


def test_other_results_under_the_same_name_are_refused(tmp_path: Path) -> None:
    """What was kept, and may have been sent, stays as it was."""
    (first,) = keep_results(tmp_path, "7-ab", [series(count=1)])
    before = (tmp_path / first.file).read_bytes()
    for others in ([series("Other", 1)], [series(count=2)]):
        with pytest.raises(UnequalResultsError, match="other results than before"):
            keep_results(tmp_path, "7-ab", others)
    assert (tmp_path / first.file).read_bytes() == before
    assert files(tmp_path) == [first.file]


class BreakingOff(Sequence[Dataset]):
    """Images of which only the first can be made."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: object) -> Dataset:  # type: ignore[override]
        raise NotImplementedError

    def __iter__(self) -> Iterator[Dataset]:
        yield series(count=1).instances[0]
        raise ValueError("no more")


def test_nothing_is_kept_of_a_series_that_breaks_off(tmp_path: Path) -> None:
    broken = ResultSeries(Product.SERIES, Form().key, BreakingOff())
    with pytest.raises(ValueError, match="no more"):
        keep_results(tmp_path, "7-ab", [broken])
    assert files(tmp_path) == []


def test_a_job_without_results_makes_no_folder(tmp_path: Path) -> None:
    assert keep_results(tmp_path, "7-ab", []) == ()
    assert list(tmp_path.iterdir()) == []


def test_drafts_of_a_killed_worker_are_discarded(tmp_path: Path) -> None:
    (tmp_path / ".draft-7-ab.123").mkdir()
    (tmp_path / "7-ab").mkdir()
    discard_drafts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["7-ab"]
