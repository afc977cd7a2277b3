"""Frames of real multi-frame instances; skipped where the shared data is not there."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.instance import Instance, read_instance
from pipeline.volume.frame import Frame
from pipeline.volume.multiframe import frames_of

SHARED_DATA = Path(__file__).parents[5] / "shared" / "data"


def values(found: Sequence[Frame], keyword: str) -> list[object]:
    """What the frames' headers say under a keyword."""
    return [frame.header.get(keyword) for frame in found]


def real(*parts: str) -> Instance:
    """An instance of the shared data; the test is skipped where it is not there."""
    path = SHARED_DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip("the shared data is not there")
    return read_instance(path)


def test_a_real_enhanced_mr_has_its_planes() -> None:
    """A low-field scanner's: it repeats the first frame's position at the top."""
    found = frames_of(real("enhanced_mr_hyperfine", "001.dcm"))
    heights = [float(frame.header.ImagePositionPatient[2]) for frame in found]
    assert len(set(heights)) == len(found) == 8
    assert values(found, "PixelSpacing") == [[1.61, 1.59]] * 8
    assert values(found, "EchoTime") == [pytest.approx(194.4)] * 8
    assert values(found, "InversionTime") == [1400] * 8


def test_a_real_enhanced_ct_has_its_planes() -> None:
    """A perfusion map's two frames, with dimensions and a mapping to physical values."""
    found = frames_of(real("pydicom_files", "eCT_Supplemental.dcm"))
    assert len({tuple(frame.header.ImagePositionPatient) for frame in found}) == 2
    assert values(found, "RescaleIntercept") == [-1024, -1024]
    assert values(found, "ImageType") == [["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]] * 2
    assert found[0].header.RealWorldValueMappingSequence[0].LUTLabel == "RCBF"
    assert values(found, "AcquisitionNumber") == [1, 1]


@pytest.mark.parametrize(
    "name", ["emri_small.dcm", "emri_small_RLE.dcm", "emri_small_big_endian.dcm"]
)
def test_a_real_enhanced_mr_without_groups_has_frames_that_lie_nowhere(name: str) -> None:
    """Its functional groups were taken out: ten frames, none with a position."""
    found = frames_of(real("pydicom_files", name))
    assert values(found, "ImagePositionPatient") == [None] * 10
    assert values(found, "Rows") == [64] * 10


def test_a_real_legacy_converted_ct_lies_where_its_originals_do() -> None:
    """It was made by another converter of the three single-frame instances beside it."""
    found = frames_of(real("seg_dcmqi", "23x38x3", "multiframe", "mf.dcm"))
    originals = [
        real("seg_dcmqi", "23x38x3", "image", f"IMG000{number}.dcm").header for number in (1, 2, 3)
    ]
    places = {tuple(header.ImagePositionPatient): header for header in originals}
    for frame in found:
        original = places.pop(tuple(frame.header.ImagePositionPatient))
        for keyword in ("PixelSpacing", "ImageOrientationPatient", "RescaleSlope", "WindowWidth"):
            assert frame.header[keyword].value == original[keyword].value
        assert frame.header.SOPInstanceUID != original.SOPInstanceUID
    assert not places


def test_a_real_segmentation_has_frames_too() -> None:
    """Whether a kind of object makes a volume is not decided here."""
    found = frames_of(real("seg_dcmqi", "liver.dcm"))
    assert len({tuple(frame.header.ImagePositionPatient) for frame in found}) == len(found) == 3


def test_a_real_parametric_map_may_share_all_its_groups() -> None:
    """A single frame and an empty list of its own groups."""
    (frame,) = frames_of(real("pydicom_files", "parametric_map_float.dcm"))
    assert frame.header.ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
