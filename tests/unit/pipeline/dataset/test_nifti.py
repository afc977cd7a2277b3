"""NIfTI files in and out: types, grids, scaling, damage."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension

from pipeline.dataset.nifti import read_nifti, stored_bytes, write_nifti
from tests.support import nifti

VOXELS = nifti.smooth_voxels((5, 6, 7), seed=1)
TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", TYPES)
def test_voxels_come_back_as_they_were(tmp_path: Path, suffix: str, kind: str) -> None:
    """Read what nibabel wrote, write it, and nibabel reads the same."""
    voxels = (VOXELS % 100).astype(kind)
    image = nifti.write_nifti(tmp_path / f"a{suffix}", voxels, nifti.OBLIQUE)
    read = read_nifti(image)
    assert read.stored.dtype == voxels.dtype
    assert np.array_equal(read.stored, voxels)
    write_nifti(tmp_path / "b.nii.gz", read.stored, read, in_stored_unit=True)
    again = nibabel.load(tmp_path / "b.nii.gz")
    assert again.get_data_dtype() == voxels.dtype
    assert np.array_equal(np.asanyarray(again.dataobj), voxels)


def test_grid_and_codes_are_kept_to_the_bit(tmp_path: Path) -> None:
    """sform, qform, both codes, voxel sizes, units and description."""
    path = nifti.write_nifti(tmp_path / "a.nii", VOXELS, nifti.OBLIQUE)
    write_nifti(tmp_path / "b.nii", VOXELS > 0, read_nifti(path), in_stored_unit=False)
    before, after = nibabel.load(path).header, nibabel.load(tmp_path / "b.nii").header
    for field in (
        *("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "pixdim", "xyzt_units"),
        *("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z", "descrip"),
    ):
        assert before[field].tobytes() == after[field].tobytes(), field


def test_bool_is_written_as_bytes(tmp_path: Path) -> None:
    """NIfTI has no type of one bit that programs read."""
    path = nifti.write_nifti(tmp_path / "a.nii", VOXELS)
    write_nifti(tmp_path / "b.nii", VOXELS > 0, read_nifti(path), in_stored_unit=False)
    assert nibabel.load(tmp_path / "b.nii").get_data_dtype() == np.uint8


def test_scaling_is_applied_as_nibabel_does(tmp_path: Path) -> None:
    """Values are stored * slope + inter in float64."""
    path = nifti.write_nifti(tmp_path / "a.nii.gz", VOXELS.astype(np.int16), scaling=(0.5, -1024))
    read = read_nifti(path)
    assert read.is_scaled
    assert read.stored.dtype == np.int16
    assert np.array_equal(read.values(), nibabel.load(path).get_fdata())


def test_numbers_in_the_stored_unit_keep_their_scaling(tmp_path: Path) -> None:
    """A projection of stored numbers is one of values; a mask is not scaled."""
    path = nifti.write_nifti(tmp_path / "a.nii", VOXELS.astype(np.int16), scaling=(0.5, -1024))
    read = read_nifti(path)
    write_nifti(tmp_path / "b.nii", read.stored, read, in_stored_unit=True)
    write_nifti(tmp_path / "mask.nii", read.stored, read, in_stored_unit=False)
    assert np.array_equal(nibabel.load(tmp_path / "b.nii").get_fdata(), read.values())
    assert np.array_equal(nibabel.load(tmp_path / "mask.nii").get_fdata(), read.stored)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", "<>")
def test_both_versions_and_both_byte_orders_are_read(
    tmp_path: Path, kind: type[nibabel.Nifti1Image], order: str
) -> None:
    """The result is little endian in the same version."""
    voxels = VOXELS.astype(np.int16)
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.int16)
    nibabel.save(kind(voxels, nifti.OBLIQUE, header), tmp_path / "a.nii")
    read = read_nifti(tmp_path / "a.nii")
    assert np.array_equal(read.stored, voxels)
    write_nifti(tmp_path / "b.nii", read.stored, read, in_stored_unit=True)
    again = nibabel.load(tmp_path / "b.nii")
    assert type(again) is kind
    assert np.array_equal(np.asanyarray(again.dataobj), voxels)
    assert np.array_equal(again.affine, nibabel.load(tmp_path / "a.nii").affine)


def test_extensions_are_read_past_and_not_passed_on(tmp_path: Path) -> None:
    """They may hold a whole DICOM header, with the patient's name."""
    image = nibabel.Nifti1Image(VOXELS, nifti.PLAIN)
    image.header.extensions.append(Nifti1Extension(6, b"Doe^Jane" * 100))
    nibabel.save(image, tmp_path / "a.nii.gz")
    read = read_nifti(tmp_path / "a.nii.gz")
    assert np.array_equal(read.stored, VOXELS)
    write_nifti(tmp_path / "b.nii", read.stored, read, in_stored_unit=True)
    assert b"Doe" not in (tmp_path / "b.nii").read_bytes()
    assert np.array_equal(nibabel.load(tmp_path / "b.nii").get_fdata(), VOXELS)


