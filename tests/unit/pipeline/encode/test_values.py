"""Values of real headers in the form of the standard."""

from datetime import timedelta

import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pipeline.encode.values import (
    age_value,
    character_set,
    code_string_value,
    date_value,
    decimal_string,
    decimal_string_value,
    integer_string_value,
    normalised,
    own_text,
    sex_value,
    side_value,
    time_value,
    utc_offset,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240229", "20240229"),
        ("2024.02.29", "20240229"),
        ("2024-02-29", "20240229"),
        ("20230229", None),
        ("202402", None),
        ("0", None),
    ],
)
def test_date(text: str, expected: str | None) -> None:
    assert date_value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10:15", "1015"),
        ("10:15:30.5", "101530.5"),
        ("101530.123456 ", "101530.123456"),
        ("10", "10"),
        ("235960", "235960"),
        ("2460", None),
        ("240000", None),
        ("1", None),
        ("noon", None),
    ],
)
def test_time(text: str, expected: str | None) -> None:
    assert time_value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("053Y", "053Y"), ("53y", "053Y"), ("53", None), ("6m", "006M"), ("old", None)],
)
def test_age(text: str, expected: str | None) -> None:
    assert age_value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("M", "M"), ("f ", "F"), ("U", None), ("UNKNOWN", None)]
)
def test_sex(text: str, expected: str | None) -> None:
    assert sex_value(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("l ", "L"), ("R", "R"), ("B", None), ("X", None)])
def test_side(text: str, expected: str | None) -> None:
    assert side_value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("Chest", "CHEST"), ("ABD/PELVIS", None), ("A" * 17, None)]
)
def test_code_string(text: str, expected: str | None) -> None:
    assert code_string_value(text) == expected


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+0530", 330), ("-0800", -480), ("+1500", None), ("CET", None), ("", None)],
)
def test_utc_offset(text: str, minutes: int | None) -> None:
    header = Dataset()
    header.TimezoneOffsetFromUTC = text
    zone = utc_offset(header)
    offset = None if zone is None else zone.utcoffset(None)
    assert offset == (None if minutes is None else timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("declared", "name", "expected"),
    [
        ([""], "Test^Anna", [""]),
        ([""], "Rüdiger^Anna", ["ISO_IR 192"]),
        (["ISO_IR 6"], "10 °C", ["ISO_IR 192"]),
        (["", "ISO 2022 IR 87"], "Rüdiger", ["ISO_IR 192"]),
        (["ISO_IR 100"], "Äneas^Rüdiger", ["ISO_IR 100"]),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", ["", "ISO 2022 IR 87"]),
        (["GB18030"], "Wang^XiaoDong=王^小东", ["GB18030"]),
        (["ISO_IR 100"], "Wang^XiaoDong=王^小东", ["ISO_IR 192"]),
        (["ISO-IR 100"], "Äneas^Rüdiger", ["ISO_IR 192"]),
        (["ISO_IR 192", "GB18030"], "王", ["ISO_IR 192"]),
    ],
)
def test_character_set_is_the_source_s_where_it_can_say_the_text(
    declared: list[str], name: str, expected: list[str]
) -> None:
    text = Dataset()
    text.PatientName = name
    assert character_set(declared, text) == expected


def test_own_text_is_plain_and_short() -> None:
    assert own_text("10 µm\\x") == "10 ?m?x"
    assert own_text("abcdef", limit=3) == "abc"


def test_decimal_string_keeps_to_sixteen_characters() -> None:
    assert decimal_string(1) == "1.0"
    assert len(decimal_string(1 / 3)) <= 16


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("120", "120"),
        (" -1.5e3 ", "-1.5e3"),
        (".5", ".5"),
        ("3.14159265358979323846", "3.14159265358979"),
        ("abc", None),
        ("nan", None),
        ("1,25", None),
        ("70kg", None),
    ],
)
def test_decimal_strings_are_numbers_of_16_characters(text: str, kept: str | None) -> None:
    """What is no number is left out, what is too long is shortened."""
    assert decimal_string_value(text) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [("3", "3"), ("-2147483647", "-2147483647"), ("1.5", None), ("2147483648", None)],
)
def test_integer_strings_are_integers_of_32_bits(text: str, kept: str | None) -> None:
    """Anything else is left out."""
    assert integer_string_value(text) == kept


def test_of_several_numbers_all_are_kept_or_none() -> None:
    """A pixel spacing of which one value is lost would be taken for the other."""
    element = DataElement(0x00281050, "LO", ["x", "40"])
    element.VR = "DS"
    assert normalised(element) is None


def code(meaning: str, **value: str) -> Dataset:
    item = Dataset()
    item.update(value)
    item.CodingSchemeDesignator, item.CodeMeaning = "99X", meaning
    return item


@pytest.mark.filterwarnings("ignore:The value length:UserWarning")
def test_items_that_say_nothing_are_left_out() -> None:
    """Also within items; codes without a value are none."""
    order = Dataset()
    order.RequestedProcedureDescription = "d" * 100
    order.RequestedProcedureID = "i" * 20
    order.RequestedProcedureCodeSequence = [Dataset(), code("no value")]
    kept = normalised(DataElement("RequestAttributesSequence", "SQ", [Dataset(), order]))
    assert kept is not None
    (item,) = kept.value
    assert "RequestedProcedureCodeSequence" not in item
    assert item.RequestedProcedureDescription == "d" * 64
    assert item.RequestedProcedureID == "i" * 20
    assert "RequestedProcedureCodeSequence" in order


@pytest.mark.parametrize("items", [[], [Dataset()], [code("no value", CodeValue="")]])
def test_sequence_that_says_nothing_is_left_out(items: list[Dataset]) -> None:
    assert normalised(DataElement("ProcedureCodeSequence", "SQ", items)) is None


def test_codes_are_kept() -> None:
    items = [code("short", CodeValue="1"), code("long", LongCodeValue="1" * 20)]
    kept = normalised(DataElement("ProcedureCodeSequence", "SQ", items))
    assert kept is not None
    assert list(kept.value) == items
