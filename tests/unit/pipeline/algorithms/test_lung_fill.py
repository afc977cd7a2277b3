"""Enclosed background: by hand and against scikit-image's labels."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import measure

from pipeline.algorithms.lung_fill import fill_enclosed
from pipeline.errors import NoLungFoundError


def filled_as_in_the_reference(mask):
    """The reference's ``fill_hole``."""
    labels = measure.label(~mask)
    corners = labels[np.ix_((0, -1), (0, -1), (0, -1))]
    return ~np.isin(labels, corners)


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


@pytest.mark.parametrize("seed", range(40))
def test_filled_mask_is_the_references(seed):
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(2, 24, 3))
    noise = ndimage.gaussian_filter(random.standard_normal(shape), random.uniform(0.3, 2))
    mask = noise > np.quantile(noise, random.uniform(0.2, 0.6))
    mask[np.ix_((0, -1), (0, -1), (0, -1))] = False
    before = mask.copy()

    filled = fill_enclosed(mask)

    np.testing.assert_array_equal(filled, filled_as_in_the_reference(mask))
    np.testing.assert_array_equal(mask, before)


def test_mask_in_a_corner_of_the_volume_is_no_lung():
    mask = np.zeros((5, 6, 7), dtype=bool)
    mask[2:, 3:, 4:] = True

    with pytest.raises(NoLungFoundError, match="air around the patient"):
        fill_enclosed(mask)


def test_nothing_stays_nothing():
    assert not fill_enclosed(np.zeros((3, 4, 5), dtype=bool)).any()