def test_the_same_voxels_give_the_same_bytes(tmp_path: Path) -> None:
    """No time and no name is in a compressed file."""
    read = read_nifti(nifti.write_nifti(tmp_path / "a.nii", VOXELS))
    for name in ("b.nii.gz", "c.nii.gz"):
        write_nifti(tmp_path / name, read.stored, read, in_stored_unit=True)
    assert (tmp_path / "b.nii.gz").read_bytes() == (tmp_path / "c.nii.gz").read_bytes()


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Nor does it harm what has its name."""
    read = read_nifti(nifti.write_nifti(tmp_path / "a.nii", VOXELS))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.nii").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_nifti(tmp_path / "out" / "b.nii", VOXELS, read, in_stored_unit=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.nii"]


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    """Cut, altered, empty, of another kind, or with too few voxels."""
    good = nifti.write_nifti(tmp_path / "good.nii.gz", VOXELS).read_bytes()
    plain = gzip.decompress(good)
    altered = bytearray(good)
    altered[len(good) // 2] ^= 0xFF
    damaged = {
        "cut.nii.gz": good[: len(good) // 2],
        "altered.nii.gz": bytes(altered),
        "no_checksum.nii.gz": good[:-8],
        "empty.nii.gz": b"",
        "empty.nii": b"",
        "text.nii": b"no image " * 100,
        "text.nii.gz": b"no image " * 100,
        "short.nii": plain[:-1],
        "short.nii.gz": gzip.compress(plain[:-1]),
        "endless.nii": plain[:42] + b"\xff\x7f" * 3 + plain[48:],
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            read_nifti(tmp_path / name)


@pytest.mark.parametrize(
    ("voxels", "words"),
    [
        (np.zeros((4, 4), np.int16), r"3D.*\(4, 4\)"),
        (np.zeros((4, 4, 4, 2), np.int16), r"3D.*\(4, 4, 4, 2\)"),
        (np.zeros((4, 4, 4), np.complex64), "complex64"),
        (np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "whole or real"),
    ],
    ids=["2D", "4D", "complex", "colour"],
)
def test_what_is_no_volume_of_numbers_is_refused(
    tmp_path: Path, voxels: np.ndarray, words: str
) -> None:
    """The message says what it is."""
    nibabel.save(nibabel.Nifti1Image(voxels, nifti.PLAIN), tmp_path / "a.nii")
    with pytest.raises(ValueError, match=words):
        read_nifti(tmp_path / "a.nii")


def test_a_missing_file_and_a_foreign_name_are_told_apart(tmp_path: Path) -> None:
    """As the seed has it."""
    with pytest.raises(FileNotFoundError, match="missing"):
        read_nifti(tmp_path / "missing.nii.gz")
    with pytest.raises(ValueError, match=r"a\.mha.*\.nii"):
        read_nifti(tmp_path / "a.mha")


def test_size_in_memory_comes_from_the_header(tmp_path: Path) -> None:
    """Nothing for what is no NIfTI file."""
    path = nifti.write_nifti(tmp_path / "a.nii.gz", VOXELS.astype(np.int16))
    assert stored_bytes(path) == 5 * 6 * 7 * 2
    (tmp_path / "b.nii.gz").write_bytes(b"no image")
    assert stored_bytes(tmp_path / "b.nii.gz") == 0
    assert stored_bytes(tmp_path / "c.nii.gz") == 0
