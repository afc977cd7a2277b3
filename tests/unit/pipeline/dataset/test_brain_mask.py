"""Brain masks of a folder, beside nidataset's own command."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from nidataset.volume import generate_brain_mask_dataset

from pipeline.dataset.brain_mask import BrainMaskOptions, brain_mask_dataset, mask_brain_file
from pipeline.dataset.files import FileFormat
from tests.support import nifti

SHAPE = (22, 25, 19)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Volumes of several types and grids."""
    folder = tmp_path / "in"
    for number, (kind, affine) in enumerate(
        [(np.int16, nifti.PLAIN), (np.float32, nifti.OBLIQUE), (np.uint16, nifti.OBLIQUE)]
    ):
        voxels = nifti.smooth_voxels(SHAPE, seed=number).clip(0).astype(kind)
        nifti.write_nifti(folder / f"head{number}.nii.gz", voxels, affine)
    scaled = nifti.smooth_voxels(SHAPE, seed=9).astype(np.int16)
    nifti.write_nifti(folder / "scaled.nii", scaled, nifti.OBLIQUE, scaling=(0.75, 12.5))
    return folder


@pytest.mark.filterwarnings("ignore:`binary_closing` is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("threshold", "radius"), [(None, 3), ((600.0, 1500.0), 1)], ids=["otsu", "range"]
)
def test_masks_are_nidatasets(
    tmp_path: Path, folder: Path, threshold: tuple[float, float] | None, radius: int
) -> None:
    """Voxel for voxel, uint8, on the same grid; named as its document says."""
    theirs = generate_brain_mask_dataset(str(folder), str(tmp_path / "theirs"), threshold, radius)
    outcomes = brain_mask_dataset(folder, tmp_path / "ours", BrainMaskOptions(threshold, radius))
    assert len(outcomes) == len(theirs) == 4
    for path, outcome in zip(theirs, outcomes, strict=True):
        assert outcome.result is not None, outcome.reason
        prefix = Path(path).name.removesuffix("_mask.nii.gz")
        (ours,) = outcome.result.written
        assert ours == tmp_path / "ours" / f"{prefix}_brain_mask.nii.gz"
        expected, found = nibabel.load(path), nibabel.load(ours)
        assert found.get_data_dtype() == np.uint8
        assert np.array_equal(found.get_fdata(), expected.get_fdata()), prefix
        assert found.get_fdata().any()
        assert np.array_equal(found.affine, expected.affine)


def test_an_empty_mask_is_a_failure(tmp_path: Path, folder: Path) -> None:
    """And no file."""
    options = BrainMaskOptions(threshold=(50000, 60000))
    outcomes = brain_mask_dataset(folder, tmp_path / "out", options)
    assert all("head" in o.reason or "scaled" in o.reason for o in outcomes)
    assert all(outcome.result is None for outcome in outcomes)
    assert not (tmp_path / "out").exists()


def test_otsu_on_ct_is_remarked(tmp_path: Path) -> None:
    """Values as low as air: the range it chooses is bone."""
    voxels = nifti.smooth_voxels(SHAPE, seed=5)
    voxels[:, :, 0] = -1000
    path = nifti.write_nifti(tmp_path / "ct.nii", voxels.astype(np.int16))
    (remark,) = mask_brain_file(path, tmp_path, BrainMaskOptions()).notes
    assert "ct.nii" in remark
    assert "bone" in remark
    assert not mask_brain_file(path, tmp_path, BrainMaskOptions((20, 900))).notes


def test_plain_nifti_is_written_when_asked_for(tmp_path: Path, folder: Path) -> None:
    """``.nii``, readable without decompression."""
    options = BrainMaskOptions(file_format=FileFormat.NII)
    (written,) = mask_brain_file(folder / "head0.nii.gz", tmp_path, options).written
    assert written.name == "head0_brain_mask.nii"
    assert written.stat().st_size == 352 + 22 * 25 * 19


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": (100, 20)},
        {"threshold": (1, 2, 3)},
        {"threshold": (5,)},
        {"threshold": (float("nan"), 5)},
        {"closing_radius": -1},
        {"closing_radius": 1.5},
    ],
)
def test_options_are_checked(options: dict[str, object]) -> None:
    """Two numbers in order; a whole radius."""
    with pytest.raises(ValueError, match=next(iter(options))):
        BrainMaskOptions(**options)  # type: ignore[arg-type]
