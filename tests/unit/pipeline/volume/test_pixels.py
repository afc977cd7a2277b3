"""Stored pixels to voxels: types, unused bits, rescale, overflow, tables, sizes."""

import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    ParametricMapStorage,
)

from pipeline.errors import PixelDecodeError, SeriesGeometryError
from pipeline.volume import VolumeResult, build_volume
from tests.support.stacks import COLUMNS, ROWS, stack, with_pixels, written

SHAPE = (ROWS, COLUMNS)
IMPLICIT, BIG = str(ImplicitVRLittleEndian), str(ExplicitVRBigEndian)


def build(folder: Path, slices: Sequence[Dataset]) -> VolumeResult:
    """The volume of slices, through files."""
    return build_volume(written(folder, slices))


def filled(
    planes: Sequence[npt.NDArray[np.generic]], modality: str = "MR", **more: object
) -> list[Dataset]:
    """A stack with these stored pixels."""
    slices = stack(len(planes), modality=modality)
    return [with_pixels(item, plane, **more) for item, plane in zip(slices, planes, strict=True)]


def random_planes(dtype: str, count: int = 3) -> npt.NDArray[np.generic]:
    """(slice, row, column) of any value of a type, the least and the greatest among them."""
    limits = np.iinfo(dtype)
    planes = np.random.default_rng(3).integers(
        limits.min, limits.max, (count, *SHAPE), dtype, endpoint=True
    )
    planes[0, 0, :2] = limits.min, limits.max
    return planes


def encoded(slices: list[Dataset], syntax: str) -> list[Dataset]:
    """Slices in another plain transfer syntax."""
    for dataset in slices:
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == BIG and dataset.BitsAllocated > 8:
            width = dataset.BitsAllocated // 8
            swapped = np.frombuffer(dataset.PixelData, f"<u{width}").astype(f">u{width}")
            dataset.PixelData = swapped.tobytes()
    return slices


