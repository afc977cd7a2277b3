"""Two lungs out of one mask, against the reference's way in scipy and scikit-image."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import measure

from pipeline.algorithms.lung_split import split_lungs
from pipeline.errors import NothingFoundError
from pipeline.phantom import chest_phantom

UNIT_SPACING = np.ones(3, dtype=np.float32)


def largest_first(labels):
    """The regions of a label array; of equally large ones the lower label comes first."""
    return sorted(measure.regionprops(labels), key=lambda region: -region.area)


def main_of_slice(plane):
    """Whatever lies in the hulls of the largest regions that cover 95 % of a slice."""
    covered, within = 0, np.zeros_like(plane)
    for region in largest_first(measure.label(plane)):
        if covered >= 0.95 * plane.sum():
            break
        covered += region.area
        within[region.slice] |= region.image_convex
    return plane & within


def tidied_as_in_the_reference(lung):
    """The reference's ``extract_main`` and ``fill_2d_hole``; none where nothing is left."""
    main = measure.label(np.stack([main_of_slice(plane) for plane in lung]))
    if not main.any():
        return None
    main = main == largest_first(main)[0].label
    for plane in main:
        for region in measure.regionprops(measure.label(plane)):
            plane[region.slice] |= region.image_filled
    return main


def cores_as_in_the_reference(mask):
    """Labels, the two parts of them that are of similar size, and after how many erosions."""
    for erosions in range(22):
        labels = measure.label(mask, connectivity=2)
        parts = largest_first(labels)[:2]
        if len(parts) > 1 and parts[0].area / parts[1].area < 4.8:
            return labels, parts, erosions
        mask = ndimage.binary_erosion(mask)
    return None


def split_as_in_the_reference(mask, spacing_mm):
    """The reference's ``two_lung_only``: two lungs, erosions, share in the cores; else none."""
    cores = cores_as_in_the_reference(mask)
    if cores is None:
        return None
    labels, parts, erosions = cores
    one, other = (
        ndimage.distance_transform_edt(labels != part.label, sampling=spacing_mm) for part in parts
    )
    lungs = [tidied_as_in_the_reference(mask & nearer) for nearer in (one < other, one > other)]
    if any(lung is None for lung in lungs):
        return None
    return (*lungs, erosions, sum(part.area for part in parts) / mask.sum())


def random_mask(random):
    """Two ellipsoids, often joined, ragged or each other's mirror image; or blobs; or noise."""
    shape = random.integers((4, 14, 14), (18, 40, random.choice([40, 90])))
    kind = random.integers(6)
    if kind == 0:
        return random.random(shape) < random.uniform(0.3, 0.9)
    if kind == 1:
        noise = random.standard_normal(shape)
        return ndimage.gaussian_filter(noise, random.uniform(0.8, 2.5)) > random.uniform(-0.1, 0.1)
    index, row, column = np.indices(shape)
    tall, deep, wide = shape * (0.45, 0.4, 0.2) * random.uniform(0.7, 1.2, 3)
    mask = np.zeros(shape, dtype=bool)
    for place in (0.28, 0.72):
        middle = shape * (0.5, 0.5, place) + (kind > 2) * random.normal(0, 1, 3)
        form = ((index - middle[0]) / tall) ** 2 + ((row - middle[1]) / deep) ** 2
        mask |= form + ((column - middle[2]) / wide) ** 2 < 1
    bridge = [slice(int(size * 0.4), int(size * 0.4) + random.integers(0, 6)) for size in shape]
    mask[bridge[0], bridge[1], shape[2] // 4 : shape[2] * 3 // 4] = True
    if kind == 2:
        return mask | mask[:, :, ::-1]
    mask &= random.random(shape) >= random.choice([0.0, 0.005, 0.05])
    return mask | (random.random(shape) < random.choice([0.0, 0.01]))


def random_spacing(random):
    step_mm = random.choice([0.6, 0.72265625, 0.9765625, 1.0])
    slice_mm = random.choice([step_mm, 2 * step_mm, 2.5, random.uniform(0.5, 8)])
    return np.array([slice_mm, step_mm, step_mm * random.choice([1, 1, 1.3])], dtype=np.float32)


def split_or_none(mask, spacing_mm):
    try:
        return split_lungs(mask, spacing_mm)
    except NothingFoundError:
        return None


def test_random_masks_are_split_as_in_the_reference():
    random = np.random.default_rng(21)
    refused = erosions = undecided = 0
    for _ in range(90):
        mask, spacing_mm = random_mask(random), random_spacing(random)

        split = split_or_none(mask, spacing_mm)

        expected = split_as_in_the_reference(mask, spacing_mm)
        if expected is None or split is None:
            assert split is expected
            refused += 1
            continue
        np.testing.assert_array_equal(split.first.mask, expected[0])
        np.testing.assert_array_equal(split.second.mask, expected[1])
        assert (split.erosions, split.core_share) == expected[2:]
        erosions += split.erosions
        undecided += np.count_nonzero(mask & ~(split.first.mask | split.second.mask))
    assert 0 < refused < 25
    assert erosions > 40
    assert undecided > 1000


def test_memory_order_makes_no_difference_and_the_mask_is_left_as_it_was():
    mask = random_mask(np.random.default_rng(3))
    other_order = np.asfortranarray(mask)
    other_order.setflags(write=False)

    expected, split = split_lungs(mask, UNIT_SPACING), split_lungs(other_order, UNIT_SPACING)

    np.testing.assert_array_equal(split.first.mask, expected.first.mask)
    np.testing.assert_array_equal(split.second.mask, expected.second.mask)


def test_joined_blocks_are_parted_half_way():
    mask = np.zeros((9, 9, 31), dtype=bool)
    mask[1:8, 1:8, 1:12] = True
    mask[1:8, 1:8, 19:30] = True
    mask[4, 4, 12:19] = True

    split = split_lungs(mask, UNIT_SPACING)

    first, second = split.first.mask, split.second.mask
    expected = mask.copy()
    expected[:, :, 15] = False  # as far from one as from the other
    np.testing.assert_array_equal(first | second, expected)
    assert not first[:, :, 15:].any()
    assert not second[:, :, :16].any()


def test_what_was_taken_off_is_told():
    mask = np.zeros((9, 9, 31), dtype=bool)
    mask[1:8, 1:8, 1:12] = True
    mask[1:8, 1:8, 19:30] = True
    apart = split_lungs(mask, UNIT_SPACING)
    mask[4, 4, 12:19] = True
    joined = split_lungs(mask, UNIT_SPACING)

    assert (apart.erosions, apart.core_share) == (0, 1.0)
    assert joined.erosions == 1
    assert joined.core_share == 2 * (5 * 5 * 9 + 1) / mask.sum()  # and where the bridge begins


def test_size_and_place_of_each_lung_are_those_of_its_mask():
    phantom = chest_phantom(slices=30, size=96)
    split = split_lungs(phantom.right | phantom.left, phantom.spacing.as_array())

    for lung in (split.first, split.second):
        places = np.argwhere(lung.mask)
        assert lung.voxels == len(places)
        np.testing.assert_allclose(lung.centre, places.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("voxels", [0, 7])
def test_nothing_and_a_single_block_are_not_parted(voxels):
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[1 : 1 + voxels, 1 : 1 + voxels, 1 : 1 + voxels] = True

    with pytest.raises(NothingFoundError, match="cannot be told apart"):
        split_lungs(mask, UNIT_SPACING)
