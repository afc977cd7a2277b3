"""Headers found by our own scanner: as pydicom reads them, and never worse than refused."""

import struct
import warnings
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import config
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from pipeline.errors import PipelineError, UnreadableInstanceError
from pipeline.header_file import read_header
from pipeline.instance import read_instance
from pipeline.volume import build_volume
from tests.support.stacks import stack, write

READ_BY_PYDICOM = (AttributeError, EOFError, InvalidDicomError, NotImplementedError, ValueError)
# Deflated, and cut short within an element.
REFUSED = ("image_dfl.dcm", "rtplan_truncated.dcm")
SEEDS = (
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_RLE.dcm",
    "nested_priv_SQ.dcm",
    "UN_sequence.dcm",
    "no_meta_group_length.dcm",
    "reportsi.dcm",
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom, on odd and damaged files


def bundled() -> list[Path]:
    """Files that come with pydicom, none that it would fetch."""
    folder = Path(str(get_testdata_file("CT_small.dcm"))).parent
    return sorted(path for path in folder.rglob("*") if path.suffix in ("", ".dcm"))


def plain(dataset: Dataset) -> dict[str, object]:
    """Every value, sequences as lists of the same."""
    values: dict[str, object] = {}
    for element in dataset:
        value = element.value
        if element.VR == "SQ":
            value = [plain(item) for item in value]
        values[str(element.tag)] = (element.VR, value)
    return values


def is_readable(path: Path) -> bool:
    """Whether pydicom reads it as Part 10, and it is not one that is refused."""
    if not path.is_file() or path.name in REFUSED:
        return False
    try:
        return bool(plain(pydicom.dcmread(path)))
    except READ_BY_PYDICOM:
        return False


def same_values(path: Path) -> bool:
    """Whether header and location of a file's pixels are those that pydicom reads."""
    expected = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=None)
    found = read_header(path)
    whole = pydicom.dcmread(path, defer_size=None)
    keywords = [
        name for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if name in whole
    ]
    same_place = (found.pixels.keyword if found.pixels else None) == next(iter(keywords), None)
    if found.pixels is not None and found.pixels.length is not None:
        content = path.read_bytes()[found.pixels.offset :][: found.pixels.length]
        same_place = same_place and content == whole[found.pixels.keyword].value
    return same_place and plain(found.data_set) == plain(expected)


def test_every_value_is_the_one_that_pydicom_reads() -> None:
    """All of pydicom's own test files that pydicom itself reads as Part 10."""
    readable = [path for path in bundled() if is_readable(path)]
    assert len(readable) > 100
    assert [path.name for path in readable if not same_values(path)] == []


def test_quick_values_are_those_of_pydicom() -> None:
    """What `Header.get` decodes by itself is what pydicom decodes, for every attribute."""
    for name in ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "MR_small_implicit.dcm"):
        header = read_header(Path(str(get_testdata_file(name))))
        for element in header.data_set:
            if element.keyword and element.VR in ("CS", "DS", "IS", "UI", "US", "DA", "TM"):
                value = element.value
                values = list(value) if element.VM > 1 else [value]
                expected = tuple(
                    float(item) if element.VR in ("DS", "IS") and item != "" else item
                    for item in values
                    if item not in ("", None)
                )
                found = header.get(element.keyword)
                quick = found if isinstance(found, tuple) else (found,)
                assert tuple(item for item in quick if item is not None) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_deflated_and_truncated_headers_are_refused(name: str) -> None:
    """Where pydicom inflates whatever size it is, or gives what there is."""
    with pytest.raises(UnreadableInstanceError):
        read_instance(Path(str(get_testdata_file(name))))


@pytest.mark.parametrize("name", ["CT_small.dcm", "nested_priv_SQ.dcm", "MR_small_bigendian.dcm"])
def test_a_header_cut_anywhere_is_read_or_refused(tmp_path: Path, name: str) -> None:
    """Truncation at every 7th byte, and at every one of the first elements."""
    content = Path(str(get_testdata_file(name))).read_bytes()
    path = tmp_path / "cut.dcm"
    for end in sorted({*range(min(len(content), 400)), *range(0, len(content), 97)}):
        path.write_bytes(content[:end])
        assert is_read_or_refused(path)


