"""Range, histogram and limits of a volume's values against numpy's."""

import numpy as np
import pytest

from pipeline.kernels.intensity import count_positive, positive_range, within

KINDS = (np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)


def random_volume(random, kind):
    values = random.normal(40, random.choice([3, 300, 9000]), random.integers(1, 20, 3))
    return np.clip(values, 0 if kind in (np.uint8, np.uint16) else -255, 255).astype(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_range_and_histogram_are_those_of_numpy(kind):
    random = np.random.default_rng(5)
    compared = 0
    for _ in range(60):
        voxels = random_volume(random, kind)
        positive = voxels[voxels > 0].astype(np.float64)
        if positive.size and positive.min() < positive.max():
            counts, edges = np.histogram(positive, 256)
            assert positive_range(voxels) == (positive.min(), positive.max())
            np.testing.assert_array_equal(count_positive(voxels, edges), counts)
            compared += 1
    assert compared > 40


def test_value_on_an_edge_is_in_the_bin_above_it_and_the_highest_in_the_last():
    """Edges that no binary fraction holds: the place between the ends alone would be off."""
    edges = np.linspace(0.1, 0.7, 257)

    counts = count_positive(edges.reshape(1, 1, -1), edges)

    assert counts.tolist() == [1] * 255 + [2]


@pytest.mark.parametrize("value", [0, -5, np.nan])
def test_volume_without_positive_values_has_no_range(value):
    assert positive_range(np.full((2, 3, 4), value)) is None


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_nan_is_in_no_range_wherever_it_stands(kind):
    voxels = np.array([np.nan, 3, np.nan, 2, 7, np.nan], dtype=kind).reshape(2, 1, 3)

    assert positive_range(voxels) == (2, 7)
    assert count_positive(voxels, np.linspace(2, 7, 3)).tolist() == [2, 1]
    assert within(voxels, -np.inf, np.inf).ravel().tolist() == [
        False,
        True,
        False,
        True,
        True,
        False,
    ]


def test_limits_are_within():
    voxels = np.arange(-3, 5, dtype=np.int16).reshape(2, 2, 2)

    assert voxels[within(voxels, -1, 2)].tolist() == [-1, 0, 1, 2]
    assert voxels[within(voxels, -1.5, 1.5)].tolist() == [-1, 0, 1]


def test_limit_is_not_rounded_to_the_type_of_the_voxels():
    """0.1 in float32 is above 0.1 in float64."""
    voxels = np.full((1, 1, 1), 0.1, dtype=np.float32)

    assert not within(voxels, 0, 0.1).any()


def test_any_memory_layout_will_do():
    voxels = np.random.default_rng(2).integers(-50, 50, (6, 7, 8), dtype=np.int16)
    turned = voxels.transpose(2, 0, 1)[::-1]

    assert positive_range(turned) == positive_range(voxels)
    np.testing.assert_array_equal(within(turned, 3, 20), (turned >= 3) & (turned <= 20))
