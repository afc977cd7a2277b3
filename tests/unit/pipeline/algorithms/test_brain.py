"""The brain mask: against nidataset's own, against the phantoms' truth, and what is said of it."""

import dataclasses
import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from pipeline.algorithms.brain import BRAIN, BrainParameters, brain_mask
from pipeline.errors import NotApplicableError, NothingFoundError
from pipeline.phantom import chest_phantom
from pipeline.volume import Volume
from tests.phantoms import volume_from_phantom
from tests.support.heads import HEADS, HeadPhantom, head

# Voxels of these heads are large: a ball of three would close the skull.
RADIUS = 1
THRESHOLDS = {
    "ct plain": (20, 100),
    "ct contrast": (50, 300),
    "ct craniotomy": (20, 100),
    "mr t1": None,
    "mr t2": (100, 500),
    "mr shaded": None,
}
# SHA-256 of np.packbits(mask), masks of nidataset 0.9.1 itself: generate_brain_mask with the
# thresholds above and closing_radius=1 on these phantoms, their axes as they are here, with
# scikit-image 0.26.0, scipy 1.17.1, numpy 2.4.6.
REFERENCE_DIGESTS = {
    "ct plain": "9ba2c4af07423282716803062420790160b195e6eeff4aeb049b8aca53c26046",
    "ct contrast": "a7f9384db6e9e8f992c68015581b90a35b3efe487c1a9af2f80ca57dfae90b75",
    "ct craniotomy": "f162bbcbf2f7451c3db715111f2207d205d3e65ccf8301cf75d389bf5c3eb7a4",
    "mr t1": "8f7acc8597f49b65d5c9f66427891355700db286b154b4a709a8051892146b57",
    "mr t2": "f03953319b30961369ee36e138de395a0afd7fec691dfe86913689dc9fb8d802",
    "mr shaded": "464c591a602178a97d1742acba3d4bea8004bb536a6c6bc9f3e784b4dd40c024",
}


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def volume_of(phantom: HeadPhantom, modality: str) -> Volume:
    """The phantom as a series; of its headers only the modality is the head's."""
    chest = volume_from_phantom(chest_phantom(slices=len(phantom.voxels), size=16))
    first, *others = chest.sources
    header = first.header.copy()
    header.Modality = modality
    sources = (dataclasses.replace(first, own_header=header), *others)
    return dataclasses.replace(chest, voxels=phantom.voxels, sources=sources)


@pytest.fixture(scope="module")
def ct() -> Volume:
    return volume_of(head("ct plain"), "CT")


@pytest.fixture(scope="module")
def mr() -> Volume:
    return volume_of(head("mr t1"), "MR")


@pytest.fixture
def nidataset() -> ModuleType:
    """nidataset, whose imports warn."""
    import nidataset.volume  # noqa: PLC0415

    return nidataset.volume


def masked_by_nidataset(nidataset, folder: Path, voxels, threshold, radius) -> np.ndarray[Any, Any]:
    """What nidataset's function makes of a file with these voxels."""
    path = folder / "head.nii.gz"
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
    made = nidataset.generate_brain_mask(str(path), str(folder), threshold, radius)
    return np.asarray(nib.load(made).dataobj) > 0


@pytest.mark.parametrize("name", HEADS)
def test_mask_is_the_one_that_nidataset_made(name):
    mask = brain_mask(head(name).voxels, THRESHOLDS[name], RADIUS)

    assert hashlib.sha256(np.packbits(mask).tobytes()).hexdigest() == REFERENCE_DIGESTS[name]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("threshold", [None, (40, 260)], ids=["otsu", "range"])
