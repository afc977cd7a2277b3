"""The rotating projection against scipy, against points whose place is known, and its symmetry."""

import dataclasses
import hashlib
import math

import numpy as np
import pytest
from pydicom.dataset import Dataset
from scipy import ndimage

from pipeline.algorithms.rotating_mip import (
    ROTATING_MIP,
    RotatingMipParameters,
    rotating_maximum,
)
from pipeline.errors import NotApplicableError
from pipeline.geometry import Spacing
from pipeline.kernels.rotation import project_rotated
from pipeline.kernels.rotation_grid import RotationGrid
from pipeline.phantom import chest_phantom
from tests.phantoms import volume_from_phantom
from tests.support.pet import pet_phantom

CUBE = Spacing(1.0, 1.0, 1.0)
TYPES = ["i2", "u2", "f4", "f8", ">i2"]
# SHA-256 of the 48 views of a full turn, made by `reference` with scipy 1.17.1 and numpy 2.4.6.
REFERENCE_DIGESTS = {
    "plain": "3017eb8dfba2dd62d8d93233c5c4b26392b26fc2d83cf3f482eebada0964e6ce",
    "odd size": "8c4d25cb368ef4e56936c3a51209096b5153c4bcb8b5b036e17fa7aece0f5b78",
    "without lesions": "a77611b375ef25dcffe6451f270fc7b4ec745e82600a75271d7985567a2fdba1",
    "stored counts": "e5d2818cc2395d609542e791fbec0ad71bededb13eae4a128ed499905ff663ef",
}


def make(name: str):
    match name:
        case "odd size":
            return pet_phantom(35, 57, seed=3)
        case "without lesions":
            return pet_phantom(40, 64, seed=11, balls=())
        case "stored counts":
            uptake, spacing = pet_phantom(40, 64, seed=5)
            return (uptake * 1000 - 50).astype(np.int16), spacing
        case _:
            return pet_phantom()


def reference(voxels, angle_deg):
    """The view as the seed document's method makes it, on a background of 0."""
    turned = ndimage.rotate(voxels, angle_deg, axes=(1, 2), reshape=False, order=1)
    return np.maximum(turned.max(axis=1), 0)


def middle(views, columns):
    """The rays that a view of the plane's own width has."""
    margin = (views.shape[-1] - columns) // 2
    return views[..., margin : margin + columns]


def digest(views):
    return hashlib.sha256(np.ascontiguousarray(views).tobytes()).hexdigest()


@pytest.mark.parametrize("name", REFERENCE_DIGESTS)
def test_views_of_a_turn_are_those_that_scipy_made(name):
    voxels, spacing = make(name)

    views = rotating_maximum(voxels, spacing).views

    assert digest(middle(views, voxels.shape[2])) == REFERENCE_DIGESTS[name]


@pytest.mark.parametrize("name", REFERENCE_DIGESTS)
def test_views_are_those_that_scipy_makes_here(name):
    voxels, spacing = make(name)

    turning = rotating_maximum(voxels, spacing, angles=8, span_deg=300)

    for view, geometry in zip(turning.views, turning.geometry, strict=True):
        expected = reference(voxels, geometry.angle_deg)
        np.testing.assert_array_equal(middle(view, voxels.shape[2]), expected)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("seed", range(4))
