"""Values of a source header, put into the form that the standard allows.

Real headers hold times with colons, dates with dots, lower-case codes and a patient's sex of
'U'. A result keeps what such a value means where that is certain, and leaves the value out where
it is not.

Source: PS3.5 6.2 (value representations).
"""

import re
import warnings
from collections.abc import Callable, Iterable
from datetime import date, timedelta, timezone
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import TEXT_VR_DELIMS, format_number_as_ds

from pipeline.elements import DAMAGED_ELEMENT_ERRORS
from pipeline.encode.source_text import clean_text

UNICODE = "ISO_IR 192"
LONG_STRING = 64

# PS3.3 C.12.1.1.2: not to be combined with others.
_STANDALONE = frozenset({UNICODE, "GB18030", "GBK"})

_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_DECIMAL_LENGTH = 16
_INTEGER = re.compile(r"[+-]?\d{1,12}")
_INTEGER_LIMIT = 2**31
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")
_AGE = re.compile(r"(\d{1,3})\s*([DWMY])")
_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
_DATE = re.compile(r"\d{8}")
_DATE_SEPARATORS = re.compile(r"(?<=\d)[.\-/](?=\d)")
_UTC_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")
_LAST_HOUR_MINUTE_SECOND = ("23", "59", "60")
_EARLIEST_OFFSET, _LATEST_OFFSET = timedelta(hours=-12), timedelta(hours=14)
_NOT_OUR_TEXT = re.compile(r"[^\x20-\x5b\x5d-\x7e]")
_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_STRINGS = _TEXT | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_SEXES = frozenset({"M", "F", "O"})
_SIDES = frozenset({"L", "R"})
# how pydicom reads the default repertoire, and what that has
_LATIN_1, _ASCII = "iso8859", "ascii"
_CODES = ("CodeValue", "LongCodeValue", "URNCodeValue")
# pydicom reads sequences as files, and they end as files do.
_UNDECODABLE = (*DAMAGED_ELEMENT_ERRORS, OSError)


def date_value(text: str) -> str | None:
    """YYYYMMDD, also from the older YYYY.MM.DD; None where it is no day."""
    digits = _DATE_SEPARATORS.sub("", text.strip())
    if not _DATE.fullmatch(digits):
        return None
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return digits


def time_value(text: str) -> str | None:
    """HHMMSS.FFFFFF or its beginning, also from HH:MM:SS; None where it is no time of day."""
    digits = text.strip().replace(":", "")
    if not _TIME.fullmatch(digits):
        return None
    parts = (digits[:2], digits[2:4], digits[4:6])
    in_range = all(part <= most for part, most in zip(parts, _LAST_HOUR_MINUTE_SECOND, strict=True))
    return digits if in_range else None


def age_value(text: str) -> str | None:
    """Three digits and D, W, M or Y; None without a unit: a child's age could be meant."""
    match = _AGE.fullmatch(text.strip().upper())
    return f"{int(match[1]):03d}{match[2]}" if match else None


def code_string_value(text: str) -> str | None:
    """In capitals; None where that does not make it a code string."""
    code = text.strip().upper()
    return code if _CODE_STRING.fullmatch(code) else None


def sex_value(text: str) -> str | None:
    """M, F or O; None for anything else: the standard has no code for unknown, but empty."""
    sex = text.strip().upper()
    return sex if sex in _SEXES else None


def side_value(text: str) -> str | None:
    """L or R; None for anything else: the standard has no code for both sides or an unknown one."""
    side = text.strip().upper()
    return side if side in _SIDES else None


def own_text(text: str, limit: int = LONG_STRING) -> str:
    """Text of ours in the default repertoire, without backslash, cut to a limit.

    It must not depend on the source's character set.
    """
    return _NOT_OUR_TEXT.sub("?", text)[:limit].strip()


def decimal_string(value: float) -> str:
    """A number in the 16 characters that a decimal string has."""
    return format_number_as_ds(float(value))


def decimal_string_value(text: str) -> str | None:
    """A decimal string of at most 16 characters; None where it is no number."""
    number = text.strip()
    if not _DECIMAL.fullmatch(number):
        return None
    return number if len(number) <= _DECIMAL_LENGTH else decimal_string(float(number))


def integer_string_value(text: str) -> str | None:
    """An integer string; None where it is no integer of 32 bits."""
    number = text.strip()
    return number if _INTEGER.fullmatch(number) and abs(int(number)) < _INTEGER_LIMIT else None


_BY_KEYWORD: dict[str, Callable[[str], str | None]] = {
    "PatientSex": sex_value,
    "Laterality": side_value,
}
_BY_VR: dict[str, Callable[[str], str | None]] = {
    "DA": date_value,
    "TM": time_value,
    "AS": age_value,
    "CS": code_string_value,
    "DS": decimal_string_value,
    "IS": integer_string_value,
}
# of several numbers each has its place: where one is lost, the others mean nothing
_ALL_OR_NONE = frozenset({"DS", "IS"})


