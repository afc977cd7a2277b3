"""What lies in the hulls of regions, against scikit-image."""

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from pipeline.kernels.components import Connectivity, label
from pipeline.kernels.region_hulls import others_in_hulls
from pipeline.kernels.runs import encode
from tests.support.packing import unpacked


def test_other_regions_in_the_hulls_of_chosen_ones_are_found():
    random = np.random.default_rng(4)
    found = 0
    for _ in range(60):
        shape = random.integers((1, 1, 1), (4, 40, 80))
        mask = ndimage.gaussian_filter(random.standard_normal(shape), (0, 1, 1)) > 0.05
        parts = label(encode(mask), Connectivity.EIGHT_IN_SLICE)
        chosen = random.random(parts.count + 1) < 0.3
        numbers = np.zeros(shape, dtype=int)
        for number in range(1, parts.count + 1):
            numbers[parts.mask(np.arange(parts.count + 1) == number)] = number

        words = others_in_hulls(parts, chosen)

        expected = np.zeros(shape, dtype=bool)
        for number in np.flatnonzero(chosen[1:]) + 1:
            index = np.nonzero(numbers == number)[0][0]
            expected[index] |= convex_hull_image(numbers[index] == number)
        expected &= mask & ~chosen[numbers]
        np.testing.assert_array_equal(unpacked(words, shape[2]), expected)
        found += np.count_nonzero(expected)
    assert found > 100


def test_nothing_is_found_where_all_or_none_are_chosen():
    parts = label(encode(np.eye(6, dtype=bool)[np.newaxis, ::2]), Connectivity.EIGHT_IN_SLICE)

    for every in (True, False):
        assert not others_in_hulls(parts, np.full(parts.count + 1, every)).any()
