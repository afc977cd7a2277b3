"""The sliding maximum against its formula, and what the algorithm says of its result."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.algorithms.mip import SLIDING_MIP, SlidingMipParameters, sliding_maximum
from pipeline.errors import NotApplicableError
from pipeline.findings import Code
from pipeline.phantom import chest_phantom
from pipeline.volume import Volume
from tests.phantoms import volume_from_phantom

VOLUMES = arrays.arrays(
    dtype=st.sampled_from([np.int16, np.uint16, np.int32, np.float32]),
    shape=arrays.array_shapes(min_dims=3, max_dims=3, max_side=9),
    elements=st.integers(0, 2000),
)


@pytest.fixture(scope="module")
def volume() -> Volume:
    return volume_from_phantom(chest_phantom(slices=30, size=32))


@given(voxels=VOLUMES, window=st.integers(0, 12), axis=st.integers(0, 2))
def test_each_slice_is_the_maximum_of_its_window(voxels, window, axis):
    count = voxels.shape[axis]
    expected = np.stack(
        [
            voxels.take(range(max(0, i - window), min(count, i + window + 1)), axis).max(axis)
            for i in range(count)
        ],
        axis,
    )

    projected = sliding_maximum(voxels, window, axis)

    assert projected.dtype == voxels.dtype
    np.testing.assert_array_equal(projected, expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_volume_is_left_as_it_was(axis):
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    voxels.setflags(write=False)

    sliding_maximum(voxels, 1, axis)

    np.testing.assert_array_equal(voxels.ravel(), np.arange(60))


def test_values_beyond_float64_are_kept():
    voxels = np.array([2**53, 2**53 + 1, 0], dtype=np.int64).reshape(3, 1, 1)

    assert sliding_maximum(voxels, 1, 0).ravel().tolist() == [2**53 + 1] * 3


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

    assert finding.image_type == ("AXIAL", "MIP")
    assert finding.derivation == (Code("113078", "DCM", "Maximum intensity projection"),)
    assert not finding.locations_preserved
    assert finding.voxels.dtype == volume.voxels.dtype
    assert finding.description == "MIP axial, 21 slices"


def test_slab_is_no_thicker_than_the_volume(volume):
    (finding,) = SLIDING_MIP.analyse(volume, SlidingMipParameters(window=100))

    assert finding.slab_mm == pytest.approx(320)
    assert finding.description == "MIP axial, 30 slices"


def test_stack_that_is_not_axial_is_refused(volume):
    coronal = dataclasses.replace(volume.geometry, slice_direction=(0.0, 1.0, 0.0))

    with pytest.raises(NotApplicableError, match="not axial"):
        SLIDING_MIP.analyse(dataclasses.replace(volume, geometry=coronal), SlidingMipParameters())


@pytest.mark.parametrize("window", [0, -1, 201, 2.5, "10", True, None])
def test_window_out_of_range_is_refused_with_what_is_allowed(window):
    with pytest.raises(ValueError, match=r"window is .*from 1 to 200"):
        SlidingMipParameters(window=window)


@pytest.mark.parametrize("window", [1, 200])
def test_ends_of_the_range_are_allowed(window):
    assert SlidingMipParameters(window=window).window == window
