"""Which instance a received data set is: the few identifiers that the receiver reads."""

import re
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag

from scp.receive.scan import NotUnderstoodError, encoding_of, scan

_UID_PATTERN = re.compile(r"[0-9]+(\.[0-9]+)*")
_UID_MAXIMUM_LENGTH = 64
_UID_KEYWORDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_TAGS = {keyword: int(Tag(keyword)) for keyword in (*_UID_KEYWORDS, "Modality")}
_WANTED = frozenset(_TAGS.values())
_LAST_TAG = max(_WANTED)
HEAD_BYTES = 16384
"""So much of a data set is glanced at; an instance that is found again is read in the same way."""

# What pydicom raises on bytes that are no data set, a depth bomb of sequences included.
PARSE_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


class UnusableDataSetError(Exception):
    """The data set cannot be parsed as far as its identifiers, or lacks one."""


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What a data set says it is."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str


def is_uid(text: str) -> bool:
    """Whether a text is safe to take as a UID: digits and dots, 1 to 64 characters.

    Components with a leading zero break PS3.5 section 9.1 and are sent by real devices: allowed.
    """
    return len(text) <= _UID_MAXIMUM_LENGTH and _UID_PATTERN.fullmatch(text) is not None


def glance(head: bytes, transfer_syntax_uid: str) -> Identifiers | None:
    """The identifiers in the head of a data set, or None where `read_identifiers` has to tell.

    Parameters
    ----------
    head
        The data set's first bytes, as many as there are.
    transfer_syntax_uid
        How it is encoded.
    """
    try:
        return _checked(scan(head, _WANTED, encoding_of(transfer_syntax_uid)))
    except (NotUnderstoodError, UnusableDataSetError):
        return None


def read_identifiers(
    data_set: bytes | memoryview | BinaryIO, transfer_syntax_uid: str
) -> Identifiers:
    """Parse a data set up to its Series Instance UID.

    Raises
    ------
    UnusableDataSetError
        It is damaged, or an identifier is missing or no UID. The message quotes no value.
    """
    encoding = encoding_of(transfer_syntax_uid)
    source = BytesIO(data_set) if isinstance(data_set, bytes | memoryview) else data_set
    try:
        found = read_dataset(
            source,
            encoding.is_implicit,
            encoding.is_little,
            stop_when=_is_past_identifiers,
            specific_tags=list(map(Tag, _WANTED)),
        )
        return _checked(_encoded_values(found))
    except PARSE_ERRORS as error:
        raise UnusableDataSetError(f"data set damaged ({type(error).__name__})") from error


def _is_past_identifiers(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) > _LAST_TAG


def _encoded_values(found: Dataset) -> dict[int, bytes]:
    """The values as they were sent: pydicom's conversion would quote bad ones in its warnings."""
    values = {tag: found.get_item(tag).value for tag in _WANTED if tag in found}
    return {tag: value for tag, value in values.items() if isinstance(value, bytes)}


def _checked(found: dict[int, bytes]) -> Identifiers:
    for keyword in _UID_KEYWORDS:
        value = _text(found, keyword)
        if not value:
            raise UnusableDataSetError(f"{keyword} missing")
        if not is_uid(value):
            raise UnusableDataSetError(f"{keyword} is no UID")
    modality = _text(found, "Modality")
    return Identifiers(
        sop_class_uid=_text(found, "SOPClassUID"),
        sop_instance_uid=_text(found, "SOPInstanceUID"),
        study_instance_uid=_text(found, "StudyInstanceUID"),
        series_instance_uid=_text(found, "SeriesInstanceUID"),
        modality=modality if modality.isprintable() else "",
    )


def _text(found: dict[int, bytes], keyword: str) -> str:
    return found.get(_TAGS[keyword], b"").decode("ascii", "replace").strip("\0 ")
