"""Every transfer syntax gives the same voxels: by pydicom's encoders, by DCMTK, by test files."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_fragments
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from pipeline.errors import PixelDecodeError, UnreadableInstanceError
from pipeline.instance import read_instance
from pipeline.volume import Frame, build_volume
from pipeline.volume.pixel_form import form_of, voxel_type
from pipeline.volume.pixels import PlaneOrder, decode_plane
from tests.support.stacks import stack, with_pixels, write, written
from tests.support.tools import require

LOSSLESS = (RLELossless, JPEGLSLossless, JPEG2000Lossless)
SHAPE = (40, 33)


def planes(dtype: str, bits: int) -> npt.NDArray[np.generic]:
    """(slice, row, column): a smooth image with noise, over the range of the stored bits."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    noise = np.random.default_rng(17).integers(0, 1 << bits - 3, (3, *SHAPE))
    values = (rows * columns * (1 << bits) // 2000) + noise
    values = np.clip(values, 0, (1 << bits) - 1)
    return (values - (1 << bits - 1) if dtype.endswith("i2") else values).astype(dtype)


def slices_of(stored: npt.NDArray[np.generic], bits: int, modality: str = "MR") -> list[Dataset]:
    """A stack with these stored pixels."""
    return [
        with_pixels(dataset, plane, BitsStored=bits, HighBit=bits - 1)
        for dataset, plane in zip(stack(3, modality=modality), stored, strict=True)
    ]


def compressed(slices: Sequence[Dataset], syntax: UID) -> list[Dataset]:
    """Slices compressed by pydicom."""
    for dataset in slices:
        dataset.compress(syntax, generate_instance_uid=False)
    return list(slices)


@pytest.mark.parametrize(("dtype", "bits"), [("u1", 8), ("<u2", 12), ("<u2", 16), ("<i2", 16)])
@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.keyword)
def test_lossless_compression_changes_no_voxel(
    tmp_path: Path, syntax: UID, dtype: str, bits: int
) -> None:
    """Case 14."""
    stored = planes(dtype, bits)
    result = build_volume(written(tmp_path, compressed(slices_of(stored, bits), syntax)))
    assert result.volume.voxels.dtype == stored.dtype.newbyteorder("=")
    assert np.array_equal(result.volume.voxels, stored)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.keyword)
def test_compressed_ct_becomes_hounsfield_units(tmp_path: Path, syntax: UID) -> None:
    stored = planes("<u2", 12)
    slices = compressed(slices_of(stored, 12, "CT"), syntax)
    voxels = build_volume(written(tmp_path, slices)).volume.voxels
    assert voxels.dtype == np.int16
    assert np.array_equal(voxels, stored.astype(int) - 1024)


@pytest.mark.parametrize("bits", [12, 15])
def test_garbage_above_the_stored_bits_is_no_value_in_compressed_pixels(
    tmp_path: Path, bits: int
) -> None:
    """Case 12: RLE keeps all bits of a word."""
    for sign, dtype in ((0, "<u2"), (1, "<i2")):
        stored = planes("<u2", bits)
        slices = compressed(slices_of((stored | 1 << bits).astype("<u2"), 16), RLELossless)
        for dataset in slices:
            dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, sign
        voxels = build_volume(written(tmp_path / str(sign), slices)).volume.voxels
        expected = stored.astype(int)
        if sign:
            expected[expected >= 1 << bits - 1] -= 1 << bits
        assert np.array_equal(voxels, expected)
        assert voxels.dtype == np.dtype(dtype)


@pytest.mark.parametrize("fragments", [2, 5])
@pytest.mark.parametrize("table", [True, False])
def test_pixels_in_fragments_are_put_together(tmp_path: Path, fragments: int, table: bool) -> None:
    """Case 14: with and without a Basic Offset Table."""
    stored = planes("<u2", 16)
    slices = compressed(slices_of(stored, 16), JPEG2000Lossless)
    for dataset in slices:
        (whole,) = generate_fragments_of(dataset)
        dataset.PixelData = encapsulate([whole], fragments_per_frame=fragments, has_bot=table)
        dataset["PixelData"].is_undefined_length = True
        assert len(generate_fragments_of(dataset)) == fragments
    assert np.array_equal(build_volume(written(tmp_path, slices)).volume.voxels, stored)


