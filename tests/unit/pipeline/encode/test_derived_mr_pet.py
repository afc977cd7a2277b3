"""Derived volumes of MR and PET: the source's class, its values, and what makes SUV of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, MRImageStorage, PositronEmissionTomographyImageStorage

from pipeline.algorithms.brain import BrainParameters
from pipeline.algorithms.brain import analyse as strip
from pipeline.algorithms.mip import SlidingMipParameters
from pipeline.encode import ResultContext, part10_bytes
from pipeline.errors import EncodingError
from pipeline.findings import DerivedVolume
from pipeline.instance import read_instance
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.plan import Pipeline, Step
from pipeline.run import run_pipeline
from pipeline.volume import Volume, build_volume
from pipeline.volume.suv import suv_factor
from tests.support.encoding import encode
from tests.support.enhanced import enhanced_ct, enhanced_mr, enhanced_pet
from tests.support.image_kinds import (
    as_mr,
    as_mr_of_many_slopes,
    as_pet,
    as_rescaled_mr,
    values,
)

SlabOf = Callable[[Volume], DerivedVolume]
MakeVolume = Callable[..., Volume]
Write = Callable[..., list[Path]]
ErrorsOf = Callable[..., list[str]]
Edit = Callable[[Dataset, int], None]
TYPE_ONE_AND_TWO_OF_PET = (
    "Units",
    "CountsSource",
    "SeriesType",
    "CorrectedImage",
    "DecayCorrection",
    "CollimatorType",
    "FrameReferenceTime",
    "ActualFrameDuration",
    "DecayFactor",
    "ImageIndex",
    "NumberOfSlices",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "RadiopharmaceuticalInformationSequence",
    "PatientOrientationCodeSequence",
    "PatientGantryRelationshipCodeSequence",
    "Manufacturer",
    "SliceThickness",
)
TYPE_ONE_AND_TWO_OF_MR = (
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "MRAcquisitionType",
    "RepetitionTime",
    "EchoTime",
    "EchoTrainLength",
    "PatientPosition",
    "SliceThickness",
)


def bare(make: Edit, keywords: tuple[str, ...]) -> Edit:
    """The same without what real headers often lack."""

    def edit(dataset: Dataset, index: int) -> None:
        make(dataset, index)
        for keyword in keywords:
            dataset.pop(keyword, None)

    return edit


def also(make: Edit, **attributes: object) -> Edit:
    """The same with further attributes."""

    def edit(dataset: Dataset, index: int) -> None:
        make(dataset, index)
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)

    return edit


def multi_frame(tmp_path: Path, image: Dataset) -> Volume:
    path = tmp_path / "multi-frame.dcm"
    path.write_bytes(part10_bytes(image))
    return build_volume([read_instance(path)]).volume


@pytest.mark.parametrize(
    "edit",
    [
        as_mr,
        as_rescaled_mr,
        as_mr_of_many_slopes,
        bare(as_mr, TYPE_ONE_AND_TWO_OF_MR),
        also(as_mr, ScanningSequence="IR", ScanOptions=["PPG"], InversionTime="900"),
        also(as_mr, ScanningSequence=["EP", "GR"], ScanOptions=["CG"], TriggerTime="3"),
        also(as_mr, InversionTime="900", TriggerTime="3", WindowWidth="0"),
        also(as_mr, BodyPartExamined="KNEE"),
        also(as_mr, BodyPartExamined="BRAIN", Laterality=""),
        also(as_mr, LossyImageCompression="01", BurnedInAnnotation="YES"),
        as_pet,
        bare(as_pet, TYPE_ONE_AND_TWO_OF_PET),
        also(as_pet, PhotometricInterpretation="MONOCHROME1", DecayCorrection="NONE"),
        also(as_pet, SeriesType=["DYNAMIC", "IMAGE"], NumberOfTimeSlices=3),
        also(as_pet, SeriesType=["GATED", "IMAGE"], WindowWidth="0.4", TriggerTime="5"),
        also(bare(as_pet, TYPE_ONE_AND_TWO_OF_PET), PatientPosition="FFP"),
    ],
)
def test_no_image_has_an_error_and_all_agree_with_the_source(
    *,
    edit: Edit,
    make_volume: MakeVolume,
    slab_of: SlabOf,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    volume = make_volume(edit)
    projected = slab_of(volume)
    masked = replace(projected, name="masked", image_type="MASKED", locations_preserved=True)
    paths = [
        path
        for finding in (projected, masked)
        for path in write(finding.name, encode(finding, volume, context))
    ]
    for path in paths[::4]:
        assert errors_of("dciodvfy", [path]) == []
    sources = [source.instance.path for source in volume.sources]
    assert errors_of("dcentvfy", [*paths, *sources]) == errors_of("dcentvfy", sources)


@pytest.mark.parametrize(
    ("edit", "sop_class", "projected", "masked"),
    [
        (
            as_mr,
            MRImageStorage,
            ["DERIVED", "SECONDARY", "PROJECTION IMAGE", "MIP"],
            ["DERIVED", "SECONDARY", "OTHER", "MASKED"],
        ),
        (
            as_pet,
            PositronEmissionTomographyImageStorage,
            ["DERIVED", "PRIMARY", "MIP"],
            ["DERIVED", "PRIMARY", "MASKED"],
        ),
    ],
)
def test_images_are_of_the_source_class_and_say_what_they_show(
    *,
    edit: Edit,
    sop_class: UID,
    projected: list[str],
    masked: list[str],
    make_volume: MakeVolume,
    slab_of: SlabOf,
    context: ResultContext,
) -> None:
    volume = make_volume(edit)
    slab = slab_of(volume)
    mask = replace(slab, image_type="MASKED", locations_preserved=True)
    for finding, image_type in ((slab, projected), (mask, masked)):
        image = encode(finding, volume, context)[0]
        assert (image.SOPClassUID, image.Modality) == (sop_class, volume.modality)
        assert image.ImageType == image_type


def as_mr_of_slope_1(dataset: Dataset, index: int) -> None:
    as_mr(dataset, index)
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "1", "0", "US"


@pytest.mark.parametrize("edit", [as_mr, as_mr_of_slope_1])
def test_mr_values_are_stored_as_the_source_stores_them(
    edit: Edit, make_volume: MakeVolume, slab_of: SlabOf, context: ResultContext
) -> None:
    """Without a rescale, which MR Image has not, where it changes nothing."""
    volume = make_volume(edit)
    slab = slab_of(volume)
    for image, plane in zip(encode(slab, volume, context), slab.voxels, strict=True):
        np.testing.assert_array_equal(image.pixel_array, plane)
        for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
            assert keyword not in image
        assert (image.BitsStored, image.PixelRepresentation) == (12, 0)


def test_rescaled_mr_values_come_back_exactly_in_the_source_form(
    make_volume: MakeVolume, slab_of: SlabOf, context: ResultContext
) -> None:
    volume = make_volume(as_rescaled_mr)
    slab = slab_of(volume)
    assert volume.voxels.dtype == np.float32
    for image, plane in zip(encode(slab, volume, context), slab.voxels, strict=True):
        np.testing.assert_array_equal(values(image), plane)
        assert (image.RescaleSlope, image.RescaleIntercept) == (0.25, -3)


@pytest.mark.parametrize("edit", [as_mr_of_many_slopes, as_pet])
def test_values_of_many_slopes_share_one_within_half_of_it(
    edit: Edit, make_volume: MakeVolume, slab_of: SlabOf, context: ResultContext
) -> None:
    volume = make_volume(edit)
    slab = slab_of(volume)
    images = encode(slab, volume, context)
    (slope,) = {float(image.RescaleSlope) for image in images}
    assert {float(image.RescaleIntercept) for image in images} == {0.0}
    steps = 65535 if slab.voxels.min() >= 0 else 32767
    assert slope == pytest.approx(np.abs(slab.voxels).max() / steps)
    for image, plane in zip(images, slab.voxels, strict=True):
        assert np.abs(values(image) - plane).max() <= slope / 2 * (1 + 1e-6)


def test_empty_and_infinite_values(
    make_volume: MakeVolume, slab_of: SlabOf, context: ResultContext
) -> None:
    """Nothing but 0 is stored as 0; what is not finite is refused."""
    volume = make_volume(as_pet)
    slab = slab_of(volume)
    nothing = encode(replace(slab, voxels=slab.voxels * 0), volume, context)
    assert not any(values(image).any() for image in nothing)
    slab.voxels[0, 0, 0] = np.inf
    with pytest.raises(EncodingError, match="not finite"):
        encode(slab, volume, context)


def test_values_that_are_finer_than_the_source_form_take_another(
    make_volume: MakeVolume, slab_of: SlabOf, context: ResultContext
) -> None:
    """A share from 0 to 1 made of whole numbers is not rounded to 0 or 1."""
    volume = make_volume(as_mr)
    slab = slab_of(volume)
    share = np.linspace(0, 1, slab.voxels.size, dtype=np.float32).reshape(slab.voxels.shape)
    images = encode(replace(slab, voxels=share), volume, context)
    found = np.stack([values(image) for image in images])
    np.testing.assert_allclose(found, share, atol=1e-5)


def set_philips(dataset: Dataset, factor: int, value: str) -> None:
    block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(factor, "DS", value)


def as_philips(dataset: Dataset, index: int) -> None:
    as_pet(dataset, index)
    dataset.Units = "CNTS"
    set_philips(dataset, 0x00, "0.000517")


def as_philips_activity(dataset: Dataset, index: int) -> None:
    as_pet(dataset, index)
    dataset.Units = "CNTS"
    set_philips(dataset, 0x09, "1.25")


def as_ge(dataset: Dataset, index: int) -> None:
    """Post-processed: the series is younger than the acquisition."""
    as_pet(dataset, index)
    dataset.SeriesTime = "120000"
    block = dataset.private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20240102030001.00")


def as_siemens(dataset: Dataset, index: int) -> None:
    as_pet(dataset, index)
    dataset.Manufacturer, dataset.SeriesTime = "SIEMENS", "120000"
    dataset.AcquisitionTime, dataset.FrameReferenceTime = "030505", "31000"


@pytest.mark.parametrize(
    "edit",
    [
        as_pet,
        also(as_pet, SeriesTime="0304"),
        also(as_pet, TimezoneOffsetFromUTC="-0700"),
        also(as_pet, DecayCorrection="ADMIN"),
        also(as_pet, Units="GML"),
        also(as_pet, DecayCorrectionDateTime="20240102030000"),
        as_philips,
        as_philips_activity,
        as_ge,
        as_siemens,
    ],
)
def test_suv_factor_is_that_of_the_source(
    *,
    edit: Edit,
    make_volume: MakeVolume,
    slab_of: SlabOf,
    context: ResultContext,
    write: Write,
) -> None:
    """Also where the source says it in private elements or by its manufacturer, and as rebuilt."""
    volume = make_volume(edit)
    assert volume.suv_factor is not None
    images = encode(slab_of(volume), volume, context)
    for image in images:
        assert suv_factor(image).factor == pytest.approx(volume.suv_factor, rel=1e-12)
    paths = write("mip", images)
    rebuilt = build_volume([read_instance(path) for path in paths]).volume
    assert rebuilt.suv_factor == pytest.approx(volume.suv_factor, rel=1e-12)


@pytest.mark.parametrize(
    "edit",
    [
        bare(as_pet, ("DecayCorrection",)),
        bare(as_pet, ("Units",)),
        also(as_pet, SeriesTime="120000"),
        also(as_pet, Units="GML", SUVType="LBM"),
    ],
)
def test_source_without_suv_factor_gives_results_without(
    edit: Edit, make_volume: MakeVolume, slab_of: SlabOf, context: ResultContext
) -> None:
    volume = make_volume(edit)
    assert volume.suv_factor is None
    for image in encode(slab_of(volume), volume, context):
        assert suv_factor(image).factor is None


def test_what_the_source_does_not_say_is_named(
    make_volume: MakeVolume, slab_of: SlabOf, context: ResultContext
) -> None:
    volume = make_volume(bare(as_pet, TYPE_ONE_AND_TWO_OF_PET))
    image = encode(slab_of(volume), volume, context)[0]
    assert (image.Units, image.DecayCorrection, image.CountsSource) == ("NONE", "NONE", "EMISSION")
    assert image.DerivationDescription.endswith(
        "not said by the source and filled in: Units, CountsSource, DecayCorrection, "
        "FrameReferenceTime"
    )
    bed_without = make_volume(bare(as_pet, ("DecayFactor",)))
    image = encode(slab_of(bed_without), bed_without, context)[0]
    assert image.DerivationDescription.endswith("filled in: DecayFactor")
    complete = make_volume(as_pet)
    assert "filled in" not in encode(slab_of(complete), complete, context)[0].DerivationDescription


def test_pet_series_counts_its_images_and_keeps_its_time(
    make_volume: MakeVolume, slab_of: SlabOf, context: ResultContext
) -> None:
    volume = make_volume(also(as_pet, SeriesType=["DYNAMIC", "IMAGE"]))
    images = encode(slab_of(volume), volume, context)
    assert [image.ImageIndex for image in images] == [1, 2, 3, 4, 5, 6]
    assert {image.NumberOfSlices for image in images} == {6}
    assert {(image.SeriesDate, image.SeriesTime) for image in images} == {("20240102", "030405")}
    assert images[0].SeriesType == ["STATIC", "IMAGE"]
    assert [image.AcquisitionTime for image in images][2] == "030705"


def test_position_of_the_patient_is_said_in_codes_where_only_its_letters_are_known(
    make_volume: MakeVolume, slab_of: SlabOf, context: ResultContext
) -> None:
    edit = also(bare(as_pet, TYPE_ONE_AND_TWO_OF_PET), PatientPosition="FFDL")
    volume = make_volume(edit)
    image = encode(slab_of(volume), volume, context)[0]
    orientation = image.PatientOrientationCodeSequence[0]
    assert orientation.CodeMeaning == "recumbent"
    lay = orientation.PatientOrientationModifierCodeSequence[0]
    assert lay.CodeMeaning == "left lateral decubitus"
    assert image.PatientGantryRelationshipCodeSequence[0].CodeMeaning == "feet-first"
    assert "PatientPosition" not in image


@pytest.mark.parametrize(
    ("make", "modality"), [(enhanced_ct, "CT"), (enhanced_mr, "MR"), (enhanced_pet, "PT")]
)
def test_multi_frame_source_gives_single_frames_of_its_kind_without_error(
    *,
    make: Callable[..., Dataset],
    modality: str,
    tmp_path: Path,
    slab_of: SlabOf,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    planes = list(phantom_instances(chest_phantom(slices=4, size=32)))
    volume = multi_frame(tmp_path, make(planes))
    slab = slab_of(volume)
    images = encode(slab, volume, context)
    assert {image.Modality for image in images} == {modality}
    assert not any("NumberOfFrames" in image for image in images)
    paths = write("mip", images)
    assert [errors_of("dciodvfy", [path]) for path in paths] == [[]] * len(paths)
    step = float(images[0].get("RescaleSlope", 1)) if modality == "PT" else 0
    for image, plane in zip(images, slab.voxels, strict=True):
        assert np.abs(values(image) - plane).max() <= step / 2 * (1 + 1e-6)


def test_enhanced_pet_keeps_the_units_of_its_real_world_values(
    tmp_path: Path, slab_of: SlabOf, context: ResultContext
) -> None:
    """Units, corrections and decay come from where a multi-frame header has them."""
    image = enhanced_pet(list(phantom_instances(chest_phantom(slices=4, size=32))))
    image.AttenuationCorrected, image.PatientWeight = "YES", "70"
    image.DecayCorrectionDateTime = "20240229101600"
    image.RadiopharmaceuticalInformationSequence[0].RadionuclideHalfLife = "6586.2"
    for groups in image.PerFrameFunctionalGroupsSequence:
        slope = groups.PixelValueTransformationSequence[0].RescaleSlope
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "Bq/ml", "UCUM", "Bq/ml"
        mapping = Dataset()
        mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = float(slope), 0.0
        mapping.MeasurementUnitsCodeSequence = [code]
        groups.RealWorldValueMappingSequence = [mapping]
    volume = multi_frame(tmp_path, image)
    assert volume.suv_factor is not None
    result = encode(slab_of(volume), volume, context)[0]
    assert (result.Units, result.DecayCorrection) == ("BQML", "START")
    assert result.CorrectedImage == ["DECY", "ATTN"]
    assert suv_factor(result).factor == pytest.approx(volume.suv_factor)


@pytest.mark.parametrize(
    ("edit", "step", "series"),
    [
        (as_mr, Step("brain", BrainParameters(skull_stripped=True)), 1),
        (as_mr, Step("sliding-mip", SlidingMipParameters(window=1)), 0),
        (as_pet, Step("sliding-mip", SlidingMipParameters(window=1)), 0),
    ],
)
def test_whole_way_from_files_to_images_of_the_source_class(
    *,
    edit: Edit,
    step: Step,
    series: int,
    make_volume: MakeVolume,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    sources = [source.instance for source in make_volume(edit).sources]
    outcome = run_pipeline(
        [source.path for source in sources],
        Pipeline("test", (step,)),
        content_time=datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC),
    )
    images = outcome.series[series].instances
    assert {image.SOPClassUID for image in images} == {sources[0].header.SOPClassUID}
    for path in write("results", images)[::3]:
        assert errors_of("dciodvfy", [path]) == []


def test_brain_of_mr_is_stripped_end_to_end(
    make_volume: MakeVolume, context: ResultContext, write: Write
) -> None:
    itk = pytest.importorskip("SimpleITK")
    volume = make_volume(as_mr)
    _labels, stripped, _measured = strip(volume, BrainParameters(skull_stripped=True))
    assert isinstance(stripped, DerivedVolume)
    folder = write("stripped", encode(stripped, volume, context))[0].parent
    derived = itk.ReadImage(itk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    np.testing.assert_array_equal(itk.GetArrayViewFromImage(derived), stripped.voxels)