def normalised(element: DataElement) -> DataElement | None:
    """A copy of a header's element in the form of its value representation.

    Returns
    -------
    None where no value can be kept. Empty elements stay empty; of sequences, private elements and
    items that say nothing are left out.
    """
    if element.VR == "SQ":
        return _clean_sequence(element)
    rule = _BY_KEYWORD.get(element.keyword) or _BY_VR.get(element.VR)
    if rule is None or element.is_empty:
        return clean_text(element)
    values = [kept for value in _values(element) if (kept := rule(str(value))) is not None]
    if element.VR in _ALL_OR_NONE and len(values) < len(_values(element)):
        return None
    return DataElement(element.tag, element.VR, values) if values else None


def _clean_sequence(element: DataElement) -> DataElement | None:
    """None where no item says anything."""
    items = [_clean_item(item) for item in element.value]
    if element.keyword.endswith("CodeSequence"):
        items = [item for item in items if any(item.get(keyword) for keyword in _CODES)]
    items = [item for item in items if len(item)]
    return DataElement(element.tag, "SQ", items) if items else None


def _clean_item(item: Dataset) -> Dataset:
    """A copy without private elements and character set: its text is decoded already."""
    clean = Dataset()
    for element in item:
        if element.tag.is_private or element.keyword == "SpecificCharacterSet":
            continue
        nested = element.VR == "SQ" and element.value
        kept = _clean_sequence(element) if nested else clean_text(element)
        if kept is not None:
            clean.add(kept)
    return clean


def taken(header: Dataset, keyword: str) -> DataElement | None:
    """What can be kept of a header's attribute.

    Returns
    -------
    None also where it does not decode, or is of another kind than the standard says.
    """
    try:
        if keyword not in header or not _is_of_kind(header[keyword], dictionary_VR(keyword)):
            return None
        return normalised(header[keyword])
    except _UNDECODABLE:
        return None


def _is_of_kind(element: DataElement, vr: str) -> bool:
    """Whether an element has a value representation, or another kind of text than that."""
    return vr == element.VR or {element.VR, vr} <= _STRINGS


def value_of(header: Dataset, keyword: str) -> Any:
    """The value of a header's attribute; None where there is none that decodes."""
    try:
        return header.get(keyword)
    except _UNDECODABLE:
        return None


def _values(element: DataElement) -> list[object]:
    return list(element.value) if element.VM > 1 else [element.value]


def values_of(value: Any) -> list[Any]:
    """The values of an attribute that has one, several or none."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def utc_offset(header: Dataset) -> timezone | None:
    """The zone of a header's dates and times (0008,0201), None where it does not say."""
    match = _UTC_OFFSET.fullmatch(str(value_of(header, "TimezoneOffsetFromUTC") or "").strip())
    if match is None:
        return None
    amount = timedelta(hours=int(match[2]), minutes=int(match[3]))
    offset = -amount if match[1] == "-" else amount
    return timezone(offset) if _EARLIEST_OFFSET <= offset <= _LATEST_OFFSET else None


def character_set(declared: Iterable[str], text: Dataset) -> list[str]:
    """Specific Character Set (0008,0005) for a result with this text.

    Parameters
    ----------
    declared
        The values of the source; the first may be empty.
    text
        The data set whose text will be written.

    Returns
    -------
    The source's own values wherever they can say the text, so that its names keep their bytes;
    else Unicode, which can say any text. So does text of a source that declares no character set
    and is not in the default one: pydicom reads it as Latin-1, and its characters are kept.
    """
    terms = [str(term).strip() for term in declared]
    alone = len(terms) == 1
    if any(term not in python_encoding or (term in _STANDALONE and not alone) for term in terms):
        return [UNICODE]
    strings = {value for value in _strings(text) if not value.isascii()}
    return terms if all(_survives(value, terms) for value in strings) else [UNICODE]


def _strings(dataset: Dataset) -> Iterable[str]:
    for element in dataset.iterall():
        if element.VR in _TEXT and not element.is_empty:
            for value in _values(element):
                yield from str(value).split("=")


def _survives(text: str, terms: list[str]) -> bool:
    """Whether a string beyond ASCII comes back the same after writing in a character set."""
    with warnings.catch_warnings():
        # pydicom warns of each string that it could not write; here that is the question.
        warnings.simplefilter("ignore")
        encodings = convert_encodings(terms)
        if encodings == [_LATIN_1]:
            return False
        readers = [_ASCII if encoding == _LATIN_1 else encoding for encoding in encodings]
        return decode_bytes(encode_string(text, encodings), readers, TEXT_VR_DELIMS) == text
