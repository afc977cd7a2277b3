"""Slabs with padding show the patient alone; those of nothing else are padding, and say so."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.algorithms.mip import Projection, SlidingMipParameters, analyse, project_shown
from pipeline.encode.stored_values import stored_form
from pipeline.phantom import chest_phantom
from pipeline.volume import Volume
from tests.phantoms import volume_from_phantom

PROJECTIONS: tuple[Projection, ...] = ("maximum", "minimum", "mean")
PADDING = 2500


def expected(voxels, padded, projection, window, axis):
    """(value, whether it shows the patient) of each place, one after the other."""
    lines, marks = np.moveaxis(voxels, axis, 0), np.moveaxis(padded, axis, 0)
    values, shown = np.zeros(lines.shape), np.zeros(lines.shape, bool)
    for i, row, column in np.ndindex(lines.shape):
        slab = slice(max(0, i - window), i + window + 1)
        used = lines[slab, row, column][~marks[slab, row, column]]
        if len(used):
            shown[i, row, column] = True
            match projection:
                case "maximum":
                    values[i, row, column] = used.max()
                case "minimum":
                    values[i, row, column] = used.min()
                case _ if used.dtype.kind == "f":
                    values[i, row, column] = used.sum(dtype=np.float64) / len(used)
                case _:
                    values[i, row, column] = round(Fraction(int(used.sum(dtype=int)), len(used)))
    return np.moveaxis(values, 0, axis).astype(voxels.dtype), np.moveaxis(shown, 0, axis)


@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("window", [1, 2, 9])
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32])
def test_values_are_those_of_the_neighbours_that_are_shown(projection, axis, window, dtype):
    random = np.random.default_rng(window)
    voxels = random.integers(0, 3000, (6, 7, 8)).astype(dtype)
    padded = random.random(voxels.shape) < 0.7
    before = voxels.copy()

    found, blank = project_shown(voxels, padded, projection, window, axis)

    values, shown = expected(voxels, padded, projection, window, axis)
    np.testing.assert_array_equal(found[shown], values[shown])
    np.testing.assert_array_equal(voxels, before)
    if shown.all():
        assert blank is None
    else:
        assert set(found[~shown]) == {blank}
        assert blank < found[shown].min()


def with_padding(value: int, *, everywhere: bool) -> Volume:
    """Slices with a corner of padding, every second one or all."""
    volume = volume_from_phantom(chest_phantom(slices=6, size=16))
    voxels = volume.voxels.clip(-1000, 3000)
    voxels[0, 8, 8] = 3000
    voxels[:: 1 if everywhere else 2, :4, :4] = value
    sources = []
    for source in volume.sources:
        header = Dataset()
        header.update(source.header)
        header.PixelRepresentation, header.RescaleIntercept, header.RescaleSlope = 1, 0, 1
        header.BitsAllocated = header.BitsStored = 16
        header.add_new("PixelPaddingValue", "SS", value)
        sources.append(dataclasses.replace(source, own_header=header))
    return dataclasses.replace(volume, voxels=voxels, sources=tuple(sources))


@pytest.mark.parametrize("value", [PADDING, -2000])
@pytest.mark.parametrize("projection", PROJECTIONS)
def test_place_that_only_padding_fills_is_padding_in_the_result(
    value: int, projection: Projection
) -> None:
    volume = with_padding(value, everywhere=True)
    (slab,) = analyse(volume, SlidingMipParameters(window=2, projection=projection))
    corner = np.zeros(slab.voxels.shape, bool)
    corner[:, :4, :4] = True
    assert slab.padding is not None
    np.testing.assert_array_equal(slab.voxels == slab.padding, corner)
    form = stored_form(volume, slab.voxels, slab.padding)
    stored = form.stored(slab.voxels[0])
    np.testing.assert_array_equal(stored == form.padding[0], corner[0])
    np.testing.assert_array_equal(stored[~corner[0]], slab.voxels[0][~corner[0]])


@pytest.mark.parametrize("value", [PADDING, -2000])
@pytest.mark.parametrize("projection", PROJECTIONS)
def test_padding_of_some_slices_gives_way_to_the_others(value: int, projection: Projection) -> None:
    volume = with_padding(value, everywhere=False)
    (slab,) = analyse(volume, SlidingMipParameters(window=2, projection=projection))
    without = dataclasses.replace(volume, voxels=volume.voxels[1::2], sources=volume.sources[1::2])
    shown = without.voxels[:, :4, :4]
    assert slab.voxels[:, :4, :4].min() >= shown.min()
    assert slab.voxels[:, :4, :4].max() <= shown.max()


def test_series_without_padding_says_none() -> None:
    volume = volume_from_phantom(chest_phantom(slices=6, size=16))
    (slab,) = analyse(volume, SlidingMipParameters(window=2, projection="minimum"))
    assert slab.padding is None
