"""The stored form of derived Hounsfield Units."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.encode import ResultContext
from pipeline.encode.stored_values import StoredForm, stored_form
from pipeline.errors import EncodingError
from pipeline.findings import DerivedVolume
from pipeline.volume import Volume
from tests.support.encoding import encode

MakeVolume = Callable[..., Volume]
SlabOf = Callable[[Volume], DerivedVolume]
PLAIN = StoredForm(intercept=0, bits_stored=16, signed=True)


def signed_with_padding(dataset: Dataset, _index: int) -> None:
    dataset.PixelRepresentation = 1
    dataset.BitsStored, dataset.HighBit = 16, 15
    dataset.RescaleIntercept = "0"
    dataset.PixelPaddingValue = -2000
    values = np.frombuffer(dataset.PixelData, "<u2").astype("<i2") - 1024
    values[:3] = -2000
    dataset.PixelData = values.tobytes()


def test_form_of_the_source_is_kept(volume: Volume) -> None:
    assert stored_form(volume, volume.voxels) == StoredForm(-1024, 12, signed=False)


def test_values_beyond_the_source_form_take_plain_hounsfield_units(volume: Volume) -> None:
    assert stored_form(volume, volume.voxels - 1) == PLAIN
    assert stored_form(volume, volume.voxels + 3000) == PLAIN


@pytest.mark.parametrize("keyword", ["RescaleIntercept", "RescaleSlope"])
def test_slices_that_rescale_differently_take_plain_hounsfield_units(
    keyword: str, make_volume: MakeVolume
) -> None:
    def edit(dataset: Dataset, index: int) -> None:
        dataset[keyword].value = str(index + 1)

    volume = make_volume(edit)
    assert stored_form(volume, volume.voxels) == PLAIN


def test_padding_below_every_result_is_kept(make_volume: MakeVolume) -> None:
    volume = make_volume(signed_with_padding)
    assert stored_form(volume, volume.voxels).padding == (-2000,)


def test_padding_that_a_result_could_mean_is_dropped(make_volume: MakeVolume) -> None:
    volume = make_volume(signed_with_padding)
    assert stored_form(volume, volume.voxels - 100).padding == ()


def test_padding_of_another_type_is_read_by_pixel_representation(make_volume: MakeVolume) -> None:
    def edit(dataset: Dataset, index: int) -> None:
        signed_with_padding(dataset, index)
        dataset.add_new("PixelPaddingValue", "US", 65536 - 2000)

    volume = make_volume(edit)
    assert stored_form(volume, volume.voxels).padding == (-2000,)


@pytest.mark.parametrize("shift", [0, 5000])
def test_stored_values_come_back_as_the_voxels(
    shift: int, make_volume: MakeVolume, slab_of: SlabOf, context: ResultContext
) -> None:
    volume = make_volume(signed_with_padding)
    slab = slab_of(volume)
    slab = replace(slab, voxels=slab.voxels + np.int16(shift))
    for image, plane in zip(encode(slab, volume, context), slab.voxels, strict=True):
        values = image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)
        np.testing.assert_array_equal(values, plane)
        assert image["SmallestImagePixelValue"].VR == "SS"
        assert image.SmallestImagePixelValue == image.pixel_array.min()
        assert image.LargestImagePixelValue == image.pixel_array.max()


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
@pytest.mark.parametrize(
    ("form", "values", "stored"),
    [
        (StoredForm(-1024.0, 16, signed=False), [-1024, 0, 32767], [0, 1024, 33791]),
        (StoredForm(-32768.0, 16, signed=False), [-32768, 32767], [0, 65535]),
        (StoredForm(1000.0, 16, signed=True), [-31768, 32767], [-32768, 31767]),
        (StoredForm(-70000.0, 16, signed=False), [-32768, -4465], [37232, 65535]),
        (StoredForm(0.0, 16, signed=True), [-32768, 32767], [-32768, 32767]),
    ],
)
def test_whole_values_are_stored_exactly_up_to_the_ends_of_the_form(
    form: StoredForm, values: list[int], stored: list[int], dtype: type[np.integer]
) -> None:
    plane = np.array([values], dtype)
    found = form.stored(plane)
    assert found.dtype == ("<i2" if form.signed else "<u2")
    assert found.tolist() == [stored]
    assert plane.tolist() == [values]


def test_values_that_fit_no_ct_are_refused(volume: Volume) -> None:
    with pytest.raises(EncodingError, match="whole Hounsfield Units"):
        stored_form(volume, volume.voxels.astype(np.float32))
    with pytest.raises(EncodingError, match="16 bits"):
        stored_form(volume, volume.voxels.astype(np.int32) + 40000)
