"""What the head of a data set declares."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from scp.receive.declared import declares_absurd_size, is_nested_too_deep
from tests.unit.scp.test_identifiers import SYNTAXES, encode

# what comes before: an element that holds the bytes of Rows, and a size in a sequence
DECOY = "\x28\x00\x10\x00US\x02\x00\xff\xff"


def image(rows: int, columns: int, frames: int) -> Dataset:
    """A header with a size."""
    dataset = Dataset()
    dataset.PatientComments = "none"
    dataset.NumberOfFrames = frames
    dataset.Rows, dataset.Columns = rows, columns
    return dataset


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize(
    ("rows", "columns", "frames", "is_absurd"),
    [(512, 512, 1, False), (65535, 65535, 10000, True), (4096, 4096, 4000, False)],
)
def test_an_absurd_size_is_told(
    syntax: UID, rows: int, columns: int, frames: int, is_absurd: bool
) -> None:
    """65,535 x 65,535 x 10,000 pixels are refused, a large series of frames is not."""
    assert declares_absurd_size(encode(image(rows, columns, frames), syntax), syntax) is is_absurd


def test_bytes_that_only_look_like_a_size_do_no_harm() -> None:
    """The quick look is verified before anything is refused."""
    dataset = image(512, 512, 2000)
    dataset.ImageComments = DECOY * 2
    dataset.SourceImageSequence = Sequence([image(65535, 65535, 99999)])
    encoded = encode(dataset, ExplicitVRLittleEndian)
    assert not declares_absurd_size(encoded, ExplicitVRLittleEndian)


def nested(levels: int) -> Dataset:
    """Sequences in each other."""
    dataset = Dataset()
    for _ in range(levels):
        outer = Dataset()
        outer.ContentSequence = Sequence([dataset])
        dataset = outer
    return dataset


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(("levels", "is_too_deep"), [(20, False), (60, False), (200, True)])
def test_a_depth_bomb_is_told(syntax: UID, levels: int, is_too_deep: bool) -> None:
    """200 sequences in each other are refused; so deep as reports go is not."""
    assert is_nested_too_deep(encode(nested(levels), syntax), syntax) is is_too_deep


def test_many_items_beside_each_other_are_not_deep() -> None:
    """A long sequence is honest."""
    dataset = Dataset()
    dataset.SourceImageSequence = Sequence([image(1, 1, 1) for _ in range(100)])
    assert not is_nested_too_deep(encode(dataset, ExplicitVRBigEndian), ExplicitVRBigEndian)


def test_undefined_lengths_are_followed() -> None:
    """The same bomb with delimiters in place of lengths."""
    opening = b"\x08\x00\x10\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    assert is_nested_too_deep(opening * 200, ExplicitVRLittleEndian)