def generate_fragments_of(dataset: Dataset) -> list[bytes]:
    """The fragments of a slice's pixel data, less its Basic Offset Table."""
    return list(generate_fragments(dataset.PixelData))[1:]


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.keyword)
def test_compressed_pixels_that_are_cut_short_are_refused(tmp_path: Path, syntax: UID) -> None:
    """Case 15: named, whatever the decoder makes of it."""
    slices = compressed(slices_of(planes("<u2", 16), 16), syntax)
    (whole,) = generate_fragments_of(slices[1])
    for number, left in enumerate((whole[: len(whole) // 3], whole[:9], b"\0")):
        slices[1].PixelData = encapsulate([left + b"\0" * (len(left) % 2)])
        slices[1]["PixelData"].is_undefined_length = True
        with pytest.raises(PixelDecodeError) as error:
            build_volume(written(tmp_path / str(number), slices))
        assert str(slices[1].SOPInstanceUID) in str(error.value)


def test_pixels_that_decode_to_another_matrix_are_refused(tmp_path: Path) -> None:
    """The header and the codestream disagree."""
    slices = compressed(slices_of(planes("<u2", 16), 16), JPEG2000Lossless)
    for dataset in slices:
        dataset.Rows -= 1
    with pytest.raises(PixelDecodeError):
        build_volume(written(tmp_path, slices))


def test_an_unknown_syntax_is_refused_by_its_name(tmp_path: Path) -> None:
    slices = compressed(slices_of(planes("<u2", 16), 16), RLELossless)
    paths = write(tmp_path, slices)
    for path in paths:
        content = path.read_bytes()
        mpeg = b"1.2.840.10008.1.2.4.100"
        meta = content.index(b"\x02\x00\x10\x00UI")
        end = meta + 8 + int.from_bytes(content[meta + 6 : meta + 8], "little")
        value = mpeg + b"\0" * (len(mpeg) % 2)
        length = int.from_bytes(content[140:144], "little") + len(value) - (end - meta - 8)
        path.write_bytes(
            content[:140]
            + length.to_bytes(4, "little")
            + content[144 : meta + 6]
            + len(value).to_bytes(2, "little")
            + value
            + content[end:]
        )
    with pytest.raises(PixelDecodeError, match="MPEG2 Main Profile"):
        build_volume([read_instance(path) for path in paths])


def test_a_deflated_data_set_is_refused(tmp_path: Path) -> None:
    """Inflating it could fill the memory."""
    (dataset,) = stack(1)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with pytest.raises(UnreadableInstanceError):
        written(tmp_path, [dataset])


DCMTK = {
    "JPEG lossless": ("dcmcjpeg", "+e1"),
    "JPEG lossless, selection 6": ("dcmcjpeg", "+el", "+sv", "6"),
    "JPEG-LS": ("dcmcjpls", "+el"),
    "RLE": ("dcmcrle",),
}


@pytest.mark.peers
@pytest.mark.parametrize(("dtype", "bits"), [("u1", 8), ("<u2", 12), ("<u2", 16), ("<i2", 16)])
@pytest.mark.parametrize("how", DCMTK)
def test_what_dcmtk_compresses_without_loss_is_read_unchanged(
    tmp_path: Path, how: str, dtype: str, bits: int
) -> None:
    """Case 14: another implementation's encoders."""
    program, *options = DCMTK[how]
    stored = planes(dtype, bits)
    paths = write(tmp_path, slices_of(stored, bits))
    for path in paths:
        subprocess.run([require(program), *options, path, path.with_suffix(".c")], check=True)
    instances = [read_instance(path.with_suffix(".c")) for path in paths]
    assert {UID(item.transfer_syntax_uid).is_compressed for item in instances} == {True}
    assert np.array_equal(build_volume(instances).volume.voxels, stored)


@pytest.mark.peers
@pytest.mark.parametrize(
    ("options", "dtype", "bits", "syntax"),
    [
        (("dcmcjpeg", "+eb"), "u1", 8, "1.2.840.10008.1.2.4.50"),
        (("dcmcjpeg", "+ee"), "u1", 8, "1.2.840.10008.1.2.4.51"),
        (("dcmcjpeg", "+ee"), "<u2", 12, "1.2.840.10008.1.2.4.51"),
        (("dcmcjpls", "+en"), "<u2", 12, "1.2.840.10008.1.2.4.81"),
    ],
)
def test_what_dcmtk_compresses_with_loss_is_read_as_dcmtk_reads_it(
    tmp_path: Path, options: tuple[str, ...], dtype: str, bits: int, syntax: str
) -> None:
    """Case 14: JPEG baseline, extended with 8 and 12 bits, JPEG-LS near-lossless."""
    back = "dcmdjpeg" if options[0] == "dcmcjpeg" else "dcmdjpls"
    packed = []
    expected = []
    for path in write(tmp_path, slices_of(planes(dtype, bits), bits)):
        small, plain = path.with_suffix(".c"), path.with_suffix(".d")
        subprocess.run([require(options[0]), *options[1:], path, small], check=True)
        subprocess.run([require(back), small, plain], check=True)
        packed.append(read_instance(small))
        expected.append(pydicom.dcmread(plain).pixel_array)
    assert packed[0].transfer_syntax_uid == syntax
    result = build_volume(packed)
    voxels = np.take(result.volume.voxels, _order(packed), axis=0)
    # Two decoders may round differently.
    assert np.abs(voxels.astype(int) - np.stack(expected)).max() <= 1
    assert "Pixels went through lossy compression." in result.receipt.warnings


def _order(instances: Sequence[object]) -> list[int]:
    """Files were written in slice order."""
    return list(range(len(instances)))


@pytest.mark.peers
@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_12_bit_extended_jpeg_is_read_as_dcmtk_reads_it(tmp_path: Path, name: str) -> None:
    """Case 14: files of pydicom's that pydicom's own decoders refuse."""
    path = Path(str(get_testdata_file(name)))
    plain = tmp_path / "plain.dcm"
    subprocess.run([require("dcmdjpeg"), path, plain], check=True)
    expected = pydicom.dcmread(plain).pixel_array
    assert np.abs(decoded(path).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    "name",
    [
        "MR_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_padded.dcm",
        "JPEG2000.dcm",
        "J2K_pixelrep_mismatch.dcm",
        "693_J2KI.dcm",
    ],
)
@pytest.mark.filterwarnings("ignore:The pixel data length")  # pydicom, on the expected value
@pytest.mark.filterwarnings("ignore:The .* in the JPEG 2000 data")
@pytest.mark.filterwarnings("ignore:The pixel data")
def test_the_same_pixels_as_pydicom_gives(name: str) -> None:
    """Case 14: files of many makers in pydicom's own test data."""
    path = Path(str(get_testdata_file(name)))
    dataset = pydicom.dcmread(path)
    expected = dataset.pixel_array.astype(int)
    if dataset.Modality == "CT":
        expected = expected * int(dataset.RescaleSlope) + int(dataset.RescaleIntercept)
    assert np.array_equal(decoded(path), expected)


def decoded(path: Path) -> npt.NDArray[np.generic]:
    """(row, column): the voxels of a file alone."""
    frame = Frame(read_instance(path))
    shape = (1, int(frame.header.Rows), int(frame.header.Columns))
    target = np.empty(shape, voxel_type([form_of(frame)]))
    decode_plane(PlaneOrder(frame, 0), target)
    return target[0]


def test_implicit_data_under_an_explicit_syntax_and_the_other_way_round(tmp_path: Path) -> None:
    """Files that switch encodings are common; they are read, not misread."""
    stored = planes("<u2", 16)
    for one, other in (
        (ImplicitVRLittleEndian, b"1.2.840.10008.1.2.1\0"),
        (UID("1.2.840.10008.1.2.1"), b"1.2.840.10008.1.2\0\0\0"),
    ):
        slices = slices_of(stored, 16)
        for dataset in slices:
            dataset.file_meta.TransferSyntaxUID = one
        paths = write(tmp_path / one.name, slices)
        for path in paths:
            content = path.read_bytes()
            meta = content.index(b"\x02\x00\x10\x00UI")
            old = int.from_bytes(content[meta + 6 : meta + 8], "little")
            length = int.from_bytes(content[140:144], "little") + len(other) - old
            path.write_bytes(
                content[:140]
                + length.to_bytes(4, "little")
                + content[144 : meta + 6]
                + len(other).to_bytes(2, "little")
                + other
                + content[meta + 8 + old :]
            )
        with pytest.warns(UserWarning, match="found"):
            instances = [read_instance(path) for path in paths]
        assert np.array_equal(build_volume(instances).volume.voxels, stored)


def test_big_endian_and_implicit_files_mix_in_a_series(tmp_path: Path) -> None:
    stored = planes("<u2", 16)
    slices = slices_of(stored, 16)
    slices[0].file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    slices[1].file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    slices[1].PixelData = stored[1].astype(">u2").tobytes()
    slices[2].compress(RLELossless, generate_instance_uid=False)
    assert np.array_equal(build_volume(written(tmp_path, slices)).volume.voxels, stored)
