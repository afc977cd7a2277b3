"""Sliding projections against their formula and nidataset, and what the algorithm says."""

import dataclasses
from fractions import Fraction

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nidataset.preprocessing import mip as nidataset_mip

from pipeline.algorithms.mip import (
    SLIDING_MIP,
    SlidingMipParameters,
    neighbours_within,
    sliding_maximum,
    sliding_mean,
    sliding_minimum,
    sliding_projection,
)
from pipeline.errors import NotApplicableError
from pipeline.findings import Code
from pipeline.phantom import chest_phantom
from pipeline.volume import Volume
from tests.phantoms import volume_from_phantom

VOLUMES = arrays.arrays(
    dtype=st.sampled_from([np.int16, np.uint16, np.float32]),
    shape=arrays.array_shapes(min_dims=3, max_dims=3, max_side=9),
    elements=st.integers(0, 2000),
)
VIEW_AXES = {"sagittal": 0, "coronal": 1, "axial": 2}


@pytest.fixture(scope="module")
def volume() -> Volume:
    return volume_from_phantom(chest_phantom(slices=30, size=32))


def windows(voxels, window, axis):
    """The neighbours of each element along the axis, which becomes the first of each part."""
    count = voxels.shape[axis]
    for i in range(count):
        part = voxels.take(range(max(0, i - window), min(count, i + window + 1)), axis)
        yield np.moveaxis(part, axis, 0)


@settings(deadline=None)
@given(voxels=VOLUMES, window=st.integers(0, 12), axis=st.integers(0, 2))
def test_each_slice_is_the_extreme_of_its_window(voxels, window, axis):
    brightest = np.stack([part.max(axis=0) for part in windows(voxels, window, axis)], axis)
    darkest = np.stack([part.min(axis=0) for part in windows(voxels, window, axis)], axis)

    maximum, minimum = (f(voxels, window, axis) for f in (sliding_maximum, sliding_minimum))

    assert maximum.dtype == minimum.dtype == voxels.dtype
    np.testing.assert_array_equal(maximum, brightest)
    np.testing.assert_array_equal(minimum, darkest)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("window", [0, 1, 2, 3, 8, 50])
def test_mean_of_integers_is_exact_and_rounds_halves_to_even(window, axis):
    voxels = np.random.default_rng(window).integers(-32768, 32768, (7, 8, 9)).astype(np.int16)
    expected = [
        [round(Fraction(int(total), len(part))) for total in part.sum(axis=0, dtype=int).ravel()]
        for part in windows(voxels, window, axis)
    ]

    mean = sliding_mean(voxels, window, axis)

    assert mean.dtype == np.int16
    np.testing.assert_array_equal(np.moveaxis(mean, axis, 0).reshape(len(expected), -1), expected)


def test_half_is_rounded_to_the_even_neighbour():
    voxels = np.array([0, 1, 2, 3, -1, -2], np.int16).reshape(3, 1, 2).transpose(2, 1, 0)

    assert sliding_mean(voxels, 1, 0)[0].tolist() == [[0, 2, -2]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mean_of_floats_is_summed_in_order_in_double_precision(dtype):
    voxels = (np.random.default_rng(4).normal(size=(12, 5, 6)) * 1e6).astype(dtype)
    expected = []
    for part in windows(voxels, 4, 0):
        total = np.zeros(part.shape[1:])
        for plane in part:
            total += plane
        expected.append((total / len(part)).astype(dtype))

    np.testing.assert_array_equal(sliding_mean(voxels, 4, 0), expected)


@pytest.mark.parametrize("view", VIEW_AXES)
@pytest.mark.parametrize("window", [2, 40])
def test_maximum_is_that_of_nidataset(tmp_path, view, window):
    """The reference reads, projects and writes a file; its arrays are in Fortran order."""
    voxels = np.random.default_rng(window).integers(-1024, 3072, (24, 20, 16)).astype(np.int16)
    path = tmp_path / "case.nii.gz"
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)

    made = nidataset_mip(str(path), str(tmp_path / "out"), window_size=window, view=view)
    read = np.asarray(nibabel.load(path).dataobj)

    projected = sliding_maximum(read, window, VIEW_AXES[view])
    np.testing.assert_array_equal(projected, np.asarray(nibabel.load(made).dataobj))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("projection", ["maximum", "minimum", "mean"])
