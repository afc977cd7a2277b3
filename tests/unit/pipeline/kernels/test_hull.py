"""Convex hulls of planes, against those of scikit-image."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import convex_hull_image

from pipeline.kernels.hull import fill_hull, hulls, widen_to_hull


def hull_of(plane):
    hull = np.ones(plane.shape, dtype=bool)  # what was there must not show through
    fill_hull(plane, hull)
    return hull


def drawn(*lines):
    return np.array([[pixel == "#" for pixel in line] for line in lines])


def random_plane(random):
    """Noise, scattered pixels, blobs, lines and ellipses of any shape, some of them empty."""
    rows, columns = shape = tuple(random.integers(1, random.choice([4, 12, 50]), 2))
    match random.integers(5):
        case 0:
            return random.random(shape) < random.random()
        case 1:
            return random.random(shape) < 3 / (rows * columns)
        case 2:
            noise = random.standard_normal(shape)
            return ndimage.gaussian_filter(noise, 4 * random.random()) > 0.2 * random.random()
        case 3:
            steps = np.linspace(0, 1, rows + columns)[:, np.newaxis]
            start, end = random.integers(0, shape, (2, 2))
            line = np.zeros(shape, dtype=bool)
            line[tuple(np.round(start + (end - start) * steps).astype(int).T)] = True
            return line
        case _:
            row, column = np.indices(shape)
            down, across = random.random(2) * shape
            tall, wide = random.random(2) * shape + 0.3
            return ((row - down) / tall) ** 2 + ((column - across) / wide) ** 2 < random.random()


@pytest.mark.filterwarnings("ignore:Input image is entirely zero")
def test_hulls_of_random_planes_are_those_of_scikit_image():
    random = np.random.default_rng(11)
    for _ in range(4000):
        plane = random_plane(random)
        np.testing.assert_array_equal(hull_of(plane), convex_hull_image(plane))


@pytest.mark.filterwarnings("ignore:Input image is entirely zero")
@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.045, 0.055, 1.0])
def test_hulls_of_large_slices_are_those_of_scikit_image(threshold):
    noise = np.random.default_rng(3).standard_normal((2, 512, 300))
    mask = ndimage.gaussian_filter(noise, (0, 9, 5)) > threshold

    filled = hulls(mask)

    for plane, hull in zip(mask, filled, strict=True):
        np.testing.assert_array_equal(hull, convex_hull_image(plane))


def test_memory_order_makes_no_difference():
    mask = np.random.default_rng(5).random((3, 20, 30)) < 0.01

    np.testing.assert_array_equal(hulls(np.asfortranarray(mask)), hulls(mask))
    np.testing.assert_array_equal(hulls(mask[:, ::-1, ::-1]), hulls(mask)[:, ::-1, ::-1])


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (7, 3)])
def test_nothing_has_an_empty_hull(shape):
    assert not hull_of(np.zeros(shape, dtype=bool)).any()


def test_a_pixel_and_a_straight_line_are_their_own_hulls():
    for plane in (drawn("#"), drawn("...", ".#.", "..."), drawn("#..", ".#.", "..#")):
        np.testing.assert_array_equal(hull_of(plane), plane)


def test_a_pixel_on_the_border_of_the_hull_belongs_to_it():
    """From the middle of one pixel's edge to another's, the border meets centres between them."""
    plane = drawn("#....", "....#")

    np.testing.assert_array_equal(hull_of(plane), drawn("###..", "..###"))


def test_rows_between_the_parts_of_a_region_are_filled():
    first, last = np.array([9, 2, 9, 9, 2, 9]), np.array([8, 4, 8, 8, 4, 8])

    widen_to_hull(first, last)

    np.testing.assert_array_equal(first[1:5], 2)
    np.testing.assert_array_equal(last[1:5], 4)
    assert (first > last).tolist() == [True, False, False, False, False, True]