@pytest.mark.parametrize("syntax", [IMPLICIT, BIG, None], ids=["implicit", "big endian", "little"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
def test_stored_values_are_the_voxels_in_their_own_type(
    tmp_path: Path, dtype: str, syntax: str | None
) -> None:
    """Case 12: 8, 16 and 32 bits, signed and unsigned, in every plain syntax."""
    planes = random_planes(dtype)
    slices = filled(planes)
    voxels = build(tmp_path, encoded(slices, syntax) if syntax else slices).volume.voxels
    assert voxels.dtype == np.dtype(dtype)
    assert np.array_equal(voxels, planes)


def test_8_bits_in_big_endian_words_are_swapped_in_pairs(tmp_path: Path) -> None:
    """PS3.5 8.2: OW is a string of words, also where pixels are bytes."""
    planes = random_planes("u1")
    slices = encoded(filled(planes), BIG)
    for dataset, plane in zip(slices, planes, strict=True):
        dataset.PixelData = plane.reshape(-1, 2)[:, ::-1].tobytes()
        dataset["PixelData"].VR = "OW"
    assert np.array_equal(build(tmp_path, slices).volume.voxels, planes)


@pytest.mark.parametrize("syntax", [IMPLICIT, BIG])
@pytest.mark.parametrize(("signed", "bits"), [(0, 12), (1, 12), (0, 10), (1, 15), (1, 16)])
def test_what_is_above_the_stored_bits_is_no_value(
    tmp_path: Path, signed: int, bits: int, syntax: str
) -> None:
    """Case 12: overlays and garbage in unused bits; the sign is that of the highest stored bit."""
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    values = np.random.default_rng(7).integers(least, most, (3, *SHAPE), endpoint=True)
    garbage = np.random.default_rng(8).integers(0, 1 << 16 - bits, values.shape) << bits
    stored = (values & (1 << bits) - 1 | garbage).astype("<u2")
    slices = filled(stored, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=signed)
    assert np.array_equal(build(tmp_path, encoded(slices, syntax)).volume.voxels, values)


@pytest.mark.parametrize(("allocated", "stored", "high"), [(16, 12, 15), (16, 17, 16), (8, 12, 11)])
def test_values_that_do_not_lie_in_the_lowest_bits_are_refused(
    tmp_path: Path, allocated: int, stored: int, high: int
) -> None:
    """Archives of the 1980s pack 12 bits into the upper ones."""
    more = {"BitsAllocated": allocated, "BitsStored": stored, "HighBit": high}
    slices = filled(random_planes("u2" if allocated == 16 else "u1"), **more)
    with pytest.raises(PixelDecodeError, match=f"Bits Stored {stored}"):
        build(tmp_path, slices)


@pytest.mark.parametrize("syntax", [IMPLICIT, BIG, None], ids=["implicit", "big endian", "little"])
@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [
        ("1", "-1024", lambda stored: stored - 1024),
        ("1.000", "0", lambda stored: stored),
        ("1", "-1024.7", lambda stored: stored - 1024),
        ("1", "99.9", lambda stored: stored + 99),
        ("0.5", "-1024", lambda stored: np.trunc(stored / 2) - 1024),
        ("1.5", "0.5", lambda stored: np.trunc(stored * 1.5)),
        ("-1", "0", lambda stored: -stored),
    ],
)
def test_hounsfield_units_follow_the_reference(
    tmp_path: Path,
    slope: str,
    intercept: str,
    expected: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    syntax: str | None,
) -> None:
    """Case 12: int16; slope 0.5 rounds toward zero; -1024.7 adds -1024, as get_pixels_hu does."""
    planes = np.random.default_rng(9).integers(-3000, 3000, (3, *SHAPE)).astype("<i2")
    planes[0, 0, :2] = -1, -3
    slices = filled(planes, "CT", RescaleSlope=slope, RescaleIntercept=intercept)
    result = build(tmp_path, encoded(slices, syntax) if syntax else slices)
    assert result.volume.voxels.dtype == np.int16
    assert np.array_equal(result.volume.voxels, expected(planes.astype(float)))
    warned = any("rounded" in text or "fraction" in text for text in result.receipt.warnings)
    assert warned == (float(slope) != 1 or "." in intercept)
    assert result.receipt.rescale.endswith("int16 HU")


@pytest.mark.parametrize("syntax", [BIG, None], ids=["big endian", "little endian"])
@pytest.mark.parametrize(
    "case",
    [
        ("<u2", 40000, "1", "0", "0 to 40000 Hounsfield"),
        ("<u2", 32768, "1", "0", "0 to 32768 Hounsfield"),
        ("<u2", 40000, "1", "-1024", "-1024 to 38976 Hounsfield"),
        ("<i2", -32768, "1", "-1024", "-33792 to -1024 Hounsfield"),
        ("<i2", 32767, "1", "1", "1 to 32768 Hounsfield"),
        ("<u2", 20000, "2", "0", "0 to 40000 Hounsfield"),
        ("<u4", 3_000_000_000, "1", "0", "0 to 3000000000 Hounsfield"),
        ("<u2", 0, "1", "1000000", "1000000 to 1000000 Hounsfield"),
    ],
)
def test_hounsfield_units_that_would_wrap_are_refused(
    tmp_path: Path, case: tuple[str, int, str, str, str], syntax: str | None
) -> None:
    """Case 12: where the reference wraps without a word."""
    dtype, value, slope, intercept, words = case
    planes = np.zeros((3, *SHAPE), dtype)
    planes[1, 2, 3] = value
    slices = filled(planes, "CT", RescaleSlope=slope, RescaleIntercept=intercept)
    with pytest.raises(PixelDecodeError, match=words):
        build(tmp_path, encoded(slices, syntax) if syntax else slices)


@pytest.mark.parametrize(
    ("dtype", "value", "intercept", "expected"),
    [
        ("<u2", 33791, "-1024", 32767),
        ("<i2", -31744, "-1024", -32768),
        ("<u2", 65535, "-32768", 32767),
        ("<u4", 65535, "-32768", 32767),
        ("u1", 255, "-1024", -769),
    ],
)
def test_hounsfield_units_at_the_limits_fit(
    tmp_path: Path, dtype: str, value: int, intercept: str, expected: int
) -> None:
    planes = np.full((3, *SHAPE), value, dtype)
    result = build(tmp_path, filled(planes, "CT", RescaleIntercept=intercept))
    assert np.unique(result.volume.voxels).tolist() == [expected]


def test_a_ct_without_intercept_is_said_to_be_one(tmp_path: Path) -> None:
    """Stored values may be no Hounsfield Units then."""
    slices = stack(3, modality="CT", RescaleIntercept=None, RescaleSlope=None)
    (warning,) = build(tmp_path, slices).receipt.warnings
    assert warning == "Rescale Intercept is missing: stored values were taken for HU."


def test_slopes_that_differ_by_slice_give_float32_to_the_last_bit(tmp_path: Path) -> None:
    """Case 12, PET: each slice by its own slope, in double precision, rounded once."""
    planes = np.random.default_rng(11).integers(0, 32767, (5, *SHAPE)).astype("<i2")
    slices = filled(planes, "PT", Units="BQML", RescaleIntercept="0")
    slopes = [0.123456789, 1.0, 3.3333333, 0.0001, 17.77]
    for dataset, slope in zip(slices, slopes, strict=True):
        dataset.RescaleSlope = f"{slope}"
    result = build(tmp_path, slices)
    expected = (planes * np.array(slopes)[:, None, None]).astype(np.float32)
    assert result.volume.voxels.dtype == np.float32
    assert result.volume.voxels.tobytes() == expected.tobytes()
    assert "slope 0.0001 to 17.77 by slice" in result.receipt.rescale
    assert result.receipt.rescale.endswith("float32 BQML")


def test_a_slope_of_zero_on_ct_is_refused_and_names_the_slice(tmp_path: Path) -> None:
    """A blank slice of PET may have it; a CT slice of one value is damaged."""
    slices = stack(3, modality="CT", RescaleIntercept="-1024", RescaleSlope="1")
    slices[1].RescaleSlope = "0"
    with pytest.raises(PixelDecodeError, match=f"{slices[1].SOPInstanceUID} has the Rescale Slope"):
        build(tmp_path, slices)


def test_slices_stored_in_different_types_share_one_that_holds_both(tmp_path: Path) -> None:
    planes = [np.full(SHAPE, 60000, "<u2"), np.full(SHAPE, -5, "<i2"), np.full(SHAPE, 7, "u1")]
    voxels = build(tmp_path, filled(planes)).volume.voxels
    assert voxels.dtype == np.int32
    assert voxels[:, 0, 0].tolist() == [60000, -5, 7]


def table(first: int, entries: Sequence[int]) -> Dataset:
    """An item of a Modality LUT Sequence."""
    item = Dataset()
    item.add_new(0x00283002, "US", [len(entries), first, 16])
    item.ModalityLUTType = "HU"
    item.add_new(0x00283006, "US", list(entries))
    return item


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_modality_table_goes_before_the_rescale(tmp_path: Path, modality: str) -> None:
    """Case 12: entries by stored value, the first for all below, the last for all above."""
    plane = np.arange(48, dtype="<u2").reshape(SHAPE)
    entries = [1000 + 7 * index for index in range(20)]
    slices = filled([plane] * 3, modality)
    for dataset in slices:
        dataset.ModalityLUTSequence = [table(10, entries)]
    result = build(tmp_path, slices)
    expected = np.array(entries)[np.clip(plane.astype(int) - 10, 0, 19)]
    assert np.array_equal(result.volume.voxels[1], expected)
    assert result.receipt.rescale.startswith("by Modality LUT")


def test_monochrome1_is_not_inverted_but_said(tmp_path: Path) -> None:
    """Case 12: it says how to show values, not what they are."""
    planes = random_planes("u2")
    result = build(tmp_path, filled(planes, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(result.volume.voxels, planes)
    assert any(text.startswith("MONOCHROME1") for text in result.receipt.warnings)


def test_padding_is_kept_and_named(tmp_path: Path) -> None:
    """Case 12."""
    planes = np.full((3, *SHAPE), -2000, "<i2")
    slices = filled(planes, "CT", RescaleIntercept="0")
    for dataset in slices:
        dataset.add_new("PixelPaddingValue", "SS", -2000)
        dataset.add_new("PixelPaddingRangeLimit", "SS", -1900)
    result = build(tmp_path, slices)
    assert np.array_equal(result.volume.voxels, planes)
    assert result.receipt.padding == (-2000, -1900)


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize(
    ("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")]
)
def test_floating_point_pixels_stay_as_they_are(
    tmp_path: Path, keyword: str, dtype: str, modality: str
) -> None:
    """Case 15: a parametric map, also one of a CT."""
    planes = np.random.default_rng(13).normal(size=(3, *SHAPE)).astype(dtype)
    slices = stack(3, modality=modality, SOPClassUID=ParametricMapStorage, RescaleIntercept=0)
    for dataset, plane in zip(slices, planes, strict=True):
        for gone in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            delattr(dataset, gone)
        dataset.BitsAllocated = plane.dtype.itemsize * 8
        setattr(dataset, keyword, plane.tobytes())
    voxels = build(tmp_path, slices).volume.voxels
    assert voxels.dtype == np.dtype(dtype)
    assert voxels.tobytes() == planes.tobytes()


def declare(**attributes: object) -> Callable[[Dataset], None]:
    """A change of what a slice says of its pixels."""

    def change(dataset: Dataset) -> None:
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (declare(Rows=65535, Columns=65535), "cut short: its header declares 1 frame"),
        (declare(Rows=65535, Columns=65535, NumberOfFrames=10000), "declares 10000 frame"),
        (declare(NumberOfFrames=2), r"declares 2 frame\(s\) of 6 x 8"),
        (declare(NumberOfFrames=-3), "declares -3 frame"),
        (declare(Rows=7), "declares 1 frame.* of 7 x 8, and the file has 96 bytes"),
        (declare(BitsAllocated=32, BitsStored=32, HighBit=31), "cut short"),
        (declare(BitsAllocated=8, BitsStored=8, HighBit=7, Rows=2), "Rows, Columns, Bits"),
        (declare(Rows=0), "does not say how large its pixels are"),
        (declare(Columns=0), "does not say how large its pixels are"),
        (declare(BitsAllocated=0), "does not say how large its pixels are"),
        (declare(BitsAllocated=1, BitsStored=1, HighBit=0, Rows=96), "no grey image is stored so"),
        (declare(BitsAllocated=12, BitsStored=12, HighBit=11), "no grey image is stored so"),
        (declare(PixelRepresentation=2), "no grey image is stored so"),
        (lambda dataset: dataset.__delitem__("PixelData"), "has no pixel data"),
        (lambda dataset: dataset.__delitem__("PixelRepresentation"), "no grey image"),
    ],
)
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_sizes_that_cannot_be_are_refused_before_memory_is_taken(
    tmp_path: Path, change: Callable[[Dataset], None], words: str, modality: str
) -> None:
    """Case 15: what the header declares is checked against the bytes that are there."""
    slices = stack(3, modality=modality)
    for dataset in slices:
        change(dataset)
    instances = written(tmp_path, slices)
    tracemalloc.start()
    try:
        with pytest.raises(PixelDecodeError, match=words) as error:
            build_volume(instances)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    assert "1.2.826.0.1.3680043.8.498.77.1." in str(error.value)


