"""Which instances are slices of one grid: strays are left out, two grids refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.errors import NotAnImageError, SeriesGeometryError
from pipeline.volume import build_volume
from tests.support.stacks import (
    SAGITTAL,
    SERIES,
    Grid,
    plane_dataset,
    stack,
    stored_planes,
    with_pixels,
    written,
)

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
STRUCTURED_REPORT = "1.2.840.10008.5.1.4.1.1.88.34"

Change = Callable[[list[Dataset]], object]


def other(**attributes: object) -> Dataset:
    """An instance of the series that is no slice of its stack."""
    return plane_dataset(40, 1, grid=Grid(SAGITTAL), **attributes)


def colour(**attributes: object) -> Dataset:
    """A colour image."""
    image = other(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    image.PixelData = bytes(3 * 6 * 8)
    for keyword, value in {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, **attributes}.items():
        setattr(image, keyword, value)
    return image


def report() -> Dataset:
    """An object without an image."""
    found = other(SOPClassUID=STRUCTURED_REPORT)
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(found, keyword)
    return found


@pytest.mark.parametrize(
    ("stray", "reason"),
    [
        (other(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "a localizer"),
        (other(ImageType=["ORIGINAL", "PRIMARY", "SCOUT"]), "a localizer"),
        (
            other(ImageType=["DERIVED", "SECONDARY", "DOSE_INFO"], ImagePositionPatient=None),
            "a dose page or screen capture",
        ),
        (
            other(SOPClassUID=SECONDARY_CAPTURE, ImageOrientationPatient=None),
            "a secondary capture",
        ),
        (colour(), "colour images"),
        (other(PhotometricInterpretation="PALETTE COLOR"), "colour images"),
        (other(SegmentSequence=[Dataset()]), "segmentations (SEG)"),
        (report(), "objects without an image"),
    ],
    ids=["localizer", "scout", "dose page", "capture", "colour", "palette", "SEG", "report"],
)
def test_what_is_no_slice_is_left_out_and_named(
    tmp_path: Path, stray: Dataset, reason: str
) -> None:
    """Cases 7 and 15: the volume is that of the slices, and the receipt names the stray."""
    result = build_volume(written(tmp_path, [stray, *stack(5)]))
    assert np.array_equal(result.volume.voxels, stored_planes(range(5)))
    assert [(item.name, item.reason) for item in result.receipt.dropped] == [
        (str(stray.SOPInstanceUID), reason)
    ]


def test_a_localizer_that_does_not_say_so_is_refused_by_name(tmp_path: Path) -> None:
    """Case 8: its orientation gives it away."""
    stray = other()
    with pytest.raises(SeriesGeometryError, match="differ in orientation") as error:
        build_volume(written(tmp_path, [*stack(5), stray]))
    assert f"the smallest being {stray.SOPInstanceUID}" in str(error.value)


def test_a_series_of_secondary_captures_with_positions_is_a_volume(tmp_path: Path) -> None:
    """Only what came among other slices is a stray."""
    slices = stack(3, SOPClassUID=SECONDARY_CAPTURE)
    assert np.array_equal(
        build_volume(written(tmp_path, slices)).volume.voxels, stored_planes(range(3))
    )


def two_stacks(**attributes: object) -> Change:
    """Half of the slices with other attributes."""

    def change(slices: list[Dataset]) -> None:
        for dataset in slices[4:]:
            for keyword, value in attributes.items():
                setattr(dataset, keyword, value)

    return change


def other_matrix(slices: list[Dataset]) -> None:
    """One slice of fewer rows."""
    with_pixels(slices[3], np.zeros((4, 8), "<u2"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (two_stacks(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "differ in orientation"),
        (two_stacks(ImageOrientationPatient=[1, 0, 0, 0, 0.995, 0.0999]), "differ in orientation"),
        (other_matrix, "differ in matrix"),
        (two_stacks(PixelSpacing=[0.75, 0.55]), "differ in pixel spacing"),
        (two_stacks(FrameOfReferenceUID="1.2.3"), "differ in frame of reference"),
        (two_stacks(FrameOfReferenceUID=""), "differ in frame of reference"),
        (
            two_stacks(FrameOfReferenceUID="1.2.3", PixelSpacing=[1, 1]),
            "differ in frame of reference and pixel spacing",
        ),
    ],
    ids=[
        "two orientations",
        "turned by 6 degrees",
        "matrix",
        "pixel spacing",
        "frame of reference",
        "frame of reference empty",
        "both",
    ],
)
def test_two_grids_are_refused_with_what_differs(
    tmp_path: Path, change: Change, words: str
) -> None:
    """Cases 8, 9 and 16; the smaller stack is named, whatever order files come in."""
    slices = stack(6)
    change(slices)
    for order in (slices, slices[::-1]):
        with pytest.raises(SeriesGeometryError, match=words) as error:
            build_volume(written(tmp_path, order))
        assert SERIES in str(error.value)
        assert "the smallest being" in str(error.value)


@pytest.mark.parametrize(
    "keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]
)
@pytest.mark.parametrize("missing", ["", None])
def test_a_slice_that_does_not_say_where_it_lies_is_named(
    tmp_path: Path, keyword: str, missing: str | None
) -> None:
    slices = stack(4)
    slices[2] = plane_dataset(2, **{keyword: missing})  # type: ignore[arg-type]
    with pytest.raises(SeriesGeometryError, match=f"{keyword} is missing in 1 of 4") as error:
        build_volume(written(tmp_path, slices))
    assert str(slices[2].SOPInstanceUID) in str(error.value)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PixelSpacing", [0.75, 0]),
        ("PixelSpacing", [0.75, -0.5]),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
        ("ImageOrientationPatient", [0, 0, 0, 0, 0, 0]),
        ("ImageOrientationPatient", [2, 0, 0, 0, 2, 0]),
    ],
)
def test_what_is_no_plane_is_refused(tmp_path: Path, keyword: str, value: list[float]) -> None:
    slices = stack(4)
    setattr(slices[1], keyword, value)
    with pytest.raises(SeriesGeometryError, match="no plane in space"):
        build_volume(written(tmp_path, slices))


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ([report()], r"objects without an image \(Comprehensive 3D SR Storage\)"),
        ([colour(), colour(SOPInstanceUID="1.2.3")], "colour images"),
        ([other(SegmentSequence=[Dataset()])], "segmentations"),
        ([], "no image slices"),
    ],
    ids=["report", "colour", "segmentation", "nothing"],
)
def test_a_series_without_grey_images_is_refused_as_that(
    tmp_path: Path, objects: list[Dataset], words: str
) -> None:
    """Case 15: RGB and the like."""
    with pytest.raises(NotAnImageError, match=words):
        build_volume(written(tmp_path, objects))


def test_the_same_instance_twice_is_one(tmp_path: Path) -> None:
    slices = stack(4)
    result = build_volume(written(tmp_path, [*slices, slices[2]]))
    assert np.array_equal(result.volume.voxels, stored_planes(range(4)))
    assert [item.reason for item in result.receipt.dropped] == ["the same instance again"]


def test_other_pixels_under_the_same_uid_are_refused(tmp_path: Path) -> None:
    slices = stack(4)
    again = plane_dataset(3, 1, SOPInstanceUID=slices[2].SOPInstanceUID)
    with pytest.raises(SeriesGeometryError, match="different instances share the SOP Instance"):
        build_volume(written(tmp_path, [*slices, again]))
