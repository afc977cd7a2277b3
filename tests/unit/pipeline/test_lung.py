"""The lung method: its parts by hand, its whole against the reference and the phantom's truth."""

import dataclasses
import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import ndimage
from skimage import measure

from pipeline.algorithms.lung import LUNGS, LungParameters, lung_masks
from pipeline.algorithms.lung_air import _coordinate_powers, _eccentricity, find_air
from pipeline.algorithms.lung_split import fill_enclosed, split_lungs
from pipeline.errors import NotApplicableError, NothingFoundError
from pipeline.phantom import ChestPhantom, chest_phantom
from tests.phantoms import (
    volume_from_phantom,
    with_circular_padding,
    with_open_top,
    with_touching_lungs,
    without_left_lung,
    without_lungs,
)

ORACLE = Path(__file__).parents[3].parent / "shared" / "tools" / "grt123_oracle.py"
UNIT_SPACING = np.ones(3, dtype=np.float32)
RIGHT, LEFT = 1, 2
# SHA-256 of np.packbits(np.stack((first, second))), masks of the reference itself: its code run
# unchanged by shared/tools/grt123_oracle.py on these phantoms, scikit-image 0.26.0, scipy 1.17.1,
# numpy 2.4.6.
REFERENCE_DIGESTS = {
    "plain": "9fc16042a66727d64cd03b7648a7b89023810cca3acf50d19d5c5685caedee5b",
    "finer": "eebf43d57fda94edfcff8c07338d6ff3e159cb54c43cc607586b55d64c82cc1c",
    "open top": "b74da66061d8213091044949ad3ccd5a2a8d1f6f756406002009a5bb45a2b067",
    "touching lungs": "0f2ff787c16c315cabfa8d7adaecb374d755d5bdd2dc9708a4bb77fe1196481a",
    "circular padding": "9fc16042a66727d64cd03b7648a7b89023810cca3acf50d19d5c5685caedee5b",
}


def make(name: str) -> ChestPhantom:
    small = chest_phantom(slices=40, size=128)
    match name:
        case "plain":
            return small
        case "finer":
            return chest_phantom(slices=64, size=160)
        case "open top":
            return with_open_top(small)
        case "touching lungs":
            return with_touching_lungs(small)
        case _:
            return with_circular_padding(small)


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.fixture(scope="module")
def phantom() -> ChestPhantom:
    return chest_phantom(slices=40, size=128)


@pytest.fixture(scope="module")
def oracle() -> ModuleType:
    if not ORACLE.exists():
        pytest.skip("the reference (shared/tools) is not on this machine")
    spec = importlib.util.spec_from_file_location("grt123_oracle", ORACLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", REFERENCE_DIGESTS)
def test_masks_are_those_the_reference_made(name):
    variant = make(name)

    masks = lung_masks(variant.voxels_hu, variant.spacing.as_array())

    packed = np.packbits(np.stack(masks)).tobytes()
    assert hashlib.sha256(packed).hexdigest() == REFERENCE_DIGESTS[name]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFERENCE_DIGESTS)
def test_masks_are_those_the_reference_makes_now(name, oracle):
    variant = make(name)
    spacing = variant.spacing.as_array()

    first, second, _both = oracle.lungs(variant.voxels_hu, spacing)

    masks = lung_masks(variant.voxels_hu, spacing)
    np.testing.assert_array_equal(masks[0], first)
    np.testing.assert_array_equal(masks[1], second)


@pytest.mark.filterwarnings("ignore")
def test_unequal_pixel_spacing_is_taken_as_the_reference_takes_it(phantom, oracle):
    spacing = phantom.spacing.as_array() * np.array([1, 0.8, 1.2], dtype=np.float32)

    first, second, _both = oracle.lungs(phantom.voxels_hu, spacing)

    masks = lung_masks(phantom.voxels_hu, spacing)
    np.testing.assert_array_equal(masks[0], first)
    np.testing.assert_array_equal(masks[1], second)


@pytest.mark.parametrize(
    ("mirror_columns", "mirror_rows"),
    [(False, False), (True, False), (True, True), (False, True)],
    ids=["supine", "feet first", "prone", "prone, feet first"],
)
def test_sides_are_the_patients_however_the_patient_lies(phantom, mirror_columns, mirror_rows):
    volume = volume_from_phantom(phantom, mirror_columns=mirror_columns, mirror_rows=mirror_rows)

    (finding,) = LUNGS.analyse(volume, LungParameters())

    labels = finding.labels[:, :: -1 if mirror_rows else 1, :: -1 if mirror_columns else 1]
    assert dice(labels == RIGHT, phantom.right) > 0.95
    assert dice(labels == LEFT, phantom.left) > 0.95


def test_finding_is_coded_and_numbered_by_side(phantom):
    (finding,) = LUNGS.analyse(volume_from_phantom(phantom), LUNGS.parameters())

    right, left = finding.segments
    assert finding.labels.dtype == np.uint8
    assert (right.number, right.label, right.laterality.value) == (RIGHT, "Right lung", "24028007")
    assert (left.number, left.label, left.laterality.value) == (LEFT, "Left lung", "7771000")
    assert {segment.type.value for segment in finding.segments} == {"39607008"}
    assert {segment.category.value for segment in finding.segments} == {"123037004"}
    assert right.rgb != left.rgb


