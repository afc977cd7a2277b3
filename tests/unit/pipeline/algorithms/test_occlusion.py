"""Which lesions a projection shows: analytic scenes, and the method spelt out with scipy."""

import numpy as np
import pytest
from scipy import ndimage

from pipeline.algorithms.occlusion import (
    OcclusionParameters,
    connected_lesions,
    correct_occlusion,
)
from pipeline.geometry import Spacing
from pipeline.kernels.rotation_grid import RotationGrid
from pipeline.kernels.shadow import cast_shadow

CUBE = Spacing(1.0, 1.0, 1.0)
FRONT_ORGAN = (slice(2, 8), slice(4, 8), slice(14, 27))


def scene(*, organ=100.0, lesion=10.0):
    """A lesion in the middle of the plane and a broad organ in front of it."""
    voxels = np.full((10, 41, 41), 1.0, np.float32)
    voxels[FRONT_ORGAN] = organ
    lesions = np.zeros(voxels.shape, np.int32)
    lesions[4:6, 19:22, 19:22] = 1
    voxels[lesions == 1] = lesion
    return voxels, lesions


def four_views(**changes):
    return OcclusionParameters(angles=4, span_deg=360, **changes)


def test_brighter_organ_hides_a_lesion_in_the_views_through_both():
    """From the front and the back the organ is on every ray of the lesion, from the sides not."""
    result = correct_occlusion(*scene(), CUBE, four_views())

    assert result.visible_views == {1: (1, 3)}
    assert result.hidden == ()
    assert result.plain[0].any()
    assert not result.corrected[0].any()
    assert not result.corrected[2].any()
    np.testing.assert_array_equal(result.corrected[1], result.plain[1])


def test_darker_organ_hides_nothing():
    result = correct_occlusion(*scene(organ=5.0), CUBE, four_views())

    assert result.visible_views == {1: (0, 1, 2, 3)}
    np.testing.assert_array_equal(result.corrected, result.plain)


def test_lesion_is_hidden_at_exactly_the_angles_whose_rays_meet_the_organ():
    """A thin bright ring sector about a lesion on the axis hides it over its own angles."""
    rows, columns = np.mgrid[:81, :81] - 40
    radius, bearing = np.hypot(rows, columns), np.degrees(np.arctan2(columns, -rows))
    sector = (radius > 30) & (radius < 36) & (np.abs(bearing) < 30)
    voxels = np.where(sector, 100.0, 1.0).astype(np.float32)[np.newaxis]
    lesions = (radius < 2.5).astype(np.int32)[np.newaxis]
    voxels[lesions == 1] = 10

    result = correct_occlusion(voxels, lesions, CUBE, OcclusionParameters(angles=36, span_deg=180))

    # The lesion is 4 degrees wide to each side where the rays cross the sector's ends.
    for view in range(36):
        from_front = min(view * 5.0, 180 - view * 5.0)
        if from_front <= 25:
            assert view not in result.visible_views[1]
        if from_front >= 35:
            assert view in result.visible_views[1]


def test_lesion_behind_brighter_tissue_all_round_is_seen_from_nowhere():
    voxels, lesions = scene()
    voxels[:, 10:32, 10:32] = 50.0
    voxels[lesions == 1] = 10.0

    result = correct_occlusion(voxels, lesions, CUBE, OcclusionParameters(angles=12))

    assert result.visible_views == {1: ()}
    assert result.hidden == (1,)
    assert result.plain.any(axis=(1, 2)).all()
    assert not result.corrected.any()


@pytest.mark.parametrize(("hidden_slices", "kept"), [(0, 8), (2, 8), (3, 0), (8, 0)])
def test_lesion_is_kept_whole_from_the_share_of_its_pixels_on(hidden_slices, kept):
    """Of 8 slices of the lesion 2 hidden leave 75 per cent."""
    voxels, lesions = np.ones((12, 21, 21), np.float32), np.zeros((12, 21, 21), np.int32)
    lesions[2:10, 9:12, 9:12] = 1
    voxels[lesions == 1] = 10
    voxels[2 : 2 + hidden_slices, 2, :] = 100

    result = correct_occlusion(voxels, lesions, CUBE, four_views())

    assert result.plain[0].any(axis=1).sum() == 8
    assert result.corrected[0].any(axis=1).sum() == kept