def test_every_sample_is_scipys_and_the_depth_is_that_of_the_first_brightest(dtype, seed):
    """Any plane and spacing, ties and values up to the ends of the type, all rays."""
    random = np.random.default_rng(seed)
    native = np.dtype(dtype).newbyteorder("=")
    shape = tuple(random.integers(1, 24, 3))
    limits = np.iinfo(native) if native.kind in "iu" else np.iinfo(np.int16)
    voxels = random.integers(limits.min, limits.max, shape, dtype=limits.dtype, endpoint=True)
    voxels = (voxels // 3 * 3 if seed % 2 else voxels).astype(dtype)
    grid = RotationGrid(shape[1], shape[2], *random.uniform(0.5, 2, 2))
    angle = round(random.uniform(0, 180), 6)

    (view,), (depth,) = project_rotated(voxels, grid, [angle], 0)

    turned = turned_by_scipy(voxels.astype(native), grid, angle)
    brightest = np.maximum(turned.max(axis=1), 0)
    np.testing.assert_array_equal(view, brightest)
    np.testing.assert_array_equal(depth, np.where(brightest > 0, turned.argmax(axis=1), -1))


def turned_by_scipy(voxels, grid, angle):
    mapping = grid.mapping(angle)
    along = np.arange(grid.depth)[:, np.newaxis] + float(grid.first[0])
    across = np.arange(grid.width)[np.newaxis] + float(grid.first[1])
    place = np.stack([along * part[0] + across * part[1] + part[2] for part in mapping])
    return np.stack(
        [
            ndimage.map_coordinates(plane, place, order=1, mode="constant", output=voxels.dtype)
            for plane in voxels
        ]
    )


@pytest.mark.parametrize("angles", [2, 6, 7, 48])
@pytest.mark.parametrize("size", [(5, 9), (8, 8), (13, 4)])
def test_view_from_behind_is_the_exact_mirror_image(angles, size):
    voxels = np.random.default_rng(1).random((3, *size), dtype=np.float32)
    spacing = Spacing(2.0, 1.3, 0.7)

    turn = rotating_maximum(voxels, spacing, angles=2 * angles)
    half = rotating_maximum(voxels, spacing, angles=angles, span_deg=180)

    np.testing.assert_array_equal(turn.views[:angles], half.views)
    np.testing.assert_array_equal(turn.views[angles:], half.views[:, :, ::-1])


@pytest.mark.parametrize("spacing", [CUBE, Spacing(3.0, 1.0, 2.5), Spacing(1.0, 2.0, 0.8)])
def test_bright_point_lands_on_the_predicted_pixel_in_every_view(spacing):
    """The pixel follows from the view's geometry alone, as an encoder would place it."""
    shape, point = (6, 41, 37), (4, 26, 14)
    place_mm = np.multiply(point, (spacing.slice_mm, spacing.row_mm, spacing.column_mm))
    rows, columns = np.mgrid[: shape[1], : shape[2]]
    square_mm = ((rows - point[1]) * spacing.row_mm) ** 2
    square_mm = square_mm + ((columns - point[2]) * spacing.column_mm) ** 2
    voxels = np.zeros(shape, np.float32)
    voxels[point[0]] = 1000 * np.exp(-square_mm / 20)

    turning = rotating_maximum(voxels, spacing, angles=20)

    for view, geometry in zip(turning.views, turning.geometry, strict=True):
        first_mm = np.multiply(
            geometry.first_pixel, (spacing.slice_mm, spacing.row_mm, spacing.column_mm)
        )
        predicted = np.dot(place_mm - first_mm, geometry.across) / turning.width_mm
        assert not np.delete(view, point[0], axis=0).any()
        shown = np.average(np.arange(view.shape[1]), weights=view[point[0]])
        assert shown == pytest.approx(predicted, abs=0.1)


def test_directions_of_the_first_quarter_turn():
    """From the front to the left side of a patient who lies on the back, head last."""
    turning = rotating_maximum(np.zeros((2, 5, 7), np.float32), CUBE, angles=4)

    front, side = turning.geometry[:2]
    assert (front.angle_deg, front.across, front.along) == (0, (0, 0, 1), (0, 1, 0))
    assert (side.angle_deg, side.across, side.along) == (90, (0, 1, 0), (0, 0, -1))
    assert turning.centre == (2.0, 3.0)


def test_nothing_is_cut_off_at_any_angle():
    """The corners of the plane, farthest from the axis, are seen from all round."""
    voxels = np.zeros((1, 20, 30), np.float32)
    voxels[0, :3, :3] = voxels[0, -3:, -3:] = 1

    turning = rotating_maximum(voxels, CUBE, angles=360)

    assert turning.views.shape[2] >= math.hypot(19, 29) + 1
    assert np.all(turning.views[:, 0, :].max(axis=1) > 0.99)
    lit = turning.views[:, 0, :] > 0
    assert np.all(lit.sum(axis=1) >= 3)


def test_disc_of_a_plane_with_oblong_pixels_is_as_wide_from_every_side():
    rows, columns = np.mgrid[:40, :80]
    inside = ((rows - 19.5) * 2) ** 2 + (columns - 39.5) ** 2 < 30**2
    voxels = inside[np.newaxis].astype(np.float32)

    turning = rotating_maximum(voxels, Spacing(1.0, 2.0, 1.0), angles=36)

    widths = (turning.views[:, 0] > 0.5).sum(axis=1)
    assert turning.width_mm == 1.0
    assert widths.min() >= 58
    assert widths.max() <= 62


def test_background_shows_wherever_no_voxel_is_brighter():
    voxels = np.full((2, 9, 9), -700, np.int16)

    turning = rotating_maximum(voxels, CUBE, angles=3, background=-1024)

    assert turning.views.dtype == np.int16
    assert np.all(middle(turning.views, 9)[0] == -700)
    assert np.all(turning.views[0, :, 0] == -1024)
    assert np.all(rotating_maximum(voxels, CUBE, angles=3).views == 0)


def test_volume_is_left_as_it_was():
    voxels = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    voxels.setflags(write=False)

    rotating_maximum(voxels, CUBE, angles=2)

    np.testing.assert_array_equal(voxels.ravel(), np.arange(60))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"angles": 0}, "from 1 to 720"),
        ({"angles": 721}, "from 1 to 720"),
        ({"span_deg": 0}, "above 0"),
        ({"span_deg": 361}, "up to 360"),
        ({"background": math.nan}, "background is nan"),
        ({"background": 0.5}, "background is 0.5"),
        ({"background": 1e6}, "background is 1000000.0"),
    ],
)
def test_argument_out_of_range_is_refused_with_what_is_allowed(arguments, message):
    with pytest.raises(ValueError, match=message):
        rotating_maximum(np.zeros((1, 4, 4), np.int16), CUBE, **arguments)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    voxels = np.zeros((2, 3, 3), np.float32)
    voxels[1, 1, 1] = value

    with pytest.raises(ValueError, match="not all finite"):
        rotating_maximum(voxels, CUBE)


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float16, np.complex64])
def test_other_types_are_refused(dtype):
    with pytest.raises(ValueError, match="voxels are"):
        rotating_maximum(np.zeros((2, 3, 3), dtype), CUBE)