def test_volume_is_left_as_it_was(phantom):
    volume = volume_from_phantom(phantom)
    volume.voxels.setflags(write=False)

    LUNGS.analyse(volume, LungParameters())

    np.testing.assert_array_equal(volume.voxels, phantom.voxels_hu)


def test_slices_that_are_not_square_give_the_same_lungs(phantom):
    rows = slice(14, 120)
    spacing = phantom.spacing.as_array()

    cropped = lung_masks(phantom.voxels_hu[:, rows], spacing)

    for mask, whole in zip(cropped, lung_masks(phantom.voxels_hu, spacing), strict=True):
        assert dice(mask, whole[:, rows]) > 0.999


def test_no_lung_is_said_rather_than_the_air_around_labelled(phantom):
    volume = volume_from_phantom(without_lungs(phantom))

    with pytest.raises(NothingFoundError, match="No lung was found"):
        LUNGS.analyse(volume, LungParameters())


def test_one_lung_alone_is_refused(phantom):
    volume = volume_from_phantom(without_left_lung(phantom))

    with pytest.raises(NothingFoundError, match="cannot be told apart"):
        LUNGS.analyse(volume, LungParameters())


def test_two_parts_of_one_lung_are_not_called_right_and_left(phantom):
    halved = without_left_lung(phantom)
    halved.voxels_hu[23:25][phantom.right[23:25]] = 40
    halved.voxels_hu[23:25, 60:66, 30:36] = -880  # a bridge that erosion breaks

    with pytest.raises(NothingFoundError, match="side by side"):
        LUNGS.analyse(volume_from_phantom(halved), LungParameters())


def test_stack_that_is_not_axial_is_refused(phantom):
    volume = volume_from_phantom(phantom)
    sagittal = dataclasses.replace(volume.geometry, slice_direction=(1.0, 0.0, 0.0))

    with pytest.raises(NotApplicableError, match="not axial"):
        LUNGS.analyse(dataclasses.replace(volume, geometry=sagittal), LungParameters())


def test_specks_and_slivers_are_no_air():
    voxels = np.full((1, 64, 64), 40, dtype=np.int16)
    voxels[0, 0, 0] = 41  # corners of one value would stand for padding
    voxels[0, 10:13, 10:13] = -3000
    voxels[0, 40:52, 40:52] = -1000
    voxels[0, 30, 2:62] = -3000

    air = find_air(voxels, UNIT_SPACING)

    assert air[0, 45, 45]
    assert not air[0, :38].any()


def test_shape_is_judged_as_scikit_image_judges_it():
    noise = np.random.default_rng(7).standard_normal((128, 128))
    labels, count = ndimage.label(ndimage.gaussian_filter(noise, (0.8, 2.5)) > 0.1)
    area = np.bincount(labels.ravel())
    powers = _coordinate_powers(*labels.shape)

    means = np.array([np.bincount(labels.ravel(), weights) for weights in powers]) / area

    expected = [region.eccentricity for region in measure.regionprops(labels)]
    assert count > 50
    np.testing.assert_allclose(_eccentricity(means)[1:], expected, atol=1e-7)


def test_slice_of_nothing_but_air_is_air():
    voxels = np.full((1, 32, 32), -1000, dtype=np.int16)
    voxels[0, 0, 0] = -1001

    assert find_air(voxels, UNIT_SPACING).all()


def test_padding_beyond_the_circle_is_no_air():
    voxels = np.full((1, 64, 64), -2000, dtype=np.int16)

    air = find_air(voxels, UNIT_SPACING)

    assert air[0, 32, 32]
    assert not air[0, :12, :4].any()


def test_cavity_is_filled_and_an_open_one_is_not():
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[2:7, 2:7, 2:7] = True
    whole = mask.copy()
    mask[4, 4, 4] = False

    closed = fill_enclosed(mask)
    mask[4, 4, 4:] = False
    opened = fill_enclosed(mask)

    np.testing.assert_array_equal(closed, whole)
    np.testing.assert_array_equal(opened, mask)


def test_joined_blocks_are_parted_half_way():
    mask = np.zeros((9, 9, 31), dtype=bool)
    mask[1:8, 1:8, 1:12] = True
    mask[1:8, 1:8, 19:30] = True
    mask[4, 4, 12:19] = True

    first, second = split_lungs(mask, UNIT_SPACING)

    expected = mask.copy()
    expected[:, :, 15] = False  # as far from one as from the other
    np.testing.assert_array_equal(first | second, expected)
    assert not first[:, :, 15:].any()
    assert not second[:, :, :16].any()


def test_a_single_block_is_not_parted():
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[1:8, 1:8, 1:8] = True

    with pytest.raises(NothingFoundError, match="cannot be told apart"):
        split_lungs(mask, UNIT_SPACING)