@pytest.mark.parametrize(("smallest_part_ml", "kept"), [(None, 0), (0.036, 4), (0.0361, 0)])
def test_verified_part_is_kept_where_it_is_large_enough(smallest_part_ml, kept):
    """Of 8 slices of 9 mm3 each 4 are hidden; the part of the others has 36 mm3."""
    voxels, lesions = np.ones((12, 21, 21), np.float32), np.zeros((12, 21, 21), np.int32)
    lesions[2:10, 9:12, 9:12] = 1
    voxels[lesions == 1] = 10
    voxels[2:6, 2, :] = 100
    parameters = four_views(smallest_part_ml=smallest_part_ml)

    result = correct_occlusion(voxels, lesions, CUBE, parameters)

    assert result.corrected[0].any(axis=1).sum() == kept
    assert (0 in result.visible_views[1]) == (kept > 0)


def test_lesions_keep_their_numbers_and_do_not_hide_in_each_other():
    """The brighter of two lesions on the same rays hides the other and stays itself."""
    voxels, lesions = np.ones((4, 21, 21), np.float32), np.zeros((4, 21, 21), np.int32)
    lesions[1:3, 4:7, 9:12], lesions[1:3, 14:17, 9:12] = 3, 7
    voxels[lesions == 3], voxels[lesions == 7] = 10, 20

    result = correct_occlusion(voxels, lesions, CUBE, four_views())

    assert result.visible_views == {3: (1, 3), 7: (0, 1, 2, 3)}
    np.testing.assert_array_equal(result.corrected, result.plain)


def test_second_half_of_a_turn_mirrors_the_first():
    random = np.random.default_rng(8)
    voxels = random.integers(0, 50, (5, 17, 23)).astype(np.int16)
    lesions = connected_lesions(random.random(voxels.shape) < 0.05)

    result = correct_occlusion(
        voxels, lesions, Spacing(2.0, 1.5, 1.0), OcclusionParameters(angles=6, span_deg=360)
    )

    for drawn in (result.views, result.plain, result.corrected):
        np.testing.assert_array_equal(drawn[3:], drawn[:3, :, ::-1])
    for views in result.visible_views.values():
        assert [view - 3 for view in views if view >= 3] == [view for view in views if view < 3]


@pytest.mark.parametrize("seed", range(6))
def test_result_is_that_of_the_method_spelt_out(seed):
    random = np.random.default_rng(seed)
    voxels = random.integers(1, 9, (4, 15, 18)).astype(np.float32)
    lesions = connected_lesions(random.random(voxels.shape) < 0.06)
    spacing = Spacing(2.0, *random.uniform(0.7, 1.5, 2))
    parameters = OcclusionParameters(angles=5, verified_share=0.6, smallest_part_ml=0.006)

    result = correct_occlusion(voxels, lesions, spacing, parameters)

    grid = RotationGrid(15, 18, spacing.row_mm, spacing.column_mm)
    sample_ml = 2.0 * grid.step_mm**2 / 1000
    for view in range(5):
        turned = turn(voxels, grid, view * 36.0, order=1)
        turned_lesions = turn(lesions, grid, view * 36.0, order=0)
        expected, shown = spelt_out(turned, turned_lesions, parameters, sample_ml)
        np.testing.assert_array_equal(result.plain[view], (turned_lesions > 0).any(axis=1))
        np.testing.assert_array_equal(result.corrected[view], expected)
        assert {number for number, views in result.visible_views.items() if view in views} == shown