@pytest.mark.parametrize("name", HEADS)
def test_mask_is_the_one_that_nidataset_makes_now(name, threshold, nidataset, tmp_path):
    voxels = head(name, slices=24, size=40).voxels

    expected = masked_by_nidataset(nidataset, tmp_path, voxels, threshold, 2)

    np.testing.assert_array_equal(brain_mask(voxels, threshold, 2), expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("radius", range(6))
def test_masks_of_noise_are_those_that_nidataset_makes_now(radius, nidataset, tmp_path):
    """Many parts, many of them of one size, and holes of every kind."""
    random = np.random.default_rng(radius)
    for kind in (np.int16, np.uint16, np.float32):
        for threshold in (None, (90, 140)):
            voxels = np.abs(random.normal(100, 40, random.integers(3, 14, 3))).astype(kind)
            expected = masked_by_nidataset(nidataset, tmp_path, voxels, threshold, radius)
            np.testing.assert_array_equal(brain_mask(voxels, threshold, radius), expected)


@pytest.mark.parametrize(
    ("name", "at_least"), [("ct plain", 0.92), ("ct contrast", 0.92), ("mr shaded", 0.99)]
)
def test_mask_covers_the_brain_and_little_else(name, at_least):
    phantom = head(name)

    assert dice(brain_mask(phantom.voxels, THRESHOLDS[name], RADIUS), phantom.brain) > at_least


def test_otsu_on_ct_finds_no_brain():
    """Why it is no default for CT."""
    phantom = head("ct plain")

    assert dice(brain_mask(phantom.voxels, None, RADIUS), phantom.brain) < 0.1


def test_first_of_equal_parts_is_kept():
    voxels = np.zeros((3, 4, 9), dtype=np.int16)
    voxels[1, 1:3, 6:8] = voxels[1, 1:3, 1:3] = voxels[0, 3, 4] = 50

    mask = brain_mask(voxels, (40, 60), 0)

    np.testing.assert_array_equal(np.argwhere(mask), [[1, 1, 1], [1, 1, 2], [1, 2, 1], [1, 2, 2]])


def test_parts_that_share_an_edge_are_two():
    voxels = np.zeros((2, 2, 4), dtype=np.int16)
    voxels[0, 0, :3] = voxels[0, 1, 3] = 50

    assert np.count_nonzero(brain_mask(voxels, (40, 60), 0)) == 3


def test_axes_in_another_order_give_the_same_voxels():
    voxels = head("ct plain", slices=24, size=40).voxels

    turned = brain_mask(voxels.transpose(2, 1, 0), (20, 100), 2)

    np.testing.assert_array_equal(turned.transpose(2, 1, 0), brain_mask(voxels, (20, 100), 2))


def test_volume_is_left_as_it_was():
    voxels = head("mr t1", slices=24, size=40).voxels
    before = voxels.copy()
    voxels.setflags(write=False)

    brain_mask(voxels, None, 2)

    np.testing.assert_array_equal(voxels, before)


def test_range_without_voxels_is_said():
    with pytest.raises(NothingFoundError, match="No voxel has a value from 20 to 100"):
        brain_mask(np.full((4, 5, 6), -1000, dtype=np.int16), (20, 100))


def test_mask_is_labelled_brain(ct):
    (finding, *_) = BRAIN.analyse(ct, BrainParameters(closing_radius=RADIUS))

    expected = brain_mask(ct.voxels, (20, 100), RADIUS)
    np.testing.assert_array_equal(finding.labels, expected.astype(np.uint8))
    assert finding.labels.dtype == np.uint8
    (segment,) = finding.segments
    assert (segment.number, segment.label, segment.laterality) == (1, "Brain", None)
    assert (segment.type.value, segment.type.scheme) == ("12738006", "SCT")
    assert segment.category.value == "123037004"
    assert finding.remarks == ()


@pytest.mark.parametrize(
    ("preset", "threshold"), [("ct-plain", (20, 100)), ("ct-contrast", (50, 300)), ("otsu", None)]
)
def test_preset_is_a_range_for_ct(ct, preset, threshold):
    (finding, *_) = BRAIN.analyse(ct, BrainParameters(preset=preset, closing_radius=RADIUS))

    np.testing.assert_array_equal(finding.labels, brain_mask(ct.voxels, threshold, RADIUS))


@pytest.mark.parametrize(
    ("preset", "threshold"),
    [("auto", None), ("otsu", None), ("mr-t1", (50, 200)), ("mr-t2", (100, 500))],
)
def test_preset_is_a_range_for_mr(mr, preset, threshold):
    (finding, *_) = BRAIN.analyse(mr, BrainParameters(preset=preset, closing_radius=RADIUS))

    np.testing.assert_array_equal(finding.labels, brain_mask(mr.voxels, threshold, RADIUS))
    assert finding.remarks == ()


def test_range_of_ones_own_takes_the_place_of_a_preset(ct):
    (finding, *_) = BRAIN.analyse(ct, BrainParameters(low=25, high=60.5, closing_radius=RADIUS))

    np.testing.assert_array_equal(finding.labels, brain_mask(ct.voxels, (25, 60.5), RADIUS))


def test_otsu_on_ct_carries_a_warning(ct):
    (finding, *_) = BRAIN.analyse(ct, BrainParameters(preset="otsu", closing_radius=RADIUS))

    (remark,) = finding.remarks
    assert "bone rather than brain" in remark
    assert "HU" in remark


@pytest.mark.parametrize(("preset", "its"), [("mr-t1", "MR"), ("mr-t2", "MR")])
def test_mr_preset_on_ct_is_refused(ct, preset, its):
    with pytest.raises(NotApplicableError, match=f"'{preset}' is a range of {its} values"):
        BRAIN.analyse(ct, BrainParameters(preset=preset))


def test_ct_preset_on_mr_is_refused(mr):
    with pytest.raises(NotApplicableError, match="'ct-plain' is a range of CT values"):
        BRAIN.analyse(mr, BrainParameters(preset="ct-plain"))


def test_skull_is_stripped_when_asked_for(ct):
    labels, stripped, _measured = BRAIN.analyse(ct, BrainParameters(skull_stripped=True))

    inside = labels.labels == 1
    np.testing.assert_array_equal(stripped.voxels[inside], ct.voxels[inside])
    assert (stripped.voxels[~inside] == ct.voxels.min()).all()
    assert stripped.voxels.dtype == ct.voxels.dtype


def test_stripped_volume_is_coded_as_masked_slice_by_slice(ct, mr):
    for volume in (ct, mr):
        _labels, stripped, _measured = BRAIN.analyse(volume, BrainParameters(skull_stripped=True))
        assert stripped.image_type == "MASKED"
        assert [code.value for code in stripped.derivation] == ["113076", "113047"]
        assert stripped.source_slices == tuple((index,) for index in range(len(volume.voxels)))
        assert stripped.locations_preserved
        assert stripped.slab_mm == volume.geometry.spacing.slice_mm


@pytest.mark.parametrize("preset", ["ct", "", None, "OTSU"])
def test_unknown_preset_is_refused_with_those_there_are(preset):
    with pytest.raises(ValueError, match="auto, ct-plain, ct-contrast, mr-t1, mr-t2, otsu"):
        BrainParameters(preset=preset)


@pytest.mark.parametrize(
    ("low", "high"),
    [(20, None), (None, 100), (100, 20), (float("nan"), 100), (20, float("inf"))],
)
def test_range_that_is_none_is_refused_with_what_is_allowed(low, high):
    with pytest.raises(ValueError, match="give both, two numbers"):
        BrainParameters(low=low, high=high)


def test_range_beside_a_preset_is_refused():
    with pytest.raises(ValueError, match="give the one or the other"):
        BrainParameters(preset="ct-plain", low=20, high=90)


@pytest.mark.parametrize("radius", [-1, 21, 2.0, "3", True, None])
def test_radius_out_of_range_is_refused_with_what_is_allowed(radius):
    with pytest.raises(ValueError, match=r"closing_radius is .*from 0 to 20"):
        BrainParameters(closing_radius=radius)


@pytest.mark.parametrize("radius", [0, 20])
def test_ends_of_the_radius_are_allowed(radius):
    assert BrainParameters(closing_radius=radius).closing_radius == radius


def test_algorithm_is_for_ct_and_mr():
    assert BRAIN.modalities == {"CT", "MR"}
    assert BRAIN.parameters() == BrainParameters()
