"""Thresholds on a smoothed slice against scipy's Gaussian, bit for bit."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.kernels.smoothing import smoothed_below


@pytest.mark.parametrize("stored", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(40, 33), (5, 64), (1, 1), (1, 9), (9, 1), (2, 3), (3, 2)], ids=str
)
def test_pixels_at_the_threshold_are_told_apart_as_scipy_does(shape, stored):
    """Each threshold is a value that occurs: one rounding more or less would show."""
    random = np.random.default_rng(2)
    plane = random.integers(-32768, 32768, shape).astype(np.int16)
    smoothed = ndimage.gaussian_filter(plane.astype(stored), 1, truncate=2.0)

    for threshold in random.choice(smoothed.ravel(), 40):
        below = smoothed_below(plane, float(threshold), stored=stored)
        np.testing.assert_array_equal(below, smoothed < threshold)


def test_slice_is_left_as_it_was_and_may_be_protected():
    plane = np.random.default_rng(3).integers(-700, -500, (8, 9)).astype(np.int16)
    before = plane.copy()
    plane.setflags(write=False)

    smoothed_below(plane, -600, stored=np.float32)

    np.testing.assert_array_equal(plane, before)
