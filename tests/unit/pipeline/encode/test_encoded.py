"""Elements that are encoded once: they read as before, and are written as they are."""

from io import BytesIO

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from pipeline.encode.encoded import encoded, encoded_items, encoded_sequence
from pipeline.encode.part10 import set_file_meta

NAMES = {
    "ISO_IR 100": "Müller^Jörg",
    "ISO_IR 192": "Wang^XiaoDong=王^小東",
    "GB18030": "Wang^XiaoDong=王^小东",
    "ISO 2022 IR 87": "Yamada^Tarou=山田^太郎",
}


def code(meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99HOUNSFIELD", meaning
    return item


def header(character_set: str = "ISO_IR 192") -> Dataset:
    """Text, numbers, empty values, a nested sequence and a private block."""
    dataset = Dataset()
    multiple = "2022" in character_set
    dataset.SpecificCharacterSet = ["", character_set] if multiple else character_set
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    dataset.PatientName = NAMES[character_set]
    dataset.PatientSex, dataset.KVP, dataset.AcquisitionNumber = "", None, None
    dataset.SliceThickness, dataset.ImageType = "2.50", ["DERIVED", "SECONDARY"]
    dataset.Rows, dataset.PixelRepresentation = 5, 1
    dataset.add_new("SmallestImagePixelValue", "SS", -3)
    dataset.PatientBreedCodeSequence = []
    kind = code("kind")
    kind.ContextGroupExtensionFlag = "N"
    dataset.DerivationCodeSequence = [kind, code("way")]
    dataset.private_block(0x0071, "HOUNSFIELD", create=True).add_new(1, "UT", "a" * 70001)
    return dataset


def as_file(dataset: Dataset) -> bytes:
    set_file_meta(dataset)
    content = BytesIO()
    pydicom.dcmwrite(content, dataset, enforce_file_format=True)
    return content.getvalue()


def is_encoded(dataset: Dataset, keyword: str) -> bool:
    return isinstance(dataset.get_item(keyword), RawDataElement)


@pytest.mark.parametrize("character_set", NAMES)
def test_encoded_elements_give_the_file_that_plain_ones_give(character_set: str) -> None:
    """Whether they are still encoded, or were asked for and decoded before."""
    expected = as_file(header(character_set))
    once = encoded(header(character_set))
    assert as_file(once) == expected
    assert is_encoded(once, "PatientName")
    assert once.PatientName == NAMES[character_set]
    assert not is_encoded(once, "PatientName")
    assert as_file(once) == expected
    assert once == header(character_set)
    assert as_file(once) == expected


def test_empty_values_stay_empty() -> None:
    once = encoded(header())
    assert once.KVP is None
    assert once.PatientSex == ""
    assert once.PatientBreedCodeSequence == []


def test_a_copy_is_changed_alone() -> None:
    once = encoded(header())
    copy = once[:]
    copy.PatientName = "Changed^Name"
    copy.DerivationCodeSequence[0].CodeMeaning = "changed"
    assert once.PatientName == NAMES["ISO_IR 192"]
    assert once.DerivationCodeSequence[0].CodeMeaning == "kind"
    assert b"Changed^Name" in as_file(copy)


def test_items_that_are_encoded_make_the_sequence_of_the_plain_ones() -> None:
    plain, put_together = header(), header()
    items = [code("one"), code("another"), encoded(code("third"))]
    plain.DerivationCodeSequence = [items[2], items[0]]
    first, _second, third = encoded_items(items)
    sequence = encoded_sequence("DerivationCodeSequence", [third, first])
    put_together[sequence.tag] = sequence
    assert as_file(encoded(put_together)) == as_file(plain)
    meanings = [item.CodeMeaning for item in put_together.DerivationCodeSequence]
    assert meanings == ["third", "one"]
