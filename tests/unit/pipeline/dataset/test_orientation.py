"""Anatomical axes by the affine."""

from itertools import permutations, product

import nibabel
import numpy as np
import pytest

from pipeline.dataset.orientation import TO_LPS, AxialOrder, patient_axes
from tests.support.nifti import OBLIQUE

SHAPE = (3, 4, 5)


def all_affines() -> list[np.ndarray]:
    """The 48 ways to lay an array along the patient's axes, each slightly turned."""
    angle = 0.2
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    affines = []
    for axes, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        affine = np.eye(4)
        affine[:3, :3] = turn @ (np.eye(3)[:, axes] * signs * (0.7, 0.8, 2.5))
        affine[:3, 3] = 10, -20, 30
        affines.append(affine)
    return affines


@pytest.mark.parametrize("affine", [*all_affines(), OBLIQUE])
def test_slices_run_to_the_head_rows_to_the_back_columns_to_the_left(affine: np.ndarray) -> None:
    """The ordered array has nibabel's orientation codes S, P, L, and comes back unchanged."""
    array = np.arange(60).reshape(SHAPE)
    order = AxialOrder.of(affine)
    slices = order.to_slices(array)
    geometry = order.geometry(affine, SHAPE)
    assert nibabel.aff2axcodes(TO_LPS @ geometry.affine) == ("S", "P", "L")
    assert np.array_equal(order.from_slices(slices), array)
    assert nibabel.aff2axcodes(affine)[patient_axes(affine)[2]] in "SI"


def test_a_voxel_keeps_its_place() -> None:
    """By either affine, up to LPS against RAS."""
    array = np.arange(60).reshape(SHAPE)
    order = AxialOrder.of(OBLIQUE)
    slices = order.to_slices(array)
    geometry = order.geometry(OBLIQUE, SHAPE)
    for index in np.ndindex(*slices.shape):
        (where,) = np.argwhere(array == slices[index])
        expected = (TO_LPS @ OBLIQUE @ [*where, 1])[:3]
        assert geometry.to_patient(index) == pytest.approx(expected)


def test_spacing_is_in_the_order_of_the_slices() -> None:
    """(slice, row, column)."""
    spacing = AxialOrder.of(OBLIQUE).geometry(OBLIQUE, SHAPE).spacing
    assert (spacing.slice_mm, spacing.row_mm, spacing.column_mm) == pytest.approx((0.8, 2.5, 1.2))


def test_a_sheared_grid_has_no_geometry() -> None:
    """As after a gantry tilt."""
    affine = np.eye(4)
    affine[1, 2] = 0.3
    with pytest.raises(ValueError, match="right angles"):
        AxialOrder.of(affine).geometry(affine, SHAPE)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_an_affine_without_volume_is_refused(value: float) -> None:
    """Zero or no number."""
    affine = np.eye(4)
    affine[1, 1] = value
    with pytest.raises(ValueError, match="affine"):
        patient_axes(affine)