def is_read_or_refused(path: Path) -> bool:
    """Whether reading a file gives an instance or the pipeline's own error."""
    try:
        return read_instance(path).path == path
    except UnreadableInstanceError:
        return True


damage = st.lists(
    st.tuples(
        st.sampled_from(["set", "flip", "remove", "insert"]),
        st.floats(0, 1),
        st.integers(0, 255),
        st.integers(1, 12),
    ),
    min_size=1,
    max_size=6,
)


def damaged(content: bytes, changes: list[tuple[str, float, int, int]]) -> bytes:
    """Bytes with changes at places given as shares of the first 2,000 bytes."""
    changed = bytearray(content)
    for how, share, value, count in changes:
        place = int(share * min(len(changed), 2000))
        match how:
            case "set":
                changed[place : place + 1] = bytes([value])
            case "flip":
                changed[place : place + 1] = bytes(
                    [changed[place] ^ 1 << value % 8] if place < len(changed) else b""
                )
            case "remove":
                del changed[place : place + count]
            case _:
                changed[place:place] = bytes([value]) * count
    return bytes(changed)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(seed=st.sampled_from(SEEDS), changes=damage)
def test_a_damaged_header_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    seed: str,
    changes: list[tuple[str, float, int, int]],
) -> None:
    """Never an error of a library, and never hung."""
    path = tmp_path_factory.getbasetemp() / "damaged.dcm"
    path.write_bytes(damaged(Path(str(get_testdata_file(seed))).read_bytes(), changes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            instance = read_instance(path)
        except UnreadableInstanceError:
            return
    assert instance.sop_instance_uid
    assert instance.file_size == path.stat().st_size


@settings(deadline=None, derandomize=True, max_examples=150)
@given(changes=damage)
def test_a_damaged_slice_never_leaves_the_pipelines_errors(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, float, int, int]]
) -> None:
    """The rebuild decodes values that reading did not look at."""
    folder = tmp_path_factory.getbasetemp() / "damaged slices"
    slices = stack(3, modality="CT", ImageType=["ORIGINAL", "PRIMARY"], AcquisitionNumber=1)
    paths = write(folder, slices)
    paths[2].write_bytes(damaged(paths[2].read_bytes(), changes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = build_volume([read_instance(path) for path in paths])
        except PipelineError:
            return
    assert len(result.volume.voxels) == len(result.volume.sources)


def part10(body: bytes, syntax: bytes = b"1.2.840.10008.1.2.1\0") -> bytes:
    """A Part 10 file of a data set's bytes."""
    element = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(syntax)) + syntax
    group_length = b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<L", len(element))
    return bytes(128) + b"DICM" + group_length + element + body


@pytest.mark.parametrize("depth", [40, 2000, 100_000])
def test_sequences_nested_without_end_are_refused(tmp_path: Path, depth: int) -> None:
    """Each level costs 20 bytes; none costs a stack frame more than is there."""
    opened = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    path = tmp_path / "deep.dcm"
    path.write_bytes(part10(opened * depth))
    with pytest.raises(UnreadableInstanceError, match="deep"):
        read_instance(path)


@pytest.mark.parametrize("length", [0xFFFFFFFE, 0x7FFFFFFF, 1 << 20])
def test_an_element_longer_than_the_file_takes_no_memory(tmp_path: Path, length: int) -> None:
    path = tmp_path / "long.dcm"
    path.write_bytes(part10(b"\x08\x00\x08\x00UN\0\0" + struct.pack("<L", length)))
    with pytest.raises(UnreadableInstanceError, match="long"):
        read_instance(path)


def test_a_meta_length_beyond_the_file_is_refused(tmp_path: Path) -> None:
    content = bytearray(part10(b""))
    content[140:144] = b"\xff\xff\xff\x7f"
    path = tmp_path / "meta.dcm"
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableInstanceError, match="meta"):
        read_instance(path)


def test_reading_leaves_pydicoms_settings_alone() -> None:
    """Other parts of the process rely on them."""
    before = config.settings.reading_validation_mode
    read_instance(Path(str(get_testdata_file("CT_small.dcm"))))
    assert config.settings.reading_validation_mode == before
