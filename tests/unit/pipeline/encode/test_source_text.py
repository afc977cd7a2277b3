"""Text of a source as a result may hold it."""

import warnings

import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement

from pipeline.encode.source_text import clean_text


def element(keyword: str, value: str | list[str]) -> DataElement:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom says that it is too long
        return DataElement(keyword, dictionary_VR(keyword), value)


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("StudyDescription", "d" * 100, "d" * 64),
        ("StudyDescription", "d" * 63 + " end", "d" * 63),
        ("EthnicGroup", "e" * 20, "e" * 16),
        ("PatientComments", "c" * 20000, "c" * 10240),
        ("StudyDescription", "a\x00b\x0c\r\n\x1bc\x85", "abc"),
        ("PatientComments", "one\r\n\ttwo\x0b\x00", "one\r\n\ttwo"),
        ("PatientName", "A\x1b^B\x00", "A^B"),
        ("Allergies", ["a" * 70, "b"], ["a" * 64, "b"]),
        ("StudyDescription", "", ""),
        ("PatientSize", "1.75", "1.75"),
    ],
)
def test_text_is_shown_in_the_room_there_is(
    keyword: str, value: str | list[str], kept: str | list[str]
) -> None:
    source = element(keyword, value)
    assert clean_text(source).value == kept
    assert source.value == value


@pytest.mark.parametrize(
    "keyword", ["PatientID", "AccessionNumber", "StudyID", "IssuerOfPatientID", "CodeValue"]
)
def test_identifier_stays_as_it_is(keyword: str) -> None:
    value = "A\x01" + "9" * 100
    assert clean_text(element(keyword, value)).value == value


def test_name_of_any_length_is_whole() -> None:
    name = "=".join(["N" * 70] * 3)
    assert clean_text(element("PatientName", name)).value == name
