"""Ours against what the references made of the same volumes, kept as digests."""

import json

import numpy as np
import pytest

from pipeline.algorithms.brain import brain_mask
from pipeline.algorithms.mip import sliding_maximum
from pipeline.algorithms.rotating_mip import rotating_maximum
from tests.golden.cases import (
    CHESTS,
    HEAD_CLOSING_RADIUS,
    HEAD_THRESHOLDS,
    PETS,
    ROTATING_ANGLES,
    SLIDING_WINDOW,
)
from tests.golden.digest import digest, our_chest_entry
from tests.golden.make import FILE
from tests.support.heads import head

GOLDEN = json.loads(FILE.read_text())
AXES = {"axial": 0, "coronal": 1, "sagittal": 2}


def test_every_case_has_its_digests_and_every_digest_its_case():
    assert set(GOLDEN["chests"]) == set(CHESTS)
    assert set(GOLDEN["heads"]) == set(HEAD_THRESHOLDS)
    assert set(GOLDEN["pets"]) == set(PETS)


@pytest.mark.parametrize("name", CHESTS)
def test_lungs_and_their_preparation_are_the_references(name):
    """Where the reference gives no sound result, they are ours as they were."""
    expected = dict(GOLDEN["chests"][name])
    made_from = expected.pop("input")
    fails, _made = expected.pop("reference_fails", ""), expected.pop("reference", "")
    chest = CHESTS[name].make()
    assert digest(chest.voxels_hu) == made_from, "the phantom is not the one the digests are of"

    assert our_chest_entry(chest) == expected
    assert CHESTS[name].reference_fails == fails


@pytest.mark.parametrize("name", GOLDEN["slabs"])
def test_slabs_are_those_of_nidataset(name):
    expected = dict(GOLDEN["slabs"][name])
    voxels = CHESTS[name].make().voxels_hu
    assert digest(voxels) == expected.pop("input")

    for view, axis in AXES.items():
        assert digest(sliding_maximum(voxels, SLIDING_WINDOW, axis)) == expected[view]


@pytest.mark.parametrize("name", HEAD_THRESHOLDS)
def test_brain_is_that_of_nidataset(name):
    expected = GOLDEN["heads"][name]
    voxels = head(name).voxels
    assert digest(voxels) == expected["input"], "the phantom is not the one the digests are of"

    mask = brain_mask(voxels, HEAD_THRESHOLDS[name], HEAD_CLOSING_RADIUS)

    assert np.count_nonzero(mask) == expected["voxels"]
    assert digest(mask) == expected["mask"]


@pytest.mark.parametrize("name", PETS)
def test_views_of_a_turn_are_those_of_scipy(name):
    """Ours are as wide as the diagonal; the reference cuts to the slice's width."""
    expected = GOLDEN["pets"][name]
    voxels, spacing = PETS[name]()
    assert digest(voxels) == expected["input"]

    views = rotating_maximum(voxels, spacing, angles=ROTATING_ANGLES).views

    margin = (views.shape[2] - voxels.shape[2]) // 2
    assert digest(views[:, :, margin : margin + voxels.shape[2]]) == expected["views"]
