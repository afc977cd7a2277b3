"""Linear resampling, against `scipy.ndimage.zoom`."""

import warnings

import numpy as np
import pytest
from scipy import ndimage

from pipeline.kernels.resample import linear_taps, resample_linear, zoom_step

# Voxels and samples of an axis whose last sample rounding carries beyond its last voxel.
BEYOND_THE_END = [
    (size, samples)
    for size in range(2, 50)
    for samples in range(2, 80)
    if (samples - 1) * ((size - 1) / (samples - 1)) > size - 1
]


def resampled(voxels, shape):
    sizes = zip(voxels.shape, shape, strict=True)
    return resample_linear(voxels, tuple(linear_taps(*axis, 0, axis[1]) for axis in sizes))


def zoomed(voxels, shape):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy speaks of axes with a single voxel
        return ndimage.zoom(voxels, np.divide(shape, voxels.shape), order=1, mode="nearest")


def random_bytes(random, shape):
    """Noise, two values of which every other sum may be a half, or the values around padding."""
    match random.integers(3):
        case 0:
            return random.integers(0, 256, shape, dtype=np.uint8)
        case 1:
            return random.integers(0, 2, shape, dtype=np.uint8) * random.integers(1, 256)
        case _:
            return random.choice(np.array([0, 169, 170, 171, 255], dtype=np.uint8), shape)


@pytest.mark.parametrize("halves", [False, True])
def test_samples_are_those_of_scipy(halves):
    """With ``halves``, samples lie on voxels and midway: what to round is often exactly a half."""
    random = np.random.default_rng(17)
    for _ in range(120):
        size = random.integers(1, 34, 3)
        shape = 2 * size - 1 if halves else random.integers(1, 60, 3)
        voxels = random_bytes(random, size).astype(np.uint8)

        np.testing.assert_array_equal(resampled(voxels, shape), zoomed(voxels, shape))


def test_last_sample_a_rounding_error_beyond_the_end_is_that_of_scipy():
    random = np.random.default_rng(19)
    for _ in range(120):
        size, shape = random.choice(BEYOND_THE_END, 3).T
        voxels = random_bytes(random, size).astype(np.uint8)

        np.testing.assert_array_equal(resampled(voxels, shape), zoomed(voxels, shape))


def test_part_of_an_axis_is_the_same_as_in_the_whole():
    voxels = np.random.default_rng(23).integers(0, 256, (9, 14, 20), dtype=np.uint8)
    taps = linear_taps(9, 31, 5, 28), linear_taps(14, 10, 0, 10), linear_taps(20, 33, 32, 33)

    part = resample_linear(voxels, taps)

    np.testing.assert_array_equal(part, zoomed(voxels, (31, 10, 33))[5:28, :, 32:33])


def test_shares_are_those_of_the_two_neighbours():
    taps = linear_taps(3, 5, 0, 5)

    np.testing.assert_array_equal(taps.indices, [[0, 0, 1, 1, 2], [1, 1, 2, 2, 2]])
    np.testing.assert_array_equal(taps.weights, [[1, 0.5, 1, 0.5, 1], [0, 0.5, 0, 0.5, 0]])


@pytest.mark.parametrize(("size", "samples", "step"), [(5, 9, 0.5), (4, 1, 1.0), (1, 4, 0.0)])
def test_first_and_last_sample_lie_on_the_ends(size, samples, step):
    assert zoom_step(size, samples) == step
