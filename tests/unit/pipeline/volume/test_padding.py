"""Padding never enters a projection of maxima."""

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
from pipeline.volume.padding import with_padding_lowest
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
    shown = with_padding_lowest(volume)
    assert (shown[:, :4, :4] == volume.voxels.min()).all()
    np.testing.assert_array_equal(shown[:, 4:], volume.voxels[:, 4:])
    (slab,) = slide(volume, SlidingMipParameters(window=2))
    (turned,) = turn(volume, RotatingMipParameters(angles=3))
    assert max(slab.voxels.max(), turned.views.max()) <= 2000


@pytest.mark.parametrize(
    ("value", "attributes"),
    [(-2000, {"PixelPaddingValue": 2**16 - 2000}), (-2000, {"PixelPaddingValue": 0}), (HIGH, {})],
)
def test_volume_is_left_as_it_is_where_padding_is_low_or_not_said(
    value: int, attributes: dict[str, int]
) -> None:
    volume = padded(value, **attributes)
    assert with_padding_lowest(volume) is volume.voxels


def test_volume_of_nothing_but_padding_is_left_as_it_is() -> None:
    volume = padded(HIGH, PixelPaddingValue=HIGH)
    nothing = dataclasses.replace(volume, voxels=np.full_like(volume.voxels, HIGH))
    assert with_padding_lowest(nothing) is nothing.voxels