@pytest.fixture(scope="module")
def chest():
    return volume_from_phantom(chest_phantom(slices=12, size=32))


def of_modality(volume, modality):
    """The same slices, said to be of another modality."""
    header = Dataset()
    header.update(volume.sources[0].header)
    header.Modality = modality
    first = dataclasses.replace(volume.sources[0], own_header=header)
    return dataclasses.replace(volume, sources=(first, *volume.sources[1:]))


def test_finding_has_the_views_head_up_and_says_what_it_is(chest):
    (finding,) = ROTATING_MIP.analyse(chest, RotatingMipParameters(angles=6))

    expected = rotating_maximum(chest.voxels, chest.geometry.spacing, angles=6, background=-1024.0)
    np.testing.assert_array_equal(finding.views, expected.views[:, ::-1])
    assert finding.depth_mm == expected.depth_mm
    assert finding.image_type == "MIP"
    assert [code.value for code in finding.derivation] == ["113078"]
    assert finding.description == "Rotating MIP, 6 views, no volume"
    assert {plane.column_direction for plane in finding.planes} == {(-0.0, -0.0, -1.0)}


@pytest.mark.parametrize(("modality", "background"), [("CT", -1024), ("MR", 0), ("PT", 0)])
def test_background_is_the_lowest_that_shows_of_a_modality(chest, modality, background):
    low = dataclasses.replace(of_modality(chest, modality), voxels=chest.voxels * 0 - 3000)

    (finding,) = ROTATING_MIP.analyse(low, RotatingMipParameters(angles=2))
    (asked,) = ROTATING_MIP.analyse(low, RotatingMipParameters(angles=2, background=-50))

    assert (finding.views == background).all()
    assert (asked.views == -50).all()


def test_stack_that_is_not_axial_is_refused(chest):
    geometry = dataclasses.replace(chest.geometry, slice_direction=(1.0, 0.0, 0.0))

    with pytest.raises(NotApplicableError, match="not axial"):
        ROTATING_MIP.analyse(dataclasses.replace(chest, geometry=geometry), RotatingMipParameters())


def test_background_that_no_voxel_can_have_is_refused(chest):
    with pytest.raises(NotApplicableError, match=r"cannot be turned: background is 0\.5"):
        ROTATING_MIP.analyse(chest, RotatingMipParameters(background=0.5))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"angles": 0}, "angles is 0; it is a number of views from 1 to 720"),
        ({"angles": True}, "angles is True"),
        ({"angles": 2.5}, r"angles is 2\.5"),
        ({"span_deg": 0}, "span_deg is 0; it is above 0 and up to 360"),
        ({"span_deg": math.nan}, "span_deg is nan"),
        ({"background": "air"}, "background is 'air'; it is a number"),
    ],
)
def test_parameter_out_of_range_is_refused_with_what_is_allowed(parameters, message):
    with pytest.raises(ValueError, match=message):
        RotatingMipParameters(**parameters)
