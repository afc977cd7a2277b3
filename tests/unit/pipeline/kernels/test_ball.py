"""The closing with a ball against the plain formulation."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.kernels.ball import close_by_ball
from pipeline.kernels.runs import encode, paint


def closed(mask, radius):
    runs = close_by_ball(encode(mask), radius)
    return paint(runs, np.ones(runs.starts.size, dtype=bool))


def plainly_closed(mask, radius):
    """What the closing is by definition, outside as the kernel's docstring says."""
    offsets = np.indices((2 * radius + 1,) * 3) - radius
    ball = (offsets**2).sum(axis=0) <= radius**2
    dilated = ndimage.binary_dilation(mask, ball)
    return ndimage.binary_erosion(dilated, ball, border_value=1)


@pytest.mark.parametrize("radius", range(6))
def test_random_masks_are_closed_as_by_definition(radius):
    """Shapes of all kinds: one voxel thick, less than the ball, rows around whole words."""
    random = np.random.default_rng(radius)
    for columns in (1, 5, 31, 63, 64, 65, 127, 128, 130):
        for share in (0.01, 0.1, 0.4):
            shape = (*random.integers(1, 12, 2), columns)
            mask = random.random(shape) < share
            np.testing.assert_array_equal(closed(mask, radius), plainly_closed(mask, radius))


def test_gap_as_wide_as_the_ball_is_closed_and_a_wider_one_is_not():
    mask = np.zeros((9, 9, 200), dtype=bool)
    mask[:, :, :60] = mask[:, :, 64:130] = mask[:, :, 135:] = True

    result = closed(mask, 2)

    assert result[4, 4, 60:64].all()
    assert not result[4, 4, 132]


def test_lone_voxel_stays_alone_even_at_the_border():
    mask = np.zeros((5, 6, 7), dtype=bool)
    mask[0, 0, 6] = True

    np.testing.assert_array_equal(closed(mask, 3), mask)


@pytest.mark.parametrize("value", [False, True])
def test_empty_and_full_masks_stay_so(value):
    mask = np.full((4, 5, 64), value)

    np.testing.assert_array_equal(closed(mask, 20), mask)


def test_negative_radius_is_refused():
    with pytest.raises(ValueError, match="radius is -1"):
        closed(np.ones((2, 2, 2), dtype=bool), -1)
