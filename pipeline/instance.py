"""One received instance: its header, its identity, where its pixels are."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from pipeline.elements import DAMAGED_ELEMENT_ERRORS, Header, PixelLocation, Value, plain_value
from pipeline.errors import UnreadableInstanceError
from pipeline.header_file import data_set_offset, read_header

_ANY_SANE_NUMBER = 1e7
_NUMBERS = {
    "InstanceNumber": 1,
    "ImagePositionPatient": 3,
    "ImageOrientationPatient": 6,
    "PixelSpacing": 2,
    "SliceThickness": 1,
    "NumberOfFrames": 1,
    "Rows": 1,
    "Columns": 1,
    "SamplesPerPixel": 1,
    "RescaleSlope": 1,
    "RescaleIntercept": 1,
}


@dataclass(frozen=True, eq=False, slots=True)
class Instance:
    """A DICOM instance on disk.

    Parameters
    ----------
    path
        Its Part 10 file.
    elements
        Its data set up to the pixel data.
    """

    path: Path
    elements: Header

    @property
    def header(self) -> Dataset:
        """The data set without pixel data, by pydicom. Not to be changed: copy it first."""
        return self.elements.data_set

    @property
    def transfer_syntax_uid(self) -> str:
        """The syntax the file is kept in."""
        return self.elements.transfer_syntax_uid

    @property
    def pixels(self) -> PixelLocation | None:
        """Where its pixel data is; None where it has none."""
        return self.elements.pixels

    @property
    def file_size(self) -> int:
        """In bytes."""
        return self.elements.file_size

    @property
    def has_pixels(self) -> bool:
        """Whether the SOP Class is an image: Rows and Columns are there."""
        return self.elements.has("Rows") and self.elements.has("Columns")

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID (0008,0018)."""
        return str(self.elements.get("SOPInstanceUID") or "")

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID (0020,000E)."""
        return str(self.elements.get("SeriesInstanceUID") or "")


def read_instance(path: Path) -> Instance:
    """Read the header of a Part 10 file.

    Raises
    ------
    UnreadableInstanceError
        The file is not there, is no DICOM, or its header is damaged.
    """
    try:
        header = read_header(path)
        check_numbers(path.name, header)
    except OSError as error:
        raise UnreadableInstanceError(f"{path.name} cannot be read: {error.strerror}.") from error
    except InvalidDicomError as error:
        raise UnreadableInstanceError(
            f"{path.name} is no DICOM Part 10 file that can be read."
        ) from error
    except DAMAGED_ELEMENT_ERRORS as error:
        raise UnreadableInstanceError(
            f"The header of {path.name} is damaged ({type(error).__name__})."
        ) from error
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"):
        if not header.get(keyword):
            raise UnreadableInstanceError(f"{path.name} lacks its {keyword}.")
    return Instance(path, header)


def check_numbers(name: str, header: Header | Dataset) -> None:
    """Look at the numbers that the rebuild needs; pydicom only warns of one that is none.

    Parameters
    ----------
    name
        What to call the instance where the header has no SOP Instance UID.
    header
        Its header, or that of one of its frames.

    Raises
    ------
    UnreadableInstanceError
        A value is no number, or beyond what can be.
    """
    for keyword, count in _NUMBERS.items():
        value = header.get(keyword)
        if not isinstance(header, Header):
            value = plain_value(value)
        if value is not None and not _are_numbers(value, count):
            raise UnreadableInstanceError(
                f"{keyword} of {header.get('SOPInstanceUID') or name} is not {count} sound "
                "number(s): the header is damaged. Check the series where it was made."
            )


@lru_cache(maxsize=4096)
def _are_numbers(value: Value, count: int) -> bool:
    """Whether a value is so many sound numbers; slices share most values."""
    values = value if isinstance(value, tuple) else (value,)
    return len(values) == count and all(
        isinstance(item, int | float) and abs(item) < _ANY_SANE_NUMBER for item in values
    )


def data_set_digest(part10: bytes) -> str:
    """SHA-256 (hex) of a Part 10 file's data set, from the end of its file meta information.

    It is the same for the same bytes whoever wrote the file around them.
    """
    return hashlib.sha256(memoryview(part10)[data_set_offset(part10) :]).hexdigest()


def instance_digest(instance: Instance) -> str:
    """The digest of an instance's data set.

    Raises
    ------
    UnreadableInstanceError
        The file can no longer be read.
    """
    try:
        return data_set_digest(instance.path.read_bytes())
    except OSError as error:
        raise UnreadableInstanceError(
            f"{instance.path.name} cannot be read: {error.strerror}."
        ) from error
