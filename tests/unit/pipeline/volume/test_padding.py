"""Padding never enters a projection, and a slab of nothing else is padding."""

import dataclasses

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.algorithms.mip import SlidingMipParameters
from pipeline.algorithms.mip import analyse as slide
from pipeline.algorithms.rotating_mip import RotatingMipParameters
from pipeline.algorithms.rotating_mip import analyse as turn
from pipeline.phantom import chest_phantom
from pipeline.volume import Volume
from pipeline.volume.padding import lowest_padding, padding_of_voxels, without_padding
from tests.phantoms import volume_from_phantom

HIGH = 30000


def padded(padding: int, *, signed: bool = True, **attributes: int) -> Volume:
    """A volume whose corner of every slice holds one value."""
    volume = volume_from_phantom(chest_phantom(slices=6, size=16))
    voxels = volume.voxels.clip(-1000, 2000)
    voxels[:, :4, :4] = padding
    sources = []
    for source in volume.sources:
        header = Dataset()
        header.update(source.header)
        header.PixelRepresentation, header.RescaleIntercept = int(signed), 0
        for keyword, value in attributes.items():
            header.add_new(keyword, "SS" if signed and value < 2**15 else "US", value)
        sources.append(dataclasses.replace(source, own_header=header))
    return dataclasses.replace(volume, voxels=voxels, sources=tuple(sources))


@pytest.mark.parametrize(
    "attributes",
    [
        {"PixelPaddingValue": HIGH},
        {"PixelPaddingValue": HIGH - 5, "PixelPaddingRangeLimit": HIGH + 5},
    ],
)
def test_padding_above_all_else_is_taken_for_the_lowest(attributes: dict[str, int]) -> None:
    volume = padded(HIGH, **attributes)
    shown = without_padding(volume)
    assert (shown[:, :4, :4] == volume.voxels.min()).all()
    np.testing.assert_array_equal(shown[:, 4:], volume.voxels[:, 4:])
    (slab,) = slide(volume, SlidingMipParameters(window=2))
    (turned,) = turn(volume, RotatingMipParameters(angles=3))
    assert max(slab.voxels.max(), turned.views.max()) <= 2000


@pytest.mark.parametrize(
    ("value", "attributes"),
    [
        (-2000, {"PixelPaddingValue": 2**16 - 2000}),
        (-2000, {"PixelPaddingValue": 2**15 - 1}),
        (HIGH, {}),
    ],
)
def test_volume_is_left_as_it_is_where_padding_is_low_or_nowhere(
    value: int, attributes: dict[str, int]
) -> None:
    volume = padded(value, **attributes)
    assert without_padding(volume) is volume.voxels


def test_volume_of_nothing_but_padding_is_left_as_it_is() -> None:
    volume = padded(HIGH, PixelPaddingValue=HIGH)
    nothing = dataclasses.replace(volume, voxels=np.full_like(volume.voxels, HIGH))
    assert without_padding(nothing) is nothing.voxels


@pytest.mark.parametrize("value", [HIGH, 500])
def test_each_slice_says_by_its_own_rescale_what_padding_is(value: int) -> None:
    """The stored value is one, what it stands for is not."""
    volume = padded(0, signed=False, PixelPaddingValue=value)
    voxels = volume.voxels.astype(np.float32) + np.float32(0.3)  # none is padding by chance
    for index, (plane, source) in enumerate(zip(voxels, volume.sources, strict=True)):
        source.header.Modality, source.header.RescaleSlope = "PT", 0.1 + index / 7
        plane[:4, :4] = value * (0.1 + index / 7)
    volume = dataclasses.replace(volume, voxels=voxels)
    marked = padding_of_voxels(volume)
    assert marked is not None
    expected = np.zeros(voxels.shape, bool)
    expected[:, :4, :4] = True
    np.testing.assert_array_equal(marked, expected)
    assert lowest_padding(volume) is None


def test_padding_is_found_where_slices_truncate_to_whole_hounsfield_units() -> None:
    volume = padded(-1500, PixelPaddingValue=-2001)
    for source in volume.sources:
        source.header.RescaleSlope = 0.75  # -1500.75
    assert lowest_padding(volume) == -1500


def test_table_of_values_says_nothing_of_padding() -> None:
    volume = padded(HIGH, PixelPaddingValue=HIGH)
    for source in volume.sources:
        source.header.ModalityLUTSequence = [Dataset()]
    assert padding_of_voxels(volume) is None
