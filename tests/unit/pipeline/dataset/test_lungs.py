"""Lung labels of NIfTI chests that lie in every way."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from pipeline.algorithms.lung import lung_masks
from pipeline.dataset.lungs import LungsOptions, label_lungs_file, lungs_dataset
from pipeline.errors import NothingFoundError
from pipeline.phantom import ChestPhantom, chest_phantom
from tests.support import nifti
from tests.support.segmentation import affine_of


@pytest.fixture(scope="module")
def phantom() -> ChestPhantom:
    return chest_phantom(slices=40, size=128)


@pytest.fixture(scope="module")
def expected(phantom: ChestPhantom) -> np.ndarray:
    """(slice, row, column): 1 where the masks are right, 2 where they are left."""
    labels = np.zeros(phantom.voxels_hu.shape, np.uint8)
    for mask in lung_masks(phantom.voxels_hu, phantom.spacing.as_array()):
        labels[mask] = 1 if (mask & phantom.right).sum() > (mask & phantom.left).sum() else 2
    return labels


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LPI", "SLP", "AIR", "PSL"])
def test_labels_are_on_the_volumes_grid_however_it_lies(
    tmp_path: Path, phantom: ChestPhantom, expected: np.ndarray, codes: str
) -> None:
    """The right lung is 1 and the left 2, voxel for voxel those of the upright volume."""
    upright = nibabel.Nifti1Image(phantom.voxels_hu.T, affine_of(phantom))
    start = nibabel.io_orientation(upright.affine)
    turn = nibabel.orientations.ornt_transform(start, nibabel.orientations.axcodes2ornt(codes))
    turned = upright.as_reoriented(turn)
    nibabel.save(turned, tmp_path / "chest.nii.gz")
    (written,) = label_lungs_file(tmp_path / "chest.nii.gz", tmp_path, LungsOptions()).written
    assert written == tmp_path / "chest_lungs.nii.gz"
    found = nibabel.load(written)
    assert found.get_data_dtype() == np.uint8
    assert np.array_equal(found.affine, turned.affine)
    wanted = nibabel.orientations.apply_orientation(expected.T, turn)
    assert np.array_equal(np.asanyarray(found.dataobj), wanted)
    assert {*np.unique(wanted)} == {0, 1, 2}


@pytest.mark.parametrize("kind", [np.float32, np.int32, np.float64])
def test_hounsfield_units_of_any_type_are_taken(
    tmp_path: Path, phantom: ChestPhantom, expected: np.ndarray, kind: type[np.generic]
) -> None:
    """Fractions that resampling leaves are rounded."""
    voxels = phantom.voxels_hu.T.astype(kind)
    if np.issubdtype(kind, np.floating):
        voxels += kind(0.25)
    path = nifti.write_nifti(tmp_path / "chest.nii", voxels, affine_of(phantom))
    (written,) = label_lungs_file(path, tmp_path, LungsOptions()).written
    assert np.array_equal(np.asanyarray(nibabel.load(written).dataobj), expected.T)


def test_scaled_numbers_are_taken_by_their_values(
    tmp_path: Path, phantom: ChestPhantom, expected: np.ndarray
) -> None:
    """As scanners store them: from 0, with an intercept of -1024."""
    stored = (phantom.voxels_hu.T.astype(np.int32) + 1024).astype(np.uint16)
    affine = affine_of(phantom)
    path = nifti.write_nifti(tmp_path / "chest.nii", stored, affine, scaling=(1.0, -1024.0))
    (written,) = label_lungs_file(path, tmp_path, LungsOptions()).written
    assert np.array_equal(nibabel.load(written).get_fdata(), expected.T)


def test_values_that_are_no_hounsfield_units_are_refused(tmp_path: Path) -> None:
    """Beyond int16, or not a number."""
    for name, value in (("high", 1e6), ("nan", np.nan)):
        voxels = np.zeros((4, 4, 4), np.float32)
        voxels[1, 1, 1] = value
        path = nifti.write_nifti(tmp_path / f"{name}.nii", voxels)
        with pytest.raises(ValueError, match=rf"{name}\.nii.*Hounsfield"):
            label_lungs_file(path, tmp_path, LungsOptions())


def test_an_oblique_grid_is_refused(tmp_path: Path) -> None:
    """No axis of it runs along the patient."""
    angle = np.deg2rad(45)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    path = nifti.write_nifti(tmp_path / "tilted.nii", np.zeros((4, 4, 4), np.int16), affine)
    with pytest.raises(ValueError, match=r"tilted\.nii.*oblique"):
        label_lungs_file(path, tmp_path, LungsOptions())


def test_a_volume_without_lungs_fails_alone(tmp_path: Path, phantom: ChestPhantom) -> None:
    """The others are done."""
    folder = tmp_path / "in"
    affine = affine_of(phantom)
    nifti.write_nifti(folder / "chest.nii", phantom.voxels_hu.T, affine)
    nifti.write_nifti(
        folder / "block.nii", np.full(phantom.voxels_hu.T.shape, 40, np.int16), affine
    )
    with pytest.raises(NothingFoundError):
        label_lungs_file(folder / "block.nii", tmp_path / "out", LungsOptions())
    failed, chest = lungs_dataset(folder, tmp_path / "out", LungsOptions())
    assert chest.result is not None
    assert failed.result is None
    assert "block.nii" in failed.reason
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["chest_lungs.nii.gz"]
