"""Multi-frame instances read as the single-frame instances they could have been."""

import copy
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian

from pipeline.errors import PipelineError, SeriesGeometryError, UnreadableInstanceError
from pipeline.instance import Instance, read_instance
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.volume.frame import Frame
from pipeline.volume.multiframe import frames_of
from tests.support.enhanced import (
    Pass,
    concatenated,
    enhanced_ct,
    enhanced_mr,
    enhanced_pet,
    legacy_converted_ct,
    multi_frame_capture,
    rearranged,
    split,
)

SLICES = 4
PHANTOM = chest_phantom(slices=SLICES, size=16, slice_mm=2.5)

Change = Callable[[Dataset], object]


def slices() -> list[Dataset]:
    """The phantom's single-frame data sets, fresh."""
    return list(phantom_instances(PHANTOM))


def read(folder: Path, dataset: Dataset) -> Instance:
    """The instance of a data set, through a file."""
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return read_instance(path)


def frames(folder: Path, dataset: Dataset) -> tuple[Frame, ...]:
    """The frames of a data set, through a file."""
    return frames_of(read(folder, dataset))


def values(found: Sequence[Frame], keyword: str) -> list[object]:
    """What the frames' headers say under a keyword."""
    return [frame.header.get(keyword) for frame in found]


def test_a_single_frame_instance_is_one_frame_with_its_own_header(tmp_path: Path) -> None:
    """Nothing is copied, and the frame is called by the instance's UID."""
    instance = read(tmp_path, slices()[0])
    (frame,) = frames_of(instance)
    assert frame.header is instance.header
    assert frame.number is None
    assert frame.name == instance.sop_instance_uid


@pytest.mark.parametrize("make", [enhanced_ct, enhanced_mr, enhanced_pet, legacy_converted_ct])
def test_frames_lie_where_the_slices_lay(tmp_path: Path, make: Callable[..., Dataset]) -> None:
    """Plane position is the frame's own; orientation, spacing and thickness may be shared."""
    originals = {tuple(original.ImagePositionPatient): original for original in slices()}
    found = frames(tmp_path, make(list(originals.values())))
    assert [frame.number for frame in found] == [1, 2, 3, 4]
    for frame in found:
        original = originals.pop(tuple(frame.header.ImagePositionPatient))
        assert frame.header.ImageOrientationPatient == original.ImageOrientationPatient
        assert frame.header.PixelSpacing == original.PixelSpacing
        assert frame.header.SliceThickness == original.SliceThickness
    assert not originals


@pytest.mark.parametrize("make", [enhanced_ct, enhanced_mr, enhanced_pet, legacy_converted_ct])
def test_a_frame_keeps_the_identity_of_its_instance(
    tmp_path: Path, make: Callable[..., Dataset]
) -> None:
    """UIDs, patient and matrix are the multi-frame instance's; what is of all frames is gone."""
    image = make(slices())
    for frame in frames(tmp_path, image):
        header = frame.header
        for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "PatientID", "Rows"):
            assert header[keyword].value == image[keyword].value
        assert frame.name == f"{image.SOPInstanceUID}#{frame.number}"
        for keyword in (
            "NumberOfFrames",
            "SharedFunctionalGroupsSequence",
            "PerFrameFunctionalGroupsSequence",
            "DimensionIndexSequence",
            "DimensionOrganizationSequence",
            "ConversionSourceAttributesSequence",
            "ReferencedSOPInstanceUID",
        ):
            assert keyword not in header


def test_ct_values_keep_their_meaning(tmp_path: Path) -> None:
    """Rescale, windows, tube voltage, kernel and frame type are where a CT image has them."""
    original = slices()[2]
    header = frames(tmp_path, enhanced_ct(slices()))[2].header
    for keyword in (
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
        "WindowCenter",
        "WindowWidth",
        "KVP",
        "ConvolutionKernel",
    ):
        assert header[keyword].value == original[keyword].value
    assert header.ImageType == ["ORIGINAL", "PRIMARY", "AXIAL", "NONE"]
    assert header.TablePosition == float(original.ImagePositionPatient[2])


