"""The range chosen by Otsu's method against scikit-image on the values in float64."""

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from pipeline.algorithms.brain_threshold import otsu_range
from pipeline.errors import NotApplicableError, NothingFoundError
from tests.support.heads import HEADS, head


def by_scikit_image(voxels):
    threshold = threshold_otsu(voxels[voxels > 0].astype(np.float64))
    return threshold * 0.5, threshold * 2.0


@pytest.mark.parametrize("name", HEADS)
def test_range_of_a_head_is_scikit_images(name):
    voxels = head(name).voxels

    assert otsu_range(voxels) == by_scikit_image(voxels)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_range_of_random_values_is_scikit_images(kind):
    random = np.random.default_rng(8)
    for _ in range(80):
        mixture = random.normal([20, 120], random.random(2) * 40, (*random.integers(1, 9, 2), 2))
        voxels = np.clip(mixture, 0, 255).astype(kind)
        if (voxels > 0).any():
            assert otsu_range(voxels) == by_scikit_image(voxels)


def test_integers_are_put_into_bins_as_if_they_were_floats():
    """Not one bin a value, as scikit-image would for integers: nidataset reads float64."""
    voxels = np.arange(1, 3001, dtype=np.int16).reshape(10, 10, 30)

    low, high = otsu_range(voxels)

    assert (low, high) == by_scikit_image(voxels)
    assert high / 2 != threshold_otsu(voxels)


@pytest.mark.parametrize("value", [7, 0.1])
def test_one_value_alone_is_its_own_threshold(value):
    assert otsu_range(np.full((2, 3, 4), value)) == (0.5 * value, 2 * value)


def test_values_too_close_for_the_bins_count_as_one():
    voxels = np.array([1.0, np.nextafter(1.0, 2.0)]).reshape(1, 1, 2)

    assert otsu_range(voxels) == (0.5, 2.0)


def test_values_of_zero_and_below_take_no_part():
    voxels = head("ct plain").voxels

    assert otsu_range(np.maximum(voxels, 0)) == otsu_range(voxels)


def test_nothing_above_zero_is_said():
    with pytest.raises(NothingFoundError, match="above 0"):
        otsu_range(np.full((2, 3, 4), -1000, dtype=np.int16))


def test_infinite_values_are_refused():
    with pytest.raises(NotApplicableError, match="infinite"):
        otsu_range(np.array([[[1.0, np.inf, 3.0]]]))
