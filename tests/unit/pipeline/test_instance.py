"""Reading instances and their digests."""

from pathlib import Path

import pydicom
import pytest
from pydicom import examples
from pydicom.data import get_testdata_file
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from pipeline.errors import UnreadableInstanceError
from pipeline.instance import data_set_digest, instance_digest, read_instance


def test_digest_ignores_the_file_around_the_data_set(tmp_path: Path) -> None:
    """The same data set under another preamble and meta information has the same digest."""
    original = Path(get_testdata_file("CT_small.dcm"))
    instance = read_instance(original)
    again = tmp_path / "again.dcm"
    dataset = examples.ct
    content = original.read_bytes()
    offset = 132 + 12 + dataset.file_meta.FileMetaInformationGroupLength
    meta = content[132:offset].replace(b"CLUNIE1", b"OTHERAE")
    again.write_bytes(b"\1" * 128 + b"DICM" + meta + content[offset:])
    assert again.read_bytes() != content
    assert instance_digest(read_instance(again)) == instance_digest(instance)


def test_digest_changes_with_one_pixel() -> None:
    """Every byte of the data set counts."""
    content = bytearray(Path(get_testdata_file("CT_small.dcm")).read_bytes())
    before = data_set_digest(bytes(content))
    content[-200] ^= 1
    assert data_set_digest(bytes(content)) != before


@pytest.mark.parametrize("content", [b"", b"no DICOM at all", bytes(128) + b"DICM"])
def test_a_file_that_is_no_dicom_is_named(tmp_path: Path, content: bytes) -> None:
    """What cannot be read is refused with the file's name, not with a library's error."""
    path = tmp_path / "strange.bin"
    path.write_bytes(content)
    with pytest.raises(UnreadableInstanceError, match="strange"):
        read_instance(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is gone is an unreadable instance."""
    with pytest.raises(UnreadableInstanceError, match="gone"):
        read_instance(tmp_path / "gone.dcm")


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # pydicom, on making the input
@pytest.mark.filterwarnings("ignore:Value ")
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImagePositionPatient", "0\\1"),
        ("ImagePositionPatient", "0\\1\\1e308"),
        ("PixelSpacing", "wide\\narrow"),
        ("PixelSpacing", "inf\\1"),
        ("RescaleIntercept", "nan"),
        ("RescaleSlope", "1\\2"),
        ("SliceThickness", "1,5"),
    ],
)
def test_numbers_that_are_none_are_named(tmp_path: Path, keyword: str, value: str) -> None:
    """A damaged number is refused by its name, before anything is made of it."""
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    tag = tag_for_keyword(keyword)
    assert tag is not None
    dataset[tag] = RawDataElement(Tag(tag), "DS", len(value), value.encode(), 0, False, True)
    path = tmp_path / "damaged.dcm"
    dataset.save_as(path)
    with pytest.raises(UnreadableInstanceError, match=keyword):
        read_instance(path)