def test_frames_at_one_position_are_told_apart_by_echo_b_value_time_and_phase(
    tmp_path: Path,
) -> None:
    """Each of them is there under the name that single-frame instances use, too."""
    passes = [
        Pass(
            echo_time_ms=20.0,
            inversion_time_ms=100.0,
            b_value=0.0,
            temporal_position=1,
            trigger_delay_ms=0.0,
        ),
        Pass(
            echo_time_ms=80.5,
            inversion_time_ms=2500.0,
            b_value=1000.0,
            gradient=(0.0, 0.6, -0.8),
            temporal_position=2,
            trigger_delay_ms=412.5,
        ),
    ]
    found = frames(tmp_path, enhanced_mr(slices(), passes, interleaved=True))
    assert len(found) == 2 * SLICES
    assert values(found, "EchoTime") == [20, 80.5] * SLICES
    assert values(found, "EffectiveEchoTime") == [20, 80.5] * SLICES
    assert values(found, "InversionTime") == [100, 2500] * SLICES
    assert values(found, "DiffusionBValue") == [0, 1000] * SLICES
    assert values(found, "DiffusionGradientOrientation") == [None, [0, 0.6, -0.8]] * SLICES
    assert values(found, "TemporalPositionIndex") == [1, 2] * SLICES
    assert values(found, "TemporalPositionIdentifier") == [1, 2] * SLICES
    assert values(found, "TemporalPositionTimeOffset") == [0, 2.5] * SLICES
    assert values(found, "TriggerTime") == [0, 412.5] * SLICES
    assert values(found, "AcquisitionNumber") == [1, 2] * SLICES
    assert values(found, "DimensionIndexValues")[:3] == [[1, 1], [2, 1], [1, 2]]
    assert values(found, "RepetitionTime") == [4000] * (2 * SLICES)


def test_pet_frames_keep_their_own_slope_decay_and_time(tmp_path: Path) -> None:
    """A slope that differs on every frame stays with its frame."""
    found = frames(tmp_path, enhanced_pet(slices()))
    assert values(found, "RescaleSlope") == [1, 2, 3, 4]
    assert values(found, "DecayFactor") == [1.125, 1.25, 1.375, 1.5]
    assert values(found, "ActualFrameDuration") == [250] * SLICES
    assert values(found, "AcquisitionDate") == ["20240229"] * SLICES
    assert values(found, "AcquisitionTime") == [f"101600.{i:06d}" for i in range(SLICES)]
    assert found[0].header.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose == 3.7e8


@pytest.mark.parametrize(
    ("zone", "moment", "time"),
    [
        (None, "20240229101600+0100", "101600"),
        ("+0100", "20240229101600.5+0100", "101600.5"),
        ("+0100", "20240229101600", "101600"),
        ("-0500", "20240229101600+0100", None),
        (None, "202402", None),
    ],
)
def test_a_time_of_acquisition_is_taken_apart_in_its_own_zone_only(
    tmp_path: Path, zone: str | None, moment: str, time: str | None
) -> None:
    """A time in another zone than the instance's is left as the date and time it is."""
    image = enhanced_ct(slices())
    if zone:
        image.TimezoneOffsetFromUTC = zone
    for groups in image.PerFrameFunctionalGroupsSequence:
        groups.FrameContentSequence[0].FrameAcquisitionDateTime = moment
    header = frames(tmp_path, image)[0].header
    assert header.AcquisitionDateTime == moment
    assert header.get("AcquisitionTime") == time
    assert header.get("AcquisitionDate") == (time and "20240229")


def test_the_frames_own_groups_win_over_shared_ones_and_those_over_the_top(tmp_path: Path) -> None:
    """Some scanners repeat plane and timing at the top, where they are right for one frame only."""
    image = enhanced_ct(slices())
    image.ImagePositionPatient = [9, 9, 9]
    image.SliceLocation = 9
    image.PixelSpacing = [9, 9]
    shared = image.SharedFunctionalGroupsSequence[0]
    own = image.PerFrameFunctionalGroupsSequence[1]
    own.PixelValueTransformationSequence = [
        copy.deepcopy(shared.PixelValueTransformationSequence[0])
    ]
    own.PixelValueTransformationSequence[0].RescaleSlope = 3
    del image.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence
    found = frames(tmp_path, image)
    assert values(found, "PixelSpacing") == [slices()[0].PixelSpacing] * SLICES
    assert values(found, "RescaleSlope") == [1, 3, 1, 1]
    assert values(found, "SliceLocation") == [None] * SLICES
    assert found[2].header.get("ImagePositionPatient") is None


def test_a_macro_with_several_items_has_no_one_value(tmp_path: Path) -> None:
    """Two tubes of a dual-energy scan have two voltages: neither is the frame's."""
    image = enhanced_ct(slices())
    details = image.SharedFunctionalGroupsSequence[0].CTXRayDetailsSequence
    details.append(copy.deepcopy(details[0]))
    assert values(frames(tmp_path, image), "KVP") == [None] * SLICES


def test_frames_of_several_instances_sort_by_instance_and_then_by_frame(tmp_path: Path) -> None:
    """Instance Numbers of frames are in order over all instances of the series."""
    parts = split(enhanced_ct(slices(), [Pass(), Pass()]), 3)
    found = [frame for part in parts for frame in frames(tmp_path, part)]
    assert [len(frames_of(read(tmp_path, part))) for part in parts] == [3, 3, 2]
    numbers = values(found, "InstanceNumber")
    assert numbers == [100001, 100002, 100003, 200001, 200002, 200003, 300001, 300002]
    assert values(found, "FrameAcquisitionNumber") == [1] * SLICES + [2] * SLICES


