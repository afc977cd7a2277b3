"""The phantom: a chest, the same every time, as CT images that a validator accepts."""

import hashlib
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from pipeline.instance import read_instance
from pipeline.phantom import ChestPhantom, chest_phantom, phantom_instances, write_phantom
from pipeline.phantom_anatomy import NODULE
from pipeline.volume import build_volume

# Made on Linux x86-64 with numpy 2.4. Where this changes, so do the demo's UIDs.
SMALL_PHANTOM_DIGEST = "fc9cf3a8d5c6bb160fb5676684b06a0349ef40749d082b09544fd1e6b2f1931d"
DCIODVFY = shutil.which("dciodvfy", path=sysconfig.get_path("scripts")) or shutil.which("dciodvfy")


@pytest.fixture(scope="module")
def phantom() -> ChestPhantom:
    return chest_phantom(slices=40, size=128)


def test_voxels_are_the_same_everywhere(phantom):
    assert hashlib.sha256(phantom.voxels_hu.astype("<i2").tobytes()).hexdigest() == (
        SMALL_PHANTOM_DIGEST
    )


def test_lungs_have_the_size_of_lungs_and_the_left_is_smaller(phantom):
    litre = phantom.spacing.voxel_volume_mm3 / 1e6
    right, left = phantom.right.sum() * litre, phantom.left.sum() * litre

    assert 1.0 < left < right < 3.0
    assert not (phantom.right & phantom.left).any()


def test_size_in_the_patient_does_not_depend_on_the_matrix(phantom):
    finer = chest_phantom(slices=64, size=160)

    assert finer.right.sum() * finer.spacing.voxel_volume_mm3 == pytest.approx(
        phantom.right.sum() * phantom.spacing.voxel_volume_mm3, rel=0.02
    )


def test_slice_distance_can_be_chosen():
    phantom = chest_phantom(slices=8, size=32, slice_mm=5.0)

    assert phantom.spacing.slice_mm == 5.0
    assert phantom.origin_mm[2] == -17.5


def test_thin_stack_shows_what_the_whole_chest_shows_there():
    whole = chest_phantom(slices=33, size=48, slice_mm=10.0)
    middle = chest_phantom(slices=3, size=48, slice_mm=10.0)

    # Noise starts anew with each phantom, and stays far below the contrast of any shape.
    np.testing.assert_allclose(middle.voxels_hu, whole.voxels_hu[15:18], atol=90)


def test_right_lung_lies_at_the_patients_right(phantom):
    columns = [np.nonzero(lung)[2].mean() for lung in (phantom.right, phantom.left)]

    assert columns[0] < columns[1]


def test_nodule_lies_dense_in_the_right_lung(phantom):
    spacing = phantom.spacing
    steps = np.array([spacing.slice_mm, spacing.row_mm, spacing.column_mm])
    offset_mm = np.array(NODULE.start_mm)[::-1] - np.array(phantom.origin_mm)[::-1]
    index = tuple(np.rint(offset_mm / steps).astype(int))

    assert phantom.right[index]
    assert phantom.voxels_hu[index] > 0


def test_air_surrounds_the_patient_and_the_airway_reaches_the_top(phantom):
    corner = phantom.voxels_hu[:, :8, :8]
    airway, count = ndimage.label(phantom.voxels_hu[-1, 40:90, 20:108] < -600)

    assert abs(corner.mean() + 1000) < 2
    assert 8 < corner.std() < 20
    assert count == 1
    assert airway.any()


def test_series_is_rebuilt_to_the_same_voxels(phantom, tmp_path):
    paths = write_phantom(tmp_path / "series", phantom)

    volume = build_volume([read_instance(path) for path in reversed(paths)]).volume

    np.testing.assert_array_equal(volume.voxels, phantom.voxels_hu)
    np.testing.assert_allclose(volume.geometry.origin_mm, phantom.origin_mm)
    np.testing.assert_allclose(
        volume.geometry.spacing.as_array(), phantom.spacing.as_array(), rtol=1e-6
    )


def test_files_are_the_same_bytes_on_every_run(phantom, tmp_path):
    first = write_phantom(tmp_path / "first", phantom)
    second = write_phantom(tmp_path / "second", chest_phantom(slices=40, size=128))

    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_another_seed_patient_or_matrix_gives_other_uids(phantom):
    variants = [
        phantom_instances(phantom),
        phantom_instances(phantom, study_seed="other"),
        phantom_instances(phantom, patient_id="OTHER"),
        phantom_instances(chest_phantom(slices=4, size=32)),
    ]
    firsts = [next(variant) for variant in variants]

    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert len({first[keyword].value for first in firsts}) == len(variants)


def test_instances_share_study_series_and_frame_of_reference():
    instances = list(phantom_instances(chest_phantom(slices=4, size=32)))

    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({instance[keyword].value for instance in instances}) == 1
    assert len({instance.SOPInstanceUID for instance in instances}) == 4
    assert [instance.InstanceNumber for instance in instances] == [1, 2, 3, 4]


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy is not installed")
def test_validator_finds_nothing_to_complain_of(tmp_path):
    path = write_phantom(tmp_path, chest_phantom(slices=4, size=33, slice_mm=7.3))[1]

    verdict = subprocess.run(
        [str(DCIODVFY), str(path)], capture_output=True, text=True, check=False
    )

    complaints = [
        line for line in verdict.stderr.splitlines() if line.startswith(("Error", "Warning"))
    ]
    assert complaints == []


def test_folder_is_made_and_files_named_in_order(tmp_path):
    paths = write_phantom(tmp_path / "a" / "b", chest_phantom(slices=3, size=32))

    assert [path.name for path in paths] == ["CT0001.dcm", "CT0002.dcm", "CT0003.dcm"]
    assert all(isinstance(path, Path) for path in paths)
