"""Air in each slice: by hand, and against the method written out with scipy and scikit-image."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import ndimage
from skimage import measure

from pipeline.algorithms.lung_air import _is_compact, find_air
from pipeline.kernels.components import Connectivity, label
from pipeline.kernels.moments import moments
from pipeline.kernels.runs import encode

UNIT_SPACING = np.ones(3, dtype=np.float32)


def air_as_in_the_reference(voxels_hu, spacing_mm):
    """The reference's ``binarize_per_slice``; on a slice that is not square, with our circle."""
    rows, columns = voxels_hu.shape[1:]
    row_px = np.arange(rows) - (rows - 1) / 2
    column_px = np.arange(columns) - (columns - 1) / 2
    outside = np.sqrt(row_px[:, np.newaxis] ** 2 + column_px**2) >= max(rows, columns) / 2
    air = np.zeros(voxels_hu.shape, dtype=bool)
    for index, plane in enumerate(voxels_hu):
        values = plane.astype(np.float32)
        if np.unique(plane[:10, :10]).size == 1:
            values = np.where(outside, np.nan, plane.astype(np.float64))
        labels = measure.label(ndimage.gaussian_filter(values, 1, truncate=2.0) < -600)
        for region in measure.regionprops(labels):
            large = region.area * spacing_mm[1] * spacing_mm[2] > 30
            if large and region.eccentricity < 0.99:
                air[index][labels == region.label] = True
    return air


def smooth_noise(random, shape):
    noise = ndimage.gaussian_filter(random.standard_normal(shape), random.uniform(0.5, 3, 3))
    return noise / (noise.std() + 1e-9) * 300 - 600


def near_the_threshold(random, shape):
    return random.choice([-601, -600, -599], shape)


def any_stored_value(random, shape):
    return random.integers(-32768, 32768, shape)


def slivers(random, shape):
    """Ellipses whose axes are about as one to seven, the limit, at any angle."""
    row, column = np.indices(shape[1:]) - np.array(shape[1:])[:, np.newaxis, np.newaxis] / 2
    angle = random.uniform(0, np.pi, (shape[0], 1, 1))
    long = random.uniform(6, 30)
    short = long * random.uniform(0.1, 0.2, (shape[0], 1, 1)) + 0.3
    along = column * np.cos(angle) + row * np.sin(angle)
    across = row * np.cos(angle) - column * np.sin(angle)
    return np.where((along / long) ** 2 + (across / short) ** 2 < 1, -2500, 40)


@pytest.mark.parametrize("texture", [smooth_noise, near_the_threshold, any_stored_value, slivers])
@pytest.mark.parametrize("seed", range(12))
def test_air_is_the_references(texture, seed):
    random = np.random.default_rng(seed)
    rows, columns = random.integers(11, 56, 2)
    shape = (int(random.integers(1, 9)), int(rows), int(columns if seed % 3 else rows))
    spacing = random.uniform(0.5, 8, 3).astype(np.float32)
    voxels = texture(random, shape).astype(np.int16)
    if seed % 2:
        voxels[::2, :10, :10] = random.choice([-2000, -1024, -32768, 0])

    air = find_air(voxels, spacing)

    np.testing.assert_array_equal(air, air_as_in_the_reference(voxels, spacing))


@pytest.mark.parametrize("shape", [(3, 1, 1), (2, 1, 30), (2, 30, 1), (2, 2, 3)])
def test_slices_smaller_than_the_smoothing_are_taken_as_in_the_reference(shape):
    voxels = np.random.default_rng(3).integers(-700, -500, shape).astype(np.int16)
    spacing = np.full(3, 8, dtype=np.float32)

    air = find_air(voxels, spacing)

    np.testing.assert_array_equal(air, air_as_in_the_reference(voxels, spacing))


def test_specks_and_slivers_are_no_air():
    voxels = np.full((1, 64, 64), 40, dtype=np.int16)
    voxels[0, 0, 0] = 41  # corners of one value would stand for padding
    voxels[0, 10:13, 10:13] = -3000
    voxels[0, 40:52, 40:52] = -1000
    voxels[0, 30, 2:62] = -3000

    air = find_air(voxels, UNIT_SPACING)

    assert air[0, 45, 45]
    assert not air[0, :38].any()


def test_slice_of_nothing_but_air_is_air():
    voxels = np.full((1, 32, 32), -1000, dtype=np.int16)
    voxels[0, 0, 0] = -1001

    assert find_air(voxels, UNIT_SPACING).all()


def test_padding_beyond_the_circle_is_no_air():
    voxels = np.full((1, 64, 64), -2000, dtype=np.int16)

    air = find_air(voxels, UNIT_SPACING)

    assert air[0, 32, 32]
    assert not air[0, :12, :4].any()


def test_voxels_of_any_layout_are_read_and_left_as_they_were():
    random = np.random.default_rng(11)
    voxels = smooth_noise(random, (4, 30, 36)).astype(np.int16)
    turned = np.ascontiguousarray(voxels[::-1, :, ::-1])[::-1, :, ::-1]
    turned.setflags(write=False)

    air = find_air(turned, UNIT_SPACING)

    np.testing.assert_array_equal(turned, voxels)
    np.testing.assert_array_equal(air, find_air(voxels, UNIT_SPACING))


def test_shape_is_judged_as_scikit_image_judges_it():
    random = np.random.default_rng(7)
    for sigma in ((0.8, 2.5), (0.5, 9), (4, 0.4)):
        plane = ndimage.gaussian_filter(random.standard_normal((128, 128)), sigma) > 0.02
        regions = label(encode(plane[np.newaxis]), Connectivity.EIGHT_IN_SLICE)

        compact = [_is_compact(sums) for sums in moments(regions)[1:].tolist()]

        properties = measure.regionprops(measure.label(plane))
        assert compact == [region.eccentricity < 0.99 for region in properties]
        assert not all(compact)


@pytest.mark.parametrize(
    ("length", "width"), [(404, 57), (405, 57), (2396, 338), (2397, 338), (2715, 383), (2715, 382)]
)
def test_no_rounding_decides_about_a_block_close_to_the_limit(length, width):
    """Nearer than 0.00001 % in the first, third and fifth."""
    block = np.ones((1, width, length), dtype=bool)

    (sums,) = moments(label(encode(block), Connectivity.EIGHT_IN_SLICE))[1:].tolist()

    eccentricity_squared = 1 - Fraction(width**2 - 1, length**2 - 1)
    assert _is_compact(sums) == (eccentricity_squared < Fraction(99, 100) ** 2)


def test_single_pixel_is_round():
    (sums,) = moments(label(encode(np.ones((1, 1, 1), dtype=bool)), Connectivity.SIX))[1:].tolist()

    assert _is_compact(sums)
