"""Which files are volumes, which jobs they make, and how results are put in place."""

from pathlib import Path

import pytest

from pipeline.dataset.batch import Done, Job, perform, plan_volumes
from pipeline.dataset.files import find_volumes, prefix_of, replacing
from pipeline.errors import NothingFoundError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def write_half(path: Path) -> None:
    path.write_bytes(b"sec")
    raise ValueError("half")


def do_nothing(path: Path) -> Done:
    return Done((path,))


def test_prefix_is_the_name_without_the_ending() -> None:
    """Dots within stay."""
    assert prefix_of(Path("in/case.01.nii.gz")) == "case.01"
    assert prefix_of(Path("case.nii")) == "case"
    with pytest.raises(ValueError, match=r"case\.mha"):
        prefix_of(Path("case.mha"))


def test_volumes_are_the_nifti_files_of_the_folder_by_name(tmp_path: Path) -> None:
    """No sub-folder, no other kind, no hidden part of another file."""
    names = ("b.nii", "a.nii.gz", "c.txt", "._a.nii.gz", "deeper/d.nii")
    touch(*(tmp_path / name for name in names))
    (tmp_path / "folder.nii").mkdir()
    assert find_volumes(tmp_path) == (tmp_path / "a.nii.gz", tmp_path / "b.nii")
    assert find_volumes(tmp_path / "b.nii") == (tmp_path / "b.nii",)


def test_nothing_to_work_on_is_an_error(tmp_path: Path) -> None:
    """As the seeds have it."""
    touch(tmp_path / "notes.txt")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "missing.nii"):
        with pytest.raises(FileNotFoundError, match=path.name):
            find_volumes(path)
    with pytest.raises(ValueError, match=r"notes\.txt"):
        find_volumes(tmp_path / "notes.txt")


def test_files_with_one_prefix_do_not_replace_each_others_results(tmp_path: Path) -> None:
    """Both fail by name; the rest goes on."""
    touch(*(tmp_path / "in" / name for name in ("a.nii", "a.nii.gz", "b.nii")))
    jobs = plan_volumes(tmp_path / "in", tmp_path / "out", do_nothing, 1)
    plain, compressed, other = (perform(job) for job in jobs)
    for outcome in (plain, compressed):
        assert outcome.result is None
        assert "a.nii.gz" in outcome.reason
    assert other.result == Done((tmp_path / "in" / "b.nii",))


def test_results_do_not_lie_among_the_volumes(tmp_path: Path) -> None:
    """The next run would take them for volumes; beside a single file they may lie."""
    touch(tmp_path / "a.nii")
    with pytest.raises(ValueError, match="other than"):
        plan_volumes(tmp_path, tmp_path / "." / "", do_nothing, 1)
    with pytest.raises(ValueError, match="a file"):
        plan_volumes(tmp_path, tmp_path / "a.nii", do_nothing, 1)
    assert len(plan_volumes(tmp_path / "a.nii", tmp_path, do_nothing, 1)) == 1


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a.nii: it is cut short"),
        FileNotFoundError("a.nii: no such file"),
        OSError(28, "No space left on device", "a.nii"),
        NothingFoundError("there is no lung"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_jobs_failure_becomes_its_reason(error: Exception) -> None:
    """Every reason names the file."""

    def fail() -> Done:
        raise error

    outcome = perform(Job(Path("a.nii"), fail, 0))
    assert outcome.result is None
    assert "a.nii" in outcome.reason


def test_a_bug_is_not_a_reason() -> None:
    """Who runs the jobs says where it comes from."""

    def fail() -> Done:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        perform(Job(Path("a.nii"), fail, 0))


def test_a_result_appears_when_it_is_whole(tmp_path: Path) -> None:
    """A failure on the way leaves the former one."""
    target = tmp_path / "deep" / "a.npy"
    with replacing(target) as part:
        part.write_bytes(b"first")
        assert not target.exists()
    assert target.read_bytes() == b"first"
    with pytest.raises(ValueError, match="half"), replacing(target) as part:
        write_half(part)
    assert target.read_bytes() == b"first"
    assert list(target.parent.iterdir()) == [target]
