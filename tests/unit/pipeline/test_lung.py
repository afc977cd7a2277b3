"""The lung method: its parts by hand, its whole against the reference and the phantom's truth."""

import dataclasses
import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pipeline.algorithms.lung import LUNGS, LungParameters, lung_masks
from pipeline.errors import NoLungFoundError, NotApplicableError, NothingFoundError
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

    (finding, *_) = LUNGS.analyse(volume, LungParameters())

    labels = finding.labels[:, :: -1 if mirror_rows else 1, :: -1 if mirror_columns else 1]
    assert dice(labels == RIGHT, phantom.right) > 0.95
    assert dice(labels == LEFT, phantom.left) > 0.95


def test_finding_is_coded_and_numbered_by_side(phantom):
    (finding, *_) = LUNGS.analyse(volume_from_phantom(phantom), LUNGS.parameters())

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


def with_one_lung(phantom, side):
    voxels = phantom.voxels_hu.copy()
    voxels[phantom.left if side == "right" else phantom.right] = 40
    return dataclasses.replace(phantom, voxels_hu=voxels)


@pytest.mark.parametrize("slices", [40, 60])
@pytest.mark.parametrize("side", ["right", "left"])
def test_one_lung_alone_is_refused(slices, side):
    """The reference splits two of the four, after 10 and 13 erosions."""
    volume = volume_from_phantom(with_one_lung(chest_phantom(slices, size=128), side))

    with pytest.raises(NothingFoundError, match="cannot be told apart"):
        LUNGS.analyse(volume, LungParameters())


def test_one_lung_that_the_reference_splits_is_refused_with_the_reason(phantom):
    volume = volume_from_phantom(with_one_lung(phantom, "left"))

    with pytest.raises(NoLungFoundError, match="parts of a single lung"):
        lung_masks(volume.voxels, volume.geometry.spacing.as_array())
    with pytest.raises(NothingFoundError, match=r"erosions: 10.* parts of a single lung"):
        LUNGS.analyse(volume, LungParameters())


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("share", [0.5, 0.65])
def test_one_lung_cut_from_front_to_back_is_not_called_right_and_left(phantom, side, share):
    """Two large parts side by side, which one erosion parts: only nearer than two lungs."""
    halved, lung = with_one_lung(phantom, side), getattr(phantom, side)
    columns = np.flatnonzero(lung.any(axis=(0, 1)))
    column = int(columns[0] + (columns[-1] - columns[0]) * share)
    tissue = np.zeros_like(lung)
    tissue[:, :, column : column + 2] = lung[:, :, column : column + 2]
    tissue[19:21, 60:72] = False  # a bridge
    halved.voxels_hu[tissue] = 40

    with pytest.raises(NothingFoundError, match=r"erosions: 1\).* as far apart as two lungs"):
        LUNGS.analyse(volume_from_phantom(halved), LungParameters())


@pytest.mark.parametrize(
    ("height", "depth", "widely"),
    [(0.06, 0.02, False), (0.125, 0.035, False), (0.25, 0.05, True), (0.6, 0.2, True)],
)
def test_lungs_that_touch_are_told_apart_and_it_is_said_how_widely(phantom, height, depth, widely):
    """An opening of up to 192 x 75 mm, which takes up to 6 erosions of 3 to 8 mm."""
    voxels = phantom.voxels_hu.copy()
    slices, rows, columns = voxels.shape
    opening = (
        slice(int(slices * (0.5 - height / 2)), int(slices * (0.5 + height / 2))),
        slice(int(rows * 0.3), int(rows * (0.3 + depth))),
        slice(int(columns * 0.42), int(columns * 0.58)),
    )
    voxels[opening] = -850
    joined = dataclasses.replace(phantom, voxels_hu=voxels)

    (finding, *_) = LUNGS.analyse(volume_from_phantom(joined), LungParameters())

    voxels_beside = np.ones_like(phantom.left)
    voxels_beside[opening] = False
    assert dice((finding.labels == RIGHT) & voxels_beside, phantom.right & voxels_beside) > 0.9
    assert dice((finding.labels == LEFT) & voxels_beside, phantom.left & voxels_beside) > 0.9
    assert bool(finding.remarks) == widely
    assert all("widely joined" in remark for remark in finding.remarks)


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
