"""Folders of DICOM cases, prepared as grt123 does."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.algorithms.lung import lung_masks
from pipeline.algorithms.lung_prepare import prepare
from pipeline.dataset.prepare import plan_preparation, prepare_dataset
from pipeline.phantom import ChestPhantom, chest_phantom, write_phantom


@pytest.fixture(scope="module")
def phantom() -> ChestPhantom:
    return chest_phantom(slices=40, size=128)


@pytest.fixture
def root(tmp_path: Path, phantom: ChestPhantom) -> Path:
    """Two cases, one of them deeper, beside what is none."""
    root = tmp_path / "root"
    write_phantom(root / "case1", phantom)
    (root / "case1" / "notes.xml").write_text("no DICOM")
    write_phantom(root / "case2" / "ct", phantom, study_seed="other")
    (root / "stage1_labels.csv").write_text("id,cancer\n")
    (root / "empty").mkdir()
    return root


def test_each_folder_with_files_is_a_case(
    tmp_path: Path, root: Path, phantom: ChestPhantom
) -> None:
    """Two arrays each, with the shapes, types and bytes that the reference saves."""
    outcomes = prepare_dataset(root, tmp_path / "out")
    assert [outcome.reason for outcome in outcomes] == ["", ""]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        *("case1_clean.npy", "case1_label.npy"),
        *("case2_ct_clean.npy", "case2_ct_label.npy"),
    ]
    spacing_mm = phantom.spacing.as_array()
    masks = lung_masks(phantom.voxels_hu, spacing_mm)
    expected = prepare(phantom.voxels_hu, *masks, spacing_mm).voxels[np.newaxis]
    for name in ("case1", "case2_ct"):
        clean = np.load(tmp_path / "out" / f"{name}_clean.npy")
        label = np.load(tmp_path / "out" / f"{name}_label.npy")
        assert clean.dtype == np.uint8
        assert np.array_equal(clean, expected)
        assert label.dtype == np.int64
        assert label.tolist() == [[0, 0, 0, 0]]


def test_existing_files_are_used_when_asked_for(tmp_path: Path, root: Path) -> None:
    """Both have to be there; without being asked, a case is made anew."""
    out = tmp_path / "out"
    out.mkdir()
    for name in ("case1_clean.npy", "case1_label.npy", "case2_ct_label.npy"):
        (out / name).write_bytes(b"old")
    assert all(outcome.result for outcome in prepare_dataset(root, out, use_existing=True))
    assert (out / "case1_clean.npy").read_bytes() == b"old"
    assert (out / "case2_ct_label.npy").read_bytes() != b"old"
    prepare_dataset(root, out)
    assert (out / "case1_clean.npy").read_bytes() != b"old"


def test_a_case_that_makes_no_volume_fails_alone(
    tmp_path: Path, root: Path, phantom: ChestPhantom
) -> None:
    """A missing slice, two series in one folder, no series, a damaged slice."""
    write_phantom(root / "gap", phantom, study_seed="gap")[20].unlink()
    write_phantom(root / "two", phantom, study_seed="first")
    for path in write_phantom(tmp_path / "second", phantom, study_seed="second"):
        path.rename(root / "two" / f"second_{path.name}")
    (root / "none").mkdir()
    (root / "none" / "readme.txt").write_text("no DICOM")
    damaged = write_phantom(root / "damaged", phantom, study_seed="damaged")[-1]
    damaged.write_bytes(damaged.read_bytes()[:400])
    outcomes = prepare_dataset(root, tmp_path / "out")
    reasons = {o.source.name: o.reason for o in outcomes if o.result is None}
    assert sorted(reasons) == ["damaged", "gap", "none", "two"]
    assert "missing" in reasons["gap"]
    assert "2 CT series" in reasons["two"]
    assert "no CT series" in reasons["none"]
    assert all(name in reason for name, reason in reasons.items())
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_results_below_the_root_are_no_cases(root: Path) -> None:
    """The second run sees the same cases as the first."""
    out = root / "prepared"
    assert len(prepare_dataset(root, out)) == 2
    assert len(plan_preparation(root, out, use_existing=False)) == 2


def test_what_is_no_root_is_refused(tmp_path: Path, root: Path) -> None:
    """No folder, no case in it, results in its midst, two cases of one name."""
    with pytest.raises(FileNotFoundError, match="missing"):
        plan_preparation(tmp_path / "missing", tmp_path / "out", use_existing=False)
    with pytest.raises(FileNotFoundError, match="folder of its own"):
        plan_preparation(root / "case1", tmp_path / "out", use_existing=False)
    with pytest.raises(ValueError, match="other than"):
        plan_preparation(root, root, use_existing=False)
    (root / "case2_ct").mkdir()
    (root / "case2_ct" / "a.dcm").write_bytes(b"")
    with pytest.raises(ValueError, match="case2_ct"):
        plan_preparation(root, tmp_path / "out", use_existing=False)
