"""A derived volume as a CT series."""

import gc
import os
import tracemalloc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UltrasoundImageStorage

from pipeline.encode import ResultContext, part10_bytes
from pipeline.encode.part10 import write_part10
from pipeline.errors import EncodingError
from pipeline.findings import DerivedVolume
from pipeline.volume import Volume
from tests.support.encoding import encode

SlabOf = Callable[[Volume], DerivedVolume]


@pytest.fixture
def slab(volume: Volume, slab_of: SlabOf) -> DerivedVolume:
    return slab_of(volume)


@pytest.mark.parametrize(
    "orientation",
    [
        (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        (0.0, 1.0, 0.0, 0.0, 0.0, -1.0),
        (0.8, 0.6, 0.0, -0.36, 0.48, 0.8),
        (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_itk_finds_each_value_where_the_source_has_it(
    *,
    orientation: tuple[float, ...],
    reverse: bool,
    make_volume: Callable[..., Volume],
    slab_of: SlabOf,
    context: ResultContext,
    write: Callable[..., list[Path]],
) -> None:
    itk = pytest.importorskip("SimpleITK")
    volume = make_volume(orientation=orientation, reverse=reverse)
    slab = slab_of(volume)
    folders = (
        volume.sources[0].instance.path.parent,
        write("mip", encode(slab, volume, context))[0].parent,
    )
    source, derived = (
        itk.ReadImage(itk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
        for folder in folders
    )
    for attribute in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(
            getattr(derived, attribute)(), getattr(source, attribute)(), atol=1e-6
        )
    for voxel in ((0, 0, 0), (2, 3, 5), (5, 13, 18)):
        point = volume.geometry.to_patient(voxel).tolist()
        index = derived.TransformPhysicalPointToIndex(point)
        assert derived[index] == slab.voxels[voxel]
        assert source[index] == volume.voxels[voxel]


def test_series_keeps_the_source_form_of_pixels_and_window(
    volume: Volume, slab: DerivedVolume, context: ResultContext
) -> None:
    images = encode(slab, volume, context)
    source = volume.sources[0].header
    for image in images:
        for keyword in (
            "RescaleIntercept",
            "RescaleSlope",
            "BitsStored",
            "HighBit",
            "PixelRepresentation",
            "WindowCenter",
            "WindowWidth",
            "FrameOfReferenceUID",
            "StudyInstanceUID",
            "AcquisitionDate",
        ):
            assert image.get(keyword) == source.get(keyword), keyword


def test_images_say_what_they_are_and_come_from(
    volume: Volume, slab: DerivedVolume, context: ResultContext
) -> None:
    images = encode(slab, volume, context)
    assert [image.InstanceNumber for image in images] == [1, 2, 3, 4, 5, 6]
    image = images[2]
    assert image.ImageType == ["DERIVED", "SECONDARY", "AXIAL", "MIP"]
    assert image.SliceThickness == 7.5
    assert image.SpacingBetweenSlices == 2.5
    assert image.SeriesDescription == "MIP 7.5 mm (lungs 1.2)"
    assert image.ImagePositionPatient == volume.sources[2].header.ImagePositionPatient
    assert image.DerivationCodeSequence[0].CodeValue == "113078"
    assert [item.ReferencedSOPInstanceUID for item in image.SourceImageSequence] == [
        source.sop_instance_uid for source in volume.sources[1:4]
    ]
    assert {item.SpatialLocationsPreserved for item in image.SourceImageSequence} == {"NO"}
    assert image.ContentQualification == "RESEARCH"


def test_instances_are_new_and_unique(
    volume: Volume, slab: DerivedVolume, context: ResultContext
) -> None:
    images = encode(slab, volume, context)
    uids = {image.SOPInstanceUID for image in images}
    assert len(uids) == len(images)
    assert not uids & {source.sop_instance_uid for source in volume.sources}
    assert {image.SeriesInstanceUID for image in images} != {volume.series_instance_uid}


def test_changing_one_image_leaves_the_others(
    volume: Volume, slab: DerivedVolume, context: ResultContext
) -> None:
    one, other, *_ = encode(slab, volume, context)
    one.PatientName = "Changed^Name"
    assert other.PatientName == "Test^Anna"


def test_images_are_made_anew_and_equal_whenever_they_are_asked_for(
    volume: Volume, slab: DerivedVolume, context: ResultContext
) -> None:
    images = encode(slab, volume, context)
    assert len(images) == len(slab.voxels)
    files = [part10_bytes(image) for image in images]
    for index in (5, 0, 3):
        changed = images[index]
        changed.SourceImageSequence[0].SpatialLocationsPreserved = "YES"
        del changed.PixelData
        assert part10_bytes(images[index]) == files[index]


def test_writing_a_series_holds_an_image_or_two(
    make_volume: Callable[..., Volume], slab_of: SlabOf, context: ResultContext
) -> None:
    rows = columns = 512

    def edit(dataset: Dataset, _index: int) -> None:
        dataset.Rows, dataset.Columns = rows, columns
        dataset.PixelData = bytes(2 * rows * columns)

    volume = make_volume(edit)
    slab = slab_of(volume)
    tracemalloc.start()
    try:
        with Path(os.devnull).open("wb") as nowhere:
            for image in encode(slab, volume, context):
                write_part10(image, nowhere)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(slab.voxels) == 6
    assert peak < 4 * 2 * rows * columns


@pytest.mark.parametrize("axis", [0, 1])
def test_images_yet_to_be_made_do_not_keep_the_source_volume(
    axis: int, make_volume: Callable[..., Volume], slab_of: SlabOf, context: ResultContext
) -> None:
    volume = make_volume()
    used = tuple(range(len(volume.voxels)))
    slab = replace(slab_of(volume), axis=axis)
    slab = replace(slab, source_slices=(used,) * slab.voxels.shape[axis])
    images = encode(slab, volume, context)
    voxels = weakref.ref(volume.voxels)
    del volume
    gc.collect()
    assert voxels() is None
    assert images[-1].InstanceNumber == slab.voxels.shape[axis]


def test_source_headers_are_not_changed(
    volume: Volume, slab: DerivedVolume, context: ResultContext
) -> None:
    before = [source.header.to_json() for source in volume.sources]
    for image in encode(slab, volume, context):
        part10_bytes(image)
    assert [source.header.to_json() for source in volume.sources] == before


def test_private_overlay_and_procedure_step_are_left_behind(
    make_volume: Callable[..., Volume], slab_of: SlabOf, context: ResultContext
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        dataset.private_block(0x0009, "MAKER", create=True).add_new(1, "LO", "secret")
        request = Dataset()
        request.ScheduledProcedureStepID = "R1"
        request.private_block(0x0011, "MAKER", create=True).add_new(1, "LO", "secret")
        dataset.RequestAttributesSequence = [request]
        dataset.PerformedProcedureStepID = "P1"
        dataset.add_new(0x60000010, "US", 4)

    volume = make_volume(edit)
    image = encode(slab_of(volume), volume, context)[0]
    assert b"secret" not in part10_bytes(image)
    assert image.RequestAttributesSequence[0].ScheduledProcedureStepID == "R1"
    assert "PerformedProcedureStepID" not in image
    assert 0x60000010 not in image


def test_one_lossy_or_annotated_slice_marks_the_whole_series(
    make_volume: Callable[..., Volume], slab_of: SlabOf, context: ResultContext
) -> None:
    def edit(dataset: Dataset, index: int) -> None:
        dataset.LossyImageCompression = "01" if index == 3 else "00"
        dataset.BurnedInAnnotation = "YES" if index == 4 else "NO"
        if index == 3:
            dataset.LossyImageCompressionRatio = "12"
            dataset.LossyImageCompressionMethod = "ISO_15444_1"

    volume = make_volume(edit)
    for image in encode(slab_of(volume), volume, context):
        assert image.LossyImageCompression == "01"
        assert image.LossyImageCompressionRatio == 12
        assert image.LossyImageCompressionMethod == "ISO_15444_1"
        assert image.BurnedInAnnotation == "YES"


def test_acquisition_attributes_that_differ_are_left_out(
    make_volume: Callable[..., Volume], slab_of: SlabOf, context: ResultContext
) -> None:
    def edit(dataset: Dataset, index: int) -> None:
        dataset.ConvolutionKernel = "B40f"
        dataset.GantryDetectorTilt = str(index)

    volume = make_volume(edit)
    image = encode(slab_of(volume), volume, context)[0]
    assert image.ConvolutionKernel == "B40f"
    assert "GantryDetectorTilt" not in image


def test_source_that_is_no_ct_mr_or_pet_is_refused(
    make_volume: Callable[..., Volume], slab_of: SlabOf, context: ResultContext
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        dataset.SOPClassUID = UltrasoundImageStorage

    volume = make_volume(edit)
    with pytest.raises(EncodingError, match="is Ultrasound Image Storage; a derived series is"):
        encode(slab_of(volume), volume, context)


def test_volume_off_the_source_grid_is_refused(
    volume: Volume, slab: DerivedVolume, context: ResultContext
) -> None:
    with pytest.raises(EncodingError, match="not slice for slice"):
        encode(replace(slab, voxels=slab.voxels[1:]), volume, context)
    with pytest.raises(EncodingError, match="does not name the source slices"):
        encode(replace(slab, source_slices=slab.source_slices[1:]), volume, context)