def turn(volume, grid, angle_deg, *, order):
    """(slice, sample, ray) of a volume with scipy."""
    mapping = grid.mapping(angle_deg)
    along = np.arange(grid.depth)[:, np.newaxis] + float(grid.first[0])
    across = np.arange(grid.width)[np.newaxis] + float(grid.first[1])
    place = np.stack([along * part[0] + across * part[1] + part[2] for part in mapping])
    return np.stack(
        [ndimage.map_coordinates(plane, place, order=order, mode="constant") for plane in volume]
    )


def spelt_out(turned, turned_lesions, parameters, sample_ml):
    """One view of the method, ray by ray, and the numbers of the lesions it shows."""
    slices, _, rays = turned.shape
    depth = np.where(turned.max(axis=1) > 0, turned.argmax(axis=1), -1)
    corrected, shown = np.zeros((slices, rays), bool), set()
    for number in set(turned_lesions.ravel()) - {0}:
        inside = turned_lesions == number
        projected, verified = inside.any(axis=1), np.zeros((slices, rays), bool)
        for i, ray in np.argwhere(projected):
            on_ray = np.flatnonzero(inside[i, :, ray])
            verified[i, ray] = on_ray[0] <= depth[i, ray] <= on_ray[-1]
        kept = projected
        if verified.sum() < parameters.verified_share * projected.sum():
            kept = np.zeros_like(projected)
            parts, count = ndimage.label(verified, np.ones((3, 3)))
            for part in range(1, count + 1):
                pixels = parts == part
                if inside.sum(axis=1)[pixels].sum() * sample_ml >= parameters.smallest_part_ml:
                    kept |= pixels
        corrected |= kept
        if kept.any():
            shown.add(int(number))
    return corrected, shown


@pytest.mark.parametrize("mirrored", [0, 180])
def test_shadow_is_the_turned_object(mirrored):
    random = np.random.default_rng(2)
    lesions = (random.random((3, 12, 16)) < 0.3).astype(np.uint8)
    grid = RotationGrid(12, 16, 1.3, 0.9)
    whole = (slice(0, 3), slice(0, 12), slice(0, 16))

    shadow = cast_shadow(lesions, 1, whole, grid, 50.0 + mirrored)

    turned = turn(lesions, grid, 50.0, order=0)[
        :, :: -1 if mirrored else 1, :: -1 if mirrored else 1
    ]
    inside = turned[:, :, shadow.rays] == 1
    hit = inside.any(axis=1)
    assert hit.sum() == (turned == 1).any(axis=1).sum()
    np.testing.assert_array_equal(shadow.samples, inside.sum(axis=1))
    np.testing.assert_array_equal(shadow.first[hit], inside.argmax(axis=1)[hit])
    np.testing.assert_array_equal(
        shadow.last[hit], (grid.depth - 1 - inside[:, ::-1].argmax(axis=1))[hit]
    )


def test_voxels_that_touch_by_a_corner_are_one_lesion():
    mask = np.zeros((4, 4, 4), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[3, 3, 3] = True

    lesions = connected_lesions(mask)

    assert (lesions[0, 0, 0], lesions[1, 1, 1], lesions[3, 3, 3]) == (1, 1, 2)
    assert np.count_nonzero(lesions) == 3


def test_volume_without_lesions_has_nothing_to_show():
    voxels, lesions = scene()

    result = correct_occlusion(voxels, np.zeros_like(lesions), CUBE, four_views())

    assert result.visible_views == {}
    assert not result.plain.any()
    assert result.views.max() == 100


def test_another_grid_is_refused():
    voxels, lesions = scene()

    with pytest.raises(ValueError, match="one grid"):
        correct_occlusion(voxels, lesions[1:], CUBE, OcclusionParameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"angles": 0}, "from 1 to 720"),
        ({"span_deg": 0}, "up to 360"),
        ({"verified_share": 0}, "up to 1"),
        ({"verified_share": 1.01}, "up to 1"),
        ({"smallest_part_ml": -0.1}, "0 mL or more"),
        ({"smallest_part_ml": float("nan")}, "0 mL or more"),
    ],
)
def test_parameter_out_of_range_is_refused_with_what_is_allowed(changes, message):
    with pytest.raises(ValueError, match=message):
        OcclusionParameters(**changes)
