"""The commands on folders of volumes, and how their jobs are spread over processes."""

import json
import os
import signal
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipeline.dataset import Job
from pipeline.phantom import chest_phantom, write_phantom
from scp.cli import main
from scp.dataset_run import run_jobs
from tests.support import nifti
from tests.support.segmentation import affine_of

SHAPE = (12, 13, 14)


def invoke(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good volumes, and a broken one between them."""
    folder = tmp_path / "in"
    for name, affine in (("a.nii.gz", nifti.PLAIN), ("c.nii", nifti.OBLIQUE)):
        nifti.write_nifti(folder / name, nifti.smooth_voxels(SHAPE, 1).astype(np.int16), affine)
    (folder / "b.nii.gz").write_bytes(b"broken")
    return folder


@pytest.mark.parametrize("command", ["mip", "brain-mask", "lungs", "prepare", "evaluate"])
def test_every_command_explains_itself(command: str) -> None:
    """--help names the usage and has a sentence."""
    answer = invoke(command, "--help")
    assert answer.exit_code == 0
    assert f"{command} [OPTIONS]" in answer.output
    assert len(answer.output.splitlines()) > 5


def test_a_broken_file_stops_no_other(tmp_path: Path, folder: Path) -> None:
    """The others are done, it is named, and the exit status is not 0."""
    answer = invoke("mip", folder, tmp_path / "out", "--view", "all", "--window", "2")
    assert answer.exit_code == 1
    assert "2 of 3 done" in answer.stdout
    assert "b.nii.gz" in answer.stderr
    assert "Traceback" not in answer.output
    assert files_below(tmp_path / "out") == [
        f"{case}/{view}/{case}_mip_{view}.nii.gz"
        for case in "ac"
        for view in ("axial", "coronal", "sagittal")
    ]


def test_saving_mode_view_gives_one_folder_a_view(tmp_path: Path, folder: Path) -> None:
    """And the other options arrive."""
    (folder / "b.nii.gz").unlink()
    answer = invoke(
        *("mip", folder, tmp_path / "out", "--saving-mode", "view", "--view", "coronal"),
        *("--projection", "minimum", "--format", "nii", "--array-axes", "--window", "30"),
    )
    assert answer.exit_code == 0, answer.output
    assert files_below(tmp_path / "out") == [
        *("coronal/a_minip_coronal.nii", "coronal/c_minip_coronal.nii"),
    ]
    voxels = np.asanyarray(nibabel.load(folder / "c.nii").dataobj)
    found = np.asanyarray(
        nibabel.load(tmp_path / "out" / "coronal" / "c_minip_coronal.nii").dataobj
    )
    assert np.array_equal(found, np.broadcast_to(voxels.min(axis=1)[:, None], SHAPE))


def test_brain_masks_of_one_file(folder: Path) -> None:
    """Beside the file, if one likes."""
    answer = invoke("brain-mask", folder / "a.nii.gz", folder, "--threshold", "500", "2500")
    assert answer.exit_code == 0, answer.output
    assert nibabel.load(folder / "a_brain_mask.nii.gz").get_data_dtype() == np.uint8


@pytest.mark.parametrize(
    "arguments",
    [
        ("mip", "--window", "0"),
        ("mip", "--view", "top"),
        ("mip", "--saving-mode", "flat"),
        ("brain-mask", "--threshold", "300", "50"),
        ("brain-mask", "--closing-radius", "-1"),
        ("lungs", "--format", "mha"),
        ("lungs", "--workers", "0"),
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_a_usage_error(
    tmp_path: Path, folder: Path, arguments: tuple[str, ...]
) -> None:
    """Exit status 2, before anything is written."""
    command, *options = arguments
    answer = invoke(command, folder, tmp_path / "out", *options)
    assert answer.exit_code == 2
    assert options[0].removeprefix("--") in answer.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["mip", "brain-mask", "lungs", "prepare", "evaluate"])
def test_a_missing_folder_is_named(tmp_path: Path, command: str) -> None:
    """A sentence, no traceback."""
    answer = invoke(command, tmp_path / "missing", tmp_path / "out")
    assert answer.exit_code == 1
    assert "missing" in answer.stderr
    assert "Traceback" not in answer.output


def test_lungs_then_evaluate(tmp_path: Path) -> None:
    """A chest in NIfTI, its labels, and the labels compared with the truth."""
    phantom = chest_phantom(slices=40, size=128)
    affine = affine_of(phantom)
    nifti.write_nifti(tmp_path / "in" / "chest.nii.gz", phantom.voxels_hu.T, affine)
    answer = invoke("lungs", tmp_path / "in", tmp_path / "out")
    assert answer.exit_code == 0, answer.output
    truth = phantom.right + 2 * phantom.left.astype(np.uint8)
    nifti.write_nifti(tmp_path / "truth" / "chest_lungs.nii", truth.T, affine)
    table = invoke("evaluate", tmp_path / "out", tmp_path / "truth")
    assert table.exit_code == 0
    assert "chest_lungs.nii.gz" in table.stdout
    answer = invoke("evaluate", tmp_path / "out", tmp_path / "truth", "--json")
    document = json.loads(answer.stdout)
    right, left = document["comparisons"][0]["labels"]
    assert (right["label"], left["label"]) == (1, 2)
    assert right["dice"] > 0.9
    assert left["dice"] > 0.9
    assert document["failures"] == []


def test_evaluate_lists_what_it_could_not_compare(tmp_path: Path, folder: Path) -> None:
    """In the JSON and on standard error; what is not defined is null."""
    empty, full = np.zeros(SHAPE, np.uint8), np.ones(SHAPE, np.uint8)
    nifti.write_nifti(tmp_path / "p" / "a.nii", empty)
    nifti.write_nifti(tmp_path / "t" / "a.nii", full)
    nifti.write_nifti(tmp_path / "t" / "b.nii", full)
    answer = invoke("evaluate", tmp_path / "p", tmp_path / "t", "--json")
    assert answer.exit_code == 1
    document = json.loads(answer.stdout)
    (label,) = document["comparisons"][0]["labels"]
    assert label["dice"] == 0
    assert label["hausdorff_mm"] is None
    assert "b.nii" in document["failures"][0]["reason"]
    assert "b.nii" in answer.stderr
    assert invoke("evaluate", folder / "a.nii.gz", folder / "b.nii.gz").exit_code == 1


def test_prepare_writes_arrays_and_names_what_failed(tmp_path: Path) -> None:
    """A case and a folder that is none."""
    write_phantom(tmp_path / "root" / "case", chest_phantom(slices=40, size=128))
    (tmp_path / "root" / "other").mkdir()
    (tmp_path / "root" / "other" / "notes.txt").write_text("no DICOM")
    answer = invoke("prepare", tmp_path / "root", tmp_path / "out", "--use-existing")
    assert answer.exit_code == 1
    assert "1 of 2 done" in answer.stdout
    assert "other" in answer.stderr
    assert files_below(tmp_path / "out") == ["case_clean.npy", "case_label.npy"]


def die() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def raise_unforeseen() -> int:
    raise ZeroDivisionError("a bug")


def test_a_process_that_dies_takes_one_job_with_it() -> None:
    """The jobs before and after it are done, by other processes, and come back in order."""
    parent = os.getpid()
    jobs = [
        Job(Path("first"), os.getpid, 0),
        Job(Path("killed"), die, 0),
        Job(Path("second"), os.getpid, 0),
        Job(Path("wrong"), raise_unforeseen, 0),
        Job(Path("third"), partial(max, 3, 4), 0),
    ]
    first, killed, second, wrong, third = run_jobs(jobs, "Testing", workers=2)
    assert first.result not in (None, parent)
    assert second.result not in (None, parent)
    assert third.result == 4
    assert killed.result is None
    assert "killed" in killed.reason
    assert "memory" in killed.reason
    assert "wrong: ZeroDivisionError: a bug" in wrong.reason


def test_small_work_stays_in_this_process() -> None:
    """A process would take longer to start."""
    jobs = [Job(Path(name), os.getpid, 1000) for name in "abc"]
    assert {outcome.result for outcome in run_jobs(jobs, "Testing")} == {os.getpid()}


def test_work_that_does_not_fit_twice_stays_in_this_process() -> None:
    """Each of these would take more than any machine has."""
    jobs = [Job(Path(name), os.getpid, 2**60) for name in "abc"]
    assert {outcome.result for outcome in run_jobs(jobs, "Testing")} == {os.getpid()}
