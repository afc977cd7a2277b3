"""Sliding projections of a folder, beside nidataset's own command."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from nidataset.preprocessing import mip_dataset as nidataset_mip_dataset

from pipeline.dataset.files import FileFormat
from pipeline.dataset.mip import MipOptions, SavingMode, View, mip_dataset, project_file
from tests.support import nifti

SHAPE = (9, 14, 11)


def data(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).get_fdata())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Volumes of several types, compressed or not, on several grids."""
    folder = tmp_path / "in"
    voxels = nifti.smooth_voxels(SHAPE, seed=2)
    nifti.write_nifti(folder / "ct.nii.gz", voxels.astype(np.int16))
    nifti.write_nifti(folder / "oblique.nii", voxels.astype(np.float32), nifti.OBLIQUE)
    nifti.write_nifti(
        folder / "scaled.nii.gz", voxels.astype(np.int16), nifti.OBLIQUE, scaling=(0.25, -7.5)
    )
    nifti.write_nifti(folder / "negative.nii", voxels.astype(np.int16), scaling=(-2.0, 3.0))
    return folder


@pytest.mark.parametrize("mode", SavingMode)
@pytest.mark.parametrize("view", View)
def test_array_axes_give_nidatasets_files(
    tmp_path: Path, folder: Path, view: View, mode: SavingMode
) -> None:
    """The same names in the same folders, and the same values to the bit."""
    nidataset_mip_dataset(str(folder), str(tmp_path / "theirs"), 3, view, mode)
    options = MipOptions((view,), window=3, saving_mode=mode, by_array_axes=True)
    outcomes = mip_dataset(folder, tmp_path / "ours", options)
    assert all(outcome.result is not None for outcome in outcomes)
    theirs = sorted((tmp_path / "theirs").rglob("*.nii.gz"))
    assert len(theirs) == 4
    for path in theirs:
        ours = tmp_path / "ours" / path.relative_to(tmp_path / "theirs")
        assert np.array_equal(data(ours), data(path)), path.name
        assert np.array_equal(nibabel.load(ours).affine, nibabel.load(path).affine)
    assert len(list((tmp_path / "ours").rglob("*.nii*"))) == 4


@pytest.mark.parametrize("view", View)
def test_views_are_the_patients(tmp_path: Path, view: View) -> None:
    """However the array lies, the result is that of the array laid as nidataset wants it."""
    voxels = nifti.smooth_voxels(SHAPE, seed=3).astype(np.int16)
    path = nifti.write_nifti(tmp_path / "a.nii", voxels, nifti.OBLIQUE)
    canonical = nibabel.as_closest_canonical(nibabel.load(path))
    assert canonical.shape != SHAPE
    nibabel.save(canonical, tmp_path / "canonical.nii")
    by_affine = MipOptions((view,), window=2)
    by_axes = MipOptions((view,), window=2, by_array_axes=True)
    (ours,) = project_file(path, tmp_path, by_affine).written
    (expected,) = project_file(tmp_path / "canonical.nii", tmp_path, by_axes).written
    assert np.array_equal(
        np.asanyarray(nibabel.as_closest_canonical(nibabel.load(ours)).dataobj), data(expected)
    )


def test_type_scaling_and_grid_are_the_volumes_own(tmp_path: Path, folder: Path) -> None:
    """Nidataset writes float64 and loses the qform."""
    mip_dataset(folder, tmp_path / "out", MipOptions())
    for name in ("ct.nii.gz", "oblique.nii", "scaled.nii.gz", "negative.nii"):
        before = nibabel.load(folder / name)
        prefix = name.split(".")[0]
        after = nibabel.load(tmp_path / "out" / prefix / "axial" / f"{prefix}_mip_axial.nii.gz")
        assert after.get_data_dtype() == before.get_data_dtype()
        assert np.array_equal(after.get_sform(), before.get_sform())
        assert np.array_equal(after.get_qform(), before.get_qform())
        assert int(after.header["qform_code"]) == 1
        assert int(after.header["sform_code"]) == 2
        assert (after.dataobj.slope, after.dataobj.inter) == (
            before.dataobj.slope,
            before.dataobj.inter,
        )


@pytest.mark.parametrize(
    ("projection", "name", "expected"),
    [("minimum", "minip", [3, 1, 1, 1, 2]), ("mean", "aip", [4, 3, 4, 4, 6])],
)
def test_other_projections_have_names_of_their_own(
    tmp_path: Path, projection: str, name: str, expected: list[int]
) -> None:
    """A maximum is not replaced by a minimum."""
    voxels = np.array([5, 3, 1, 9, 2], np.int16).reshape(1, 1, 5)
    path = nifti.write_nifti(tmp_path / "a.nii", voxels)
    options = MipOptions(window=1, projection=projection, file_format=FileFormat.NII)
    (written,) = project_file(path, tmp_path, options).written
    assert written == tmp_path / "a" / "axial" / f"a_{name}_axial.nii"
    assert data(written).ravel().tolist() == expected


def test_a_negative_slope_turns_the_extreme_round(tmp_path: Path) -> None:
    """The largest value is the smallest stored number."""
    voxels = np.array([5, 3, 1, 9, 2], np.int16).reshape(1, 1, 5)
    path = nifti.write_nifti(tmp_path / "a.nii", voxels, scaling=(-1.0, 0.0))
    (written,) = project_file(path, tmp_path, MipOptions(window=1)).written
    assert data(written).ravel().tolist() == [-3, -1, -1, -1, -2]


def test_a_window_longer_than_the_volume_takes_all_of_it(tmp_path: Path) -> None:
    """As nidataset's ranges, cut at the ends."""
    voxels = nifti.smooth_voxels(SHAPE, seed=4)
    path = nifti.write_nifti(tmp_path / "a.nii", voxels)
    (written,) = project_file(path, tmp_path, MipOptions(window=500)).written
    assert np.array_equal(data(written), np.broadcast_to(voxels.max(axis=2)[..., None], SHAPE))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("window", 0),
        ("window", -3),
        ("window", 1.5),
        ("window", True),
        ("views", ("top",)),
        ("saving_mode", "flat"),
        ("projection", "median"),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    """Nidataset takes any window, and makes an empty volume of a negative one."""
    with pytest.raises(ValueError, match=option.removesuffix("s")):
        MipOptions(**{option: value})  # type: ignore[arg-type]


def test_a_mean_of_long_integers_is_refused_by_name(tmp_path: Path) -> None:
    """It would not be exact."""
    path = nifti.write_nifti(tmp_path / "long.nii", np.zeros(SHAPE, np.int64))
    with pytest.raises(ValueError, match=r"long\.nii.*int64"):
        project_file(path, tmp_path, MipOptions(projection="mean"))


def test_an_affine_without_volume_matters_for_anatomical_axes_alone(tmp_path: Path) -> None:
    """The array has axes in any case."""
    path = nifti.write_nifti(tmp_path / "flat.nii", np.zeros(SHAPE, np.int16))
    content = bytearray(path.read_bytes())
    content[280:328] = bytes(48)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"flat\.nii.*affine"):
        project_file(path, tmp_path, MipOptions())
    assert project_file(path, tmp_path, MipOptions(by_array_axes=True)).written[0].exists()
