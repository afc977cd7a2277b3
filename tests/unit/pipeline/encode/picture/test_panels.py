"""A plane on a page, pixel by pixel."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.encode.picture.cuts import Cut
from pipeline.encode.picture.panels import (
    Outline,
    Panel,
    draw_panel,
    draw_plane,
    scale_length_mm,
)
from pipeline.encode.picture.sheet import ATTENTION, BLACK, GROUND, INK, Box, Sheet
from pipeline.encode.picture.windows import Window
from pipeline.geometry import PlaneGeometry

RED, BLUE = (200, 30, 20), (10, 60, 220)
BOX = Box(100, 50, 400, 380)


def panel_of(
    pixels: np.ndarray, row_mm: float = 1.0, column_mm: float = 1.0, **changes: object
) -> Panel:
    plane = PlaneGeometry((0, 0, 0), (1, 0, 0), (0, 1, 0), row_mm, column_mm)
    panel = Panel("Axial", Cut(pixels, plane), Window(0.0, 100.0))
    return replace(panel, **changes)


def coloured(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (image == np.array(colour)).all(axis=-1)


def test_outlines_are_the_two_outermost_pixels_of_each_segment() -> None:
    labels = np.zeros((10, 10), np.uint8)
    labels[2:8, 1:5], labels[2:8, 5:9] = 1, 2
    outline = Outline(labels, {1: RED, 2: BLUE})
    image = draw_plane(panel_of(np.zeros((10, 10)), outlines=(outline,)), 100, 100)
    for colour, left, right in ((RED, 10, 50), (BLUE, 50, 90)):
        expected = np.zeros((100, 100), bool)
        expected[20:80, left:right] = True
        expected[22:78, left + 2 : right - 2] = False
        np.testing.assert_array_equal(coloured(image, colour), expected)


def test_outline_is_closed_at_the_edge_of_the_plane() -> None:
    outline = Outline(np.ones((4, 4), np.uint8), {1: RED})
    image = draw_plane(panel_of(np.zeros((4, 4)), outlines=(outline,)), 40, 40)
    assert coloured(image, RED)[[0, -1]].all()
    assert coloured(image, RED)[:, [0, -1]].all()
    assert not coloured(image, RED)[2:-2, 2:-2].any()


def test_label_without_a_segment_is_drawn_all_the_same() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[2:6, 2:6] = 200
    image = draw_plane(panel_of(np.zeros((8, 8)), outlines=(Outline(labels, {1: RED}),)), 80, 80)
    assert coloured(image, INK).any()


@pytest.mark.parametrize("place", [(0, 0), (3, 7), (9, 19)])
def test_bright_pixel_is_brightest_at_its_scaled_place(place: tuple[int, int]) -> None:
    pixels = np.zeros((10, 20))
    pixels[place] = 100
    image = draw_plane(panel_of(pixels), 180, 270)[..., 0].astype(float)
    brightest = np.argwhere(image == image.max()).mean(axis=0)
    expected = (np.array(place) + 0.5) * (27, 9) - 0.5
    assert np.abs(brightest - expected).max() <= np.array((27, 9)).max() / 2


@pytest.mark.parametrize(
    ("shape", "row_mm", "column_mm"),
    [((64, 64), 1, 1), ((30, 300), 10, 1), ((400, 20), 0.5, 5), ((1, 512), 5, 0.7), ((3, 2), 1, 1)],
)
def test_proportions_are_those_in_the_patient(
    shape: tuple[int, int], row_mm: float, column_mm: float
) -> None:
    place = draw_panel(Sheet(), BOX, panel_of(np.zeros(shape), row_mm, column_mm))
    true = shape[0] * row_mm / (shape[1] * column_mm)
    assert place.height == pytest.approx(true * place.width, abs=0.5 + 0.5 * true)
    assert BOX.left < place.left < place.right < BOX.right
    assert BOX.top < place.top < place.bottom < BOX.bottom


@pytest.mark.parametrize("shape", [(50, 50), (4, 400), (400, 4)])
def test_nothing_is_drawn_outside_of_the_box(shape: tuple[int, int]) -> None:
    """Nor over the plane: letters and scale are around it."""
    sheet = Sheet()
    panel = panel_of(np.full(shape, 50.0), title="A title that is far too long for a box " * 3)
    place = draw_panel(sheet, BOX, replace(panel, window=Window(0.0, 100.0, "unit " * 40)))
    page = np.array(sheet.image)
    inside = page[place.top : place.bottom, place.left : place.right]
    assert (inside == 128).all()
    page[BOX.top : BOX.bottom, BOX.left : BOX.right] = GROUND
    assert (page == GROUND).all()


def test_letters_stand_beside_their_edges() -> None:
    """Something yellow is left, right, above and below of the plane, and black is around it."""
    sheet = Sheet()
    place = draw_panel(sheet, BOX, panel_of(np.zeros((50, 50))))
    letters = np.argwhere(coloured(np.array(sheet.image), ATTENTION))
    rows, columns = letters.T
    middle, centre = place.top + place.height / 2, place.left + place.width / 2
    for found, other, expected in (
        (columns < place.left, rows, middle),
        (columns >= place.right, rows, middle),
        (rows < place.top, columns, centre),
        (rows >= place.bottom, columns, centre),
    ):
        assert found.any()
        assert np.abs(other[found] - expected).max() < 12
    assert np.array(sheet.image)[BOX.top, BOX.left].tolist() == list(BLACK)


def test_scale_is_as_long_as_it_says() -> None:
    sheet = Sheet()
    place = draw_panel(sheet, BOX, panel_of(np.zeros((100, 100)), 2.0, 2.0))
    line = coloured(np.array(sheet.image), INK)[BOX.bottom - 40 : BOX.bottom]
    runs = "".join("x" if pixel else " " for row in line for pixel in row).split()
    length = max(map(len, runs))
    assert length == pytest.approx(50 * place.width / 200, abs=2)


@pytest.mark.parametrize(
    ("longest", "length"), [(99, 50), (100, 100), (4.9, 2), (0.03, 0.02), (1999, 1000)]
)
def test_scale_is_a_round_number(longest: float, length: float) -> None:
    assert scale_length_mm(longest) == pytest.approx(length)