def test_memory_order_is_kept_and_changes_no_value(axis, projection):
    voxels = np.random.default_rng(5).integers(-900, 900, (5, 6, 70)).astype(np.int16)
    expected = sliding_projection(voxels, projection, 2, axis)

    for stored in (np.asfortranarray(voxels), voxels.transpose(1, 2, 0).copy().transpose(2, 0, 1)):
        projected = sliding_projection(stored, projection, 2, axis)
        np.testing.assert_array_equal(projected, expected)
        assert projected.strides == stored.strides


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_long_axes_and_many_lines_are_put_together_from_tiles(axis):
    shape = [3, 3, 3]
    shape[axis], shape[axis - 1] = 700, 300
    voxels = np.random.default_rng(6).integers(-900, 900, shape).astype(np.int16)
    expected = np.stack([part.max(axis=0) for part in windows(voxels, 20, axis)], axis)

    np.testing.assert_array_equal(sliding_maximum(voxels, 20, axis), expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_volume_is_left_as_it_was(axis):
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    voxels.setflags(write=False)

    sliding_maximum(voxels, 1, axis)

    np.testing.assert_array_equal(voxels.ravel(), np.arange(60))


def test_values_beyond_float64_are_kept():
    voxels = np.array([2**53, 2**53 + 1, 0], dtype=np.int64).reshape(3, 1, 1)

    assert sliding_maximum(voxels, 1, 0).ravel().tolist() == [2**53 + 1] * 3


@pytest.mark.parametrize("projection", ["maximum", "minimum", "mean"])
def test_window_with_a_nan_gives_nan(projection):
    voxels = np.arange(7, dtype=np.float32).reshape(7, 1, 1)
    voxels[3] = np.nan

    projected = sliding_projection(voxels, projection, 1, 0).ravel()

    np.testing.assert_array_equal(np.isnan(projected), [0, 0, 1, 1, 1, 0, 0])


def test_other_byte_order_is_read_as_what_it_says():
    voxels = np.arange(24, dtype=">i2").reshape(4, 3, 2)

    projected = sliding_maximum(voxels, 1, 0)

    assert projected[0].tolist() == voxels[1].tolist()


def test_empty_volume_gives_an_empty_projection():
    assert sliding_maximum(np.empty((0, 4, 5), np.int16), 2, 1).shape == (0, 4, 5)


@pytest.mark.parametrize("dtype", [bool, np.float16, np.complex64, object])
def test_type_that_has_no_order_or_no_kernel_is_refused(dtype):
    with pytest.raises(ValueError, match="integers, float32 or float64"):
        sliding_maximum(np.zeros((2, 2, 2), dtype), 1, 0)


def test_mean_of_wide_integers_is_refused_for_it_would_not_be_exact():
    with pytest.raises(ValueError, match="up to 32 bits"):
        sliding_mean(np.zeros((2, 2, 2), np.int64), 1, 0)


def test_negative_window_is_refused():
    with pytest.raises(ValueError, match="0 or more"):
        sliding_maximum(np.zeros((2, 2, 2), np.int16), -1, 0)


@pytest.mark.parametrize(
    ("slab_mm", "slice_mm", "neighbours"),
    [
        (15, 0.6, 12),
        (15, 1.0, 7),
        (14.99, 1.0, 6),
        (0.3, 0.1, 1),
        (2, 3, 0),
        (8.9, 3, 0),
        (9, 3, 1),
    ],
)
def test_slab_is_the_thickest_that_is_not_thicker_than_asked_for(slab_mm, slice_mm, neighbours):
    assert neighbours_within(slab_mm, slice_mm) == neighbours


def test_finding_names_the_slices_of_each_slab(volume):
    (finding,) = SLIDING_MIP.analyse(volume, SlidingMipParameters(window=2))

    assert finding.source_slices[0] == (0, 1, 2)
    assert finding.source_slices[10] == (8, 9, 10, 11, 12)
    assert finding.source_slices[-1] == (27, 28, 29)
    assert finding.slab_mm == pytest.approx(5 * 320 / 30)
    assert finding.description == "MIP axial, 5 slices"
    np.testing.assert_array_equal(finding.voxels[10], volume.voxels[8:13].max(axis=0))


def test_finding_is_coded_as_a_projection(volume):
    (finding,) = SLIDING_MIP.analyse(volume, SLIDING_MIP.parameters())

    assert finding.name == "axial-mip"
    assert finding.image_type == "MIP"
    assert finding.derivation == (Code("113078", "DCM", "Maximum intensity projection"),)
    assert not finding.locations_preserved
    assert finding.voxels.dtype == volume.voxels.dtype
    assert finding.description == "MIP axial, 21 slices"


@pytest.mark.parametrize(
    ("projection", "title", "code"), [("minimum", "MinIP", "113079"), ("mean", "Mean", "113049")]
)
def test_other_projections_are_named_and_coded_as_what_they_are(volume, projection, title, code):
    parameters = SlidingMipParameters(window=2, projection=projection)

    (finding,) = SLIDING_MIP.analyse(volume, parameters)

    assert finding.name == f"axial-{title.lower()}"
    assert finding.image_type == title.upper()
    assert [item.value for item in finding.derivation] == [code]
    assert finding.description == f"{title} axial, 5 slices"
    expected = sliding_projection(volume.voxels, projection, 2, 0)
    np.testing.assert_array_equal(finding.voxels, expected)


def test_thickness_of_the_slab_takes_the_place_of_the_window(volume):
    parameters = SlidingMipParameters(window=9, window_mm=40.0)

    (finding,) = SLIDING_MIP.analyse(volume, parameters)

    assert finding.slab_mm == pytest.approx(3 * 320 / 30)
    assert finding.description == "MIP axial, 3 slices"


def test_slab_is_no_thicker_than_the_volume(volume):
    (finding,) = SLIDING_MIP.analyse(volume, SlidingMipParameters(window=100))

    assert finding.slab_mm == pytest.approx(320)
    assert finding.description == "MIP axial, 30 slices"


def test_stack_that_is_not_axial_is_refused(volume):
    coronal = dataclasses.replace(volume.geometry, slice_direction=(0.0, 1.0, 0.0))

    with pytest.raises(NotApplicableError, match="not axial"):
        SLIDING_MIP.analyse(dataclasses.replace(volume, geometry=coronal), SlidingMipParameters())


@pytest.mark.parametrize(("view", "axis"), [("coronal", 1), ("sagittal", 2)])
def test_other_views_are_reformats_made_of_all_slices(volume, view, axis):
    (finding,) = SLIDING_MIP.analyse(volume, SlidingMipParameters(window=2, view=view))

    assert finding.name == f"{view}-mip"
    assert finding.axis == axis
    assert [code.value for code in finding.derivation] == ["113078", "113072"]
    assert finding.source_slices == (tuple(range(30)),) * 32
    assert finding.slab_mm == pytest.approx(5 * volume.geometry.spacing.in_order[axis])
    assert finding.description == f"MIP {view}, 5 slices"
    np.testing.assert_array_equal(finding.voxels, sliding_maximum(volume.voxels, 2, axis))


def test_coronal_view_of_coronal_slices_is_no_reformat(volume):
    geometry = dataclasses.replace(
        volume.geometry, slice_direction=(0.0, 1.0, 0.0), column_direction=(0.0, 0.0, -1.0)
    )
    coronal = dataclasses.replace(volume, geometry=geometry)

    (finding,) = SLIDING_MIP.analyse(coronal, SlidingMipParameters(window=2, view="coronal"))

    assert finding.axis == 0
    assert finding.source_slices[10] == (8, 9, 10, 11, 12)
    assert [code.value for code in finding.derivation] == ["113078"]


def test_view_of_a_stack_that_is_oblique_to_it_is_refused(volume):
    half = 2**-0.5
    geometry = dataclasses.replace(
        volume.geometry, row_direction=(half, half, 0.0), column_direction=(-half, half, 0.0)
    )

    with pytest.raises(NotApplicableError, match="too oblique in the patient for a coronal view"):
        SLIDING_MIP.analyse(
            dataclasses.replace(volume, geometry=geometry), SlidingMipParameters(view="coronal")
        )


def test_unknown_view_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="one of sagittal, coronal, axial"):
        SlidingMipParameters(view="oblique")


@pytest.mark.parametrize("window", [0, -1, 201, 2.5, "10", True, None])
def test_window_out_of_range_is_refused_with_what_is_allowed(window):
    with pytest.raises(ValueError, match=r"window is .*from 1 to 200"):
        SlidingMipParameters(window=window)


@pytest.mark.parametrize("window_mm", [0, -1.0, 1000.1, "10", True, float("nan")])
def test_thickness_out_of_range_is_refused_with_what_is_allowed(window_mm):
    with pytest.raises(ValueError, match=r"window_mm is .*up to 1000 mm"):
        SlidingMipParameters(window_mm=window_mm)


def test_unknown_projection_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="one of maximum, minimum, mean"):
        SlidingMipParameters(projection="median")


@pytest.mark.parametrize("window", [1, 200])
def test_ends_of_the_range_are_allowed(window):
    assert SlidingMipParameters(window=window).window == window