def test_a_volume_larger_than_any_real_one_is_refused(tmp_path: Path) -> None:
    """Compressed pixels may be declared large with few bytes; together they are too many."""
    slices = stack(3, modality="CT", Rows=46000, Columns=46000)
    for dataset in slices:
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
        dataset.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0" + (500_000).to_bytes(
            4, "little"
        )
        dataset.PixelData += bytes(500_000) + b"\xfe\xff\xdd\xe0\0\0\0\0"
        dataset["PixelData"].is_undefined_length = True
    with pytest.raises(SeriesGeometryError, match="3 x 46000 x 46000 voxels would take 12 GiB"):
        build(tmp_path, slices)


@pytest.mark.parametrize("lost", [1, 40, 96])
def test_a_file_that_ends_early_is_refused(tmp_path: Path, lost: int) -> None:
    """Case 15: truncated plain pixels."""
    instances = written(tmp_path, stack(3))
    path = instances[1].path
    path.write_bytes(path.read_bytes()[:-lost])
    again = written(tmp_path / "other", stack(3))
    again[1] = type(again[1])(path, instances[1].elements)
    with pytest.raises(PixelDecodeError, match="cut short"):
        build_volume(again)


def test_plain_pixels_that_are_not_plain_are_refused(tmp_path: Path) -> None:
    """Fragments under a plain transfer syntax would be read as pixels, their tags and all."""
    slices = stack(3)
    for dataset in slices:
        fragments = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x60\0\0\0" + dataset.PixelData
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
        dataset.PixelData = fragments + b"\xfe\xff\xdd\xe0\0\0\0\0"
        dataset["PixelData"].is_undefined_length = True
    paths = [instance.path for instance in written(tmp_path, slices)]
    plain = b"1.2.840.10008.1.2.1\0\0\0"
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content.replace(b"1.2.840.10008.1.2.4.90", plain))
    from pipeline.instance import read_instance  # noqa: PLC0415

    with pytest.raises(PixelDecodeError, match="compressed and plain pixels are mixed up"):
        build_volume([read_instance(path) for path in paths])


def test_a_ct_series_of_secondary_modality_is_no_ct(tmp_path: Path) -> None:
    """Values are taken by modality, not by SOP class."""
    planes = random_planes("u2")
    slices = filled(planes, "MR", SOPClassUID=CTImageStorage)
    assert build(tmp_path, slices).volume.voxels.dtype == np.uint16


def test_slices_are_announced_as_they_are_done(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    build_volume(written(tmp_path, stack(20)), on_slice=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (20, 20)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
