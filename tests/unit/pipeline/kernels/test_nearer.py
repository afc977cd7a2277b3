"""Which of two masks is nearer, against scipy's distances to the last bit."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.kernels.nearer import nearer
from tests.support.packing import packed, unpacked


def distances_mm(mask, spacing_mm):
    return ndimage.distance_transform_edt(~mask, sampling=spacing_mm)


def spacing(*mm):
    return np.array(mm, dtype=np.float32)


def random_spacing(random):
    """In steps of one size, whole multiples of one, and any: the first two make many ties."""
    step_mm = random.choice([0.1, 0.6, 0.7, 0.72265625, 1.0])
    choices = (
        (step_mm, step_mm, step_mm),
        (step_mm * random.integers(1, 5), step_mm, step_mm),
        (random.uniform(0.5, 8), step_mm, step_mm),
        random.uniform(0.3, 3, 3),
    )
    return spacing(*choices[random.integers(4)])


def random_case(random):
    """Where, and two masks in it, half of them each other's mirror image."""
    shape = random.integers(1, random.choice([6, 20, 45]), 3)
    where = random.random(shape) < random.choice([0.3, 0.9, 1.0])
    density = random.choice([0.002, 0.02, 0.2, 0.5])
    first = where & (random.random(shape) < density)
    second = where & (random.random(shape) < density)
    if random.random() < 0.5:
        axis = random.integers(3)
        first &= np.indices(shape)[axis] < shape[axis] // 2
        second = where & np.flip(first, axis)
    return where, first, second & ~first


def test_voxels_go_where_the_distances_of_scipy_send_them():
    random = np.random.default_rng(8)
    ties = near_ties = 0
    for _ in range(250):
        where, first, second = random_case(random)
        if not first.any() or not second.any():
            continue
        spacing_mm = random_spacing(random)
        one, other = distances_mm(first, spacing_mm), distances_mm(second, spacing_mm)

        given = nearer(packed(where), packed(first), packed(second), spacing_mm)

        to_first, to_second = (unpacked(words, where.shape[2]) for words in given)
        np.testing.assert_array_equal(to_first, where & (one < other))
        np.testing.assert_array_equal(to_second, where & (one > other))
        ties += np.count_nonzero(where & (one == other))
        near_ties += np.count_nonzero(where & (one != other) & (abs(one - other) < 1e-9))
    assert ties > 10_000
    assert near_ties > 0  # told apart by rounding alone


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_middle_between_two_masks_is_given_to_none(axis):
    where = np.ones((21, 21, 21), dtype=bool)
    first, second = np.zeros_like(where), np.zeros_like(where)
    np.moveaxis(first, axis, 0)[0] = True
    np.moveaxis(second, axis, 0)[20] = True

    given = nearer(packed(where), packed(first), packed(second), spacing(2.5, 0.7, 0.7))

    to_first, to_second = (np.moveaxis(unpacked(words, 21), axis, 0) for words in given)
    assert to_first[:10].all()
    assert to_second[11:].all()
    assert not (to_first | to_second)[10].any()


def test_spacing_decides_what_is_near():
    where = np.ones((1, 9, 9), dtype=bool)
    first, second = np.zeros_like(where), np.zeros_like(where)
    first[0, 4, 0] = second[0, 0, 4] = True
    square, flat = spacing(1, 1, 1), spacing(1, 3, 1)

    (equal, _), (flattened, _) = (
        nearer(packed(where), packed(first), packed(second), spacing_mm)
        for spacing_mm in (square, flat)
    )

    assert not unpacked(equal, 9)[0, 4, 4]
    assert unpacked(flattened, 9)[0, 4, 4]


def test_far_away_voxels_of_a_large_volume_are_told_apart():
    """Beyond what bounds on blocks tell: a thin wall half way, in some slices only."""
    where = np.zeros((40, 60, 200), dtype=bool)
    first, second = np.zeros_like(where), np.zeros_like(where)
    first[5:30, 10:50, 2:60] = True
    second[5:30, 10:50, 141:199] = True
    where[20:22, :, 95:106] = True
    where |= first | second
    spacing_mm = spacing(3, 0.7, 0.7)

    given = nearer(packed(where), packed(first), packed(second), spacing_mm)

    one, other = distances_mm(first, spacing_mm), distances_mm(second, spacing_mm)
    assert np.count_nonzero(where & (one == other)) > 50
    np.testing.assert_array_equal(unpacked(given[0], 200), where & (one < other))
    np.testing.assert_array_equal(unpacked(given[1], 200), where & (one > other))