def test_frames_of_a_concatenation_are_counted_over_its_parts(tmp_path: Path) -> None:
    """Its parts share one Instance Number, and say how many frames come before theirs."""
    parts = concatenated(enhanced_ct(slices(), [Pass(), Pass()]), 3)
    found = [frame for part in parts for frame in frames(tmp_path, part)]
    assert values(found, "InstanceNumber") == list(range(100001, 100009))
    assert [frame.number for frame in found] == [1, 2, 3, 1, 2, 3, 1, 2]
    assert "ConcatenationUID" not in found[0].header


def test_frames_without_an_instance_number_get_none(tmp_path: Path) -> None:
    """Where the order of instances is not known, none is made up."""
    image = enhanced_ct(slices())
    image.InstanceNumber = None
    assert values(frames(tmp_path, image), "InstanceNumber") == [None] * SLICES


def test_frames_stay_in_stored_order(tmp_path: Path) -> None:
    """Frame n is the n-th of the pixel data, wherever it lies."""
    originals = slices()
    order = [2, 0, 3, 1]
    found = frames(tmp_path, rearranged(enhanced_ct(originals), order))
    positions = [originals[index].ImagePositionPatient for index in order]
    assert values(found, "ImagePositionPatient") == positions


def test_legacy_converted_attributes_without_a_group_are_found_again(tmp_path: Path) -> None:
    """They fill in what is missing, and replace neither identity nor what is said elsewhere."""
    originals = slices()
    for number, original in enumerate(originals):
        original.InstanceNumber = 70 + number
        original.GantryDetectorTilt = number
        original.PixelPaddingValue = -2000
        original.PixelRepresentation = 1
    image = legacy_converted_ct(originals)
    extra = image.PerFrameFunctionalGroupsSequence[0].UnassignedPerFrameConvertedAttributesSequence
    extra[0].RescaleSlope = 77
    extra[0].SOPInstanceUID = "1.2.3"
    extra[0].add_new(Tag(0x00090010), "LO", "SOMEBODY")
    found = frames(tmp_path, image)
    # highdicom puts the frames in order of position, from head to feet.
    assert values(found, "GantryDetectorTilt") == [3, 2, 1, 0]
    assert values(found, "PixelPaddingValue") == [-2000] * SLICES
    assert values(found, "InstanceNumber") == [100001, 100002, 100003, 100004]
    assert values(found, "RescaleSlope") == [1] * SLICES
    assert values(found, "SOPInstanceUID") == [image.SOPInstanceUID] * SLICES
    assert Tag(0x00090010) not in found[0].header


def test_frames_without_functional_groups_lie_nowhere(tmp_path: Path) -> None:
    """A multi-frame capture gives its frames, and no position to any of them."""
    image = multi_frame_capture(slices())
    image.ImagePositionPatient = [0, 0, 0]
    found = frames(tmp_path, image)
    assert [frame.number for frame in found] == [1, 2, 3, 4]
    assert values(found, "ImagePositionPatient") == [None] * SLICES
    assert values(found, "Rows") == [16] * SLICES


def test_a_single_frame_of_an_enhanced_instance_has_its_groups_lifted(tmp_path: Path) -> None:
    """One frame is still a multi-frame instance where it has functional groups."""
    (frame,) = frames(tmp_path, rearranged(enhanced_ct(slices()), [1]))
    assert frame.number == 1
    assert frame.header.ImagePositionPatient == slices()[1].ImagePositionPatient


def test_a_number_of_frames_that_is_not_described_is_refused(tmp_path: Path) -> None:
    """The message names the instance and both numbers."""
    image = enhanced_ct(slices())
    image.NumberOfFrames = 5
    with pytest.raises(SeriesGeometryError, match="announces 5 frames and describes 4") as refused:
        frames(tmp_path, image)
    assert str(image.SOPInstanceUID) in str(refused.value)


@pytest.mark.parametrize("make", [enhanced_ct, multi_frame_capture])
def test_an_absurd_number_of_frames_is_refused_at_once(
    tmp_path: Path, make: Callable[..., Dataset]
) -> None:
    """Ten million frames in a small file cost neither time nor memory."""
    image = make(slices())
    image.NumberOfFrames = 9_999_999
    instance = read(tmp_path, image)
    with pytest.raises(SeriesGeometryError, match="announces 9999999 frames"):
        frames_of(instance)


