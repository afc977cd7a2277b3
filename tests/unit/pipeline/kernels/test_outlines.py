"""Outlines against scikit-image: its marching squares, its filling, and by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from skimage.measure import find_contours

from pipeline.kernels.outlines import outlines
from tests.support.contours import filled

masks = arrays.arrays(
    bool,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.booleans(),
)


def random_masks(count):
    random = np.random.default_rng(3)
    for _ in range(count):
        shape = random.integers(1, 24, 2)
        yield random.random(shape) < random.choice([0.1, 0.4, 0.6, 0.8, 0.95])


def mask_of(*rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def edges(outline):
    """Each pair of neighbouring corners, in their order."""
    return list(zip(map(tuple, outline), map(tuple, np.roll(outline, -1, axis=0)), strict=True))


@settings(max_examples=300, deadline=None)
@given(masks)
def test_filling_outlines_gives_the_mask_back(mask):
    np.testing.assert_array_equal(filled(outlines(mask), mask.shape), mask)


def test_filling_outlines_of_larger_masks_gives_them_back():
    """Random ones have holes in rows, islands in holes, and parts that touch at corners."""
    for mask in random_masks(150):
        np.testing.assert_array_equal(filled(outlines(mask), mask.shape), mask)


def test_each_part_has_one_outline():
    """Holes add none."""
    for mask in random_masks(150):
        assert len(outlines(mask)) == ndimage.label(mask)[1]


def test_without_channels_outlines_are_those_of_marching_squares():
    for mask in random_masks(100):
        ours = {step for outline in outlines(mask) for step in steps(outline)}
        channels = {(one, other) for one, other in ours if (other, one) in ours}
        loops = find_contours(np.pad(mask, 1).astype(float), 0.5)
        theirs = {step for loop in loops for step in steps(loop[:-1] - 1)}
        assert {frozenset(step) for step in ours - channels} == {frozenset(step) for step in theirs}


def steps(outline):
    """The way along an outline in steps of half a pixel, in half pixels."""
    for one, other in edges((2 * np.asarray(outline)).astype(int)):
        count = np.abs(np.subtract(other, one)).max()
        points = np.linspace(one, other, count + 1).round().astype(int)
        yield from pairwise(map(tuple, points.tolist()))


def test_no_pixel_centre_is_near_an_outline():
    """Not that of a channel either: whoever rounds coordinates gets the same pixels."""
    for mask in random_masks(60):
        for outline in outlines(mask):
            for one, other in edges(outline):
                points = np.linspace(one, other, 33)
                off = np.linalg.norm(points - np.round(points), axis=1)
                assert off.min() > 1 / 3


def test_one_pixel_is_outlined_by_four_corners():
    (found,) = outlines(mask_of("#"))
    assert {tuple(corner) for corner in found.tolist()} == {
        (-0.5, 0),
        (0, 0.5),
        (0.5, 0),
        (0, -0.5),
    }


def test_straight_lines_have_corners_at_their_ends_alone():
    (found,) = outlines(np.ones((40, 60), dtype=bool))
    assert len(found) == 8


def test_pixels_that_touch_at_a_corner_are_outlined_apart():
    assert len(outlines(mask_of("#.", ".#"))) == 2


def test_hole_is_joined_by_a_channel_between_rows_and_goes_round_the_other_way():
    (found,) = outlines(mask_of("####", "####", "##.#", "####"))
    there_and_back = [(edge, edge[::-1]) for edge in edges(found) if edge[::-1] in edges(found)]
    assert (((1.5, -0.5), (1.5, 2.0)), ((1.5, 2.0), (1.5, -0.5))) in there_and_back
    assert len(there_and_back) == 2
    around = [corner for corner in found.tolist() if np.hypot(*np.subtract(corner, (2, 2))) < 1]
    assert around == [[1.5, 2.0], [2.0, 1.5], [2.5, 2.0], [2.0, 2.5], [1.5, 2.0]]


@pytest.mark.parametrize(
    "mask",
    [
        mask_of("######", "#.#.##", "######"),  # each joins the one to its left
        mask_of("#####", "##.##", "#.#.#", "#####"),  # one hole, as its pixels touch at corners
        mask_of("#######", "#.....#", "#.###.#", "#.#.#.#", "#.###.#", "#.....#", "#######"),
        mask_of(".####", "###.#", ".####"),  # a channel that ends at a corner of the outline
        mask_of("..###", "..#.#", "..###"),  # at the middle of a line
    ],
)
def test_holes_of_every_kind_stay_open(mask):
    np.testing.assert_array_equal(filled(outlines(mask), mask.shape), mask)
    assert len(outlines(mask)) == ndimage.label(mask)[1]


def test_outlines_are_in_the_order_of_their_first_pixels():
    firsts = [outline.min(axis=0).tolist() for outline in outlines(mask_of("..#", "#..", "..#"))]
    assert firsts == [[-0.5, 1.5], [0.5, -0.5], [1.5, 1.5]]


@pytest.mark.parametrize("shape", [(3, 4), (1, 1)])
def test_mask_of_nothing_has_no_outline(shape):
    assert outlines(np.zeros(shape, dtype=bool)) == []
