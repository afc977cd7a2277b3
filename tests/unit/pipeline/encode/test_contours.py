"""Contours of slices: their precision, their size, and where they lie."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom.valuerep import DSfloat

from pipeline.encode.contours import ContourForm, contour_form, contours_of, in_patient
from pipeline.geometry import PlaneGeometry, Spacing, VolumeGeometry
from tests.support.contours import filled

GRID = VolumeGeometry(
    (-200.0, -180.0, 30.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), Spacing(1, 0.7, 0.8)
)
SHAPE = (300, 512, 512)


@pytest.mark.parametrize(
    ("pixel_mm", "decimals"), [(5.0, 3), (0.7, 3), (0.1, 3), (0.05, 4), (0.002, 5), (1e-7, 7)]
)
def test_coordinates_are_to_the_micrometre_or_a_hundredth_of_a_smaller_pixel(
    pixel_mm: float, decimals: int
) -> None:
    grid = replace(GRID, spacing=Spacing(1.0, pixel_mm, 2.0))
    assert contour_form(grid, (3, 4, 5)).decimals == decimals


@pytest.mark.parametrize("origin_mm", [0.0, -200.0, -9_999_000.0])
@pytest.mark.parametrize("pixel_mm", [0.7, 1e-7])
def test_longest_contour_fits_an_explicit_vr(origin_mm: float, pixel_mm: float) -> None:
    """Each of its coordinates fits a decimal string."""
    x, y, z = (origin_mm - 0.123456789,) * 3
    grid = replace(GRID, origin_mm=(x, y, z), spacing=Spacing(1.0, pixel_mm, pixel_mm))
    form = contour_form(grid, SHAPE)
    indices = np.random.default_rng(1).uniform(-0.5, SHAPE, (form.most_corners, 3))
    text = form.text(grid.to_patient(indices))
    assert 40_000 < len(text) <= 65534
    assert len(text) % 2 == 0
    assert all(len(number.strip()) <= 16 for number in text.decode().split("\\"))


def test_text_is_decimal_strings_of_rounded_coordinates() -> None:
    points = np.array([[1.23449, -0.00001, 12.0], [-120.5, 1e-3, 1 / 3]])
    text = ContourForm(3, 100).text(points)
    assert text == rb"1.234\0.0\12.0\-120.5\0.001\0.333 "
    numbers = [float(DSfloat(number)) for number in text.decode().split("\\")]
    np.testing.assert_allclose(numbers, points.ravel(), atol=5e-4)


def test_contours_are_those_of_one_label() -> None:
    labels = np.zeros((9, 12), np.uint8)
    labels[2:5, 3:7], labels[5:8, 3:9] = 1, 2
    for number in (1, 2):
        outlines = contours_of(labels, number, most_corners=100)
        np.testing.assert_array_equal(filled(outlines, labels.shape), labels == number)
    assert contours_of(labels, 3, most_corners=100) == []


def test_contour_with_too_many_corners_is_cut_between_rows() -> None:
    """As often as it takes; what is filled stays the same."""
    mask = np.random.default_rng(2).random((60, 50)) < 0.75
    whole = contours_of(mask.astype(np.uint8), 1, most_corners=100_000)
    cut = contours_of(mask.astype(np.uint8), 1, most_corners=150)
    assert max(map(len, whole)) > 600
    assert max(map(len, cut)) <= 150
    np.testing.assert_array_equal(filled(cut, mask.shape), mask)


def test_corners_lie_in_the_patient_as_an_image_says() -> None:
    plane = PlaneGeometry((10.0, 20.0, 30.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), 0.5, 2.0)
    points = in_patient(np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.5]]), plane)
    np.testing.assert_allclose(points, [[10, 20, 30], [10, 20, 28.5], [10, 29, 30]])