def set_raw(dataset: Dataset, keyword: str, vr: str, value: bytes) -> None:
    """Write bytes as a value, valid or not."""
    tag = Tag(keyword)
    dataset[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # pydicom, on reading what is wrong
@pytest.mark.filterwarnings("ignore:Value ")
@pytest.mark.parametrize(
    ("macro", "keyword", "vr", "value"),
    [
        ("PlanePositionSequence", "ImagePositionPatient", "DS", b"0\\1 "),
        ("PlanePositionSequence", "ImagePositionPatient", "DS", b"0\\1\\1e308 "),
        ("PixelMeasuresSequence", "PixelSpacing", "DS", b"wide\\narrow "),
        ("PixelValueTransformationSequence", "RescaleSlope", "DS", b"nan "),
        ("UnassignedPerFrameConvertedAttributesSequence", "SliceThickness", "DS", b"1,5 "),
        ("MREchoSequence", "EffectiveEchoTime", "FD", np.float64(np.nan).tobytes()),
        ("MRDiffusionSequence", "DiffusionBValue", "FD", np.float64(np.inf).tobytes()),
        ("MRDiffusionSequence", "DiffusionBValue", "FD", np.ones(2).tobytes()),
        ("FrameContentSequence", "TemporalPositionIndex", "UL", bytes(8)),
    ],
)
def test_numbers_in_groups_that_are_none_are_named(
    tmp_path: Path, macro: str, keyword: str, vr: str, value: bytes
) -> None:
    """A damaged number is refused by its name and its frame, as one at the top is."""
    image = enhanced_mr(slices(), [Pass(echo_time_ms=20, b_value=0)])
    groups = image.PerFrameFunctionalGroupsSequence[2]
    if macro not in groups:
        setattr(groups, macro, [Dataset()])
    set_raw(groups[macro].value[0], keyword, vr, value)
    with pytest.raises(UnreadableInstanceError, match=f"{keyword} of {image.SOPInstanceUID}#3"):
        frames(tmp_path, image)


@pytest.mark.parametrize("keyword", ["PerFrame", "Shared"])
def test_groups_that_are_no_sequence_are_refused(tmp_path: Path, keyword: str) -> None:
    """The error says which instance is damaged, not where the library tripped."""
    image = enhanced_ct(slices())
    set_raw(image, f"{keyword}FunctionalGroupsSequence", "OB", b"\1\2\3\4")
    with pytest.raises(UnreadableInstanceError, match=image.SOPInstanceUID):
        frames(tmp_path, image)


def test_damaged_bytes_give_frames_or_a_reason(tmp_path: Path) -> None:
    """Whatever byte of the functional groups is wrong, no library's error comes out."""
    image = enhanced_mr(slices()[:2], [Pass(echo_time_ms=20, b_value=5, gradient=(1, 0, 0))])
    path = tmp_path / "image.dcm"
    pydicom.dcmwrite(path, image, enforce_file_format=True)
    content = path.read_bytes()
    start, end = content.index(b"\x00\x52\x29\x92SQ"), content.index(b"\xe0\x7f\x10\x00OW")
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(200):
        broken = bytearray(content)
        broken[rng.integers(start, end)] = rng.integers(256)
        path.write_bytes(broken)
        try:
            with warnings.catch_warnings(action="ignore"):
                assert len(frames_of(read_instance(path))) == 2
        except PipelineError:
            refused += 1
    assert 0 < refused < 200


def test_the_encoding_of_the_file_makes_no_difference(tmp_path: Path) -> None:
    """Implicit and explicit files say the same, mapped values of signed pixels included."""
    image = enhanced_ct(slices())
    image.PixelRepresentation = 1
    mapping = Dataset()
    mapping.add_new("RealWorldValueFirstValueMapped", "SS", -5)
    mapping.RealWorldValueSlope = 2.0
    image.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence = [mapping]
    explicit = frames(tmp_path, image)
    image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    implicit = frames(tmp_path, image)
    for one, other in zip(explicit, implicit, strict=True):
        assert one.header == other.header
        assert other.header.RealWorldValueMappingSequence[0].RealWorldValueFirstValueMapped == -5


def test_text_in_groups_is_decoded_as_the_instance_says(tmp_path: Path) -> None:
    """Items inherit the character set of the data set around them."""
    image = enhanced_ct(slices())
    image.SpecificCharacterSet = "ISO_IR 192"
    for groups in image.PerFrameFunctionalGroupsSequence:
        groups.FrameContentSequence[0].FrameComments = "Lunge, Übersicht"
    assert values(frames(tmp_path, image), "FrameComments") == ["Lunge, Übersicht"] * SLICES


def test_a_frame_header_does_not_change_the_instance(tmp_path: Path) -> None:
    """Frames share elements with the instance, but a value set in one stays there."""
    instance = read(tmp_path, enhanced_ct(slices()))
    first, second, *_ = frames_of(instance)
    first.header.Manufacturer = "Somebody else"
    assert second.header.Manufacturer == instance.header.Manufacturer == "Hounsfield"
    assert [len(found) for found in (frames_of(instance), frames_of(instance))] == [SLICES] * 2
