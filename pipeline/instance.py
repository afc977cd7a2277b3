"""One received instance: its header, its identity, where its pixels are."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from pipeline.elements import PixelLocation, data_set_offset, read_header
from pipeline.errors import UnreadableInstanceError

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
_DAMAGED_HEADER_ERRORS = (
    AttributeError,
    EOFError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, eq=False, slots=True)
class Instance:
    """A DICOM instance on disk.

    Parameters
    ----------
    path
        Its Part 10 file.
    header
        The data set without pixel data. Not to be changed: copy it first.
    transfer_syntax_uid
        The syntax the file is kept in.
    pixels
        Where its pixel data is; None where it has none.
    file_size
        In bytes.
    """

    path: Path
    header: Dataset
    transfer_syntax_uid: str
    pixels: PixelLocation | None
    file_size: int

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID (0008,0018)."""
        return str(self.header.get("SOPInstanceUID", ""))

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID (0020,000E)."""
        return str(self.header.get("SeriesInstanceUID", ""))

    @property
    def has_pixels(self) -> bool:
        """Whether the SOP Class is an image: Rows and Columns are there."""
        return "Rows" in self.header and "Columns" in self.header


def read_instance(path: Path) -> Instance:
    """Read the header of a Part 10 file.

    Raises
    ------
    UnreadableInstanceError
        The file is not there, is no DICOM, or its header is damaged.
    """
    try:
        header = read_header(path)
        check_numbers(path.name, header.elements)
    except OSError as error:
        raise UnreadableInstanceError(f"{path.name} cannot be read: {error.strerror}.") from error
    except InvalidDicomError as error:
        raise UnreadableInstanceError(
            f"{path.name} is no DICOM Part 10 file that can be read."
        ) from error
    except _DAMAGED_HEADER_ERRORS as error:
        raise UnreadableInstanceError(
            f"The header of {path.name} is damaged ({type(error).__name__})."
        ) from error
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"):
        if not header.elements.get(keyword):
            raise UnreadableInstanceError(f"{path.name} lacks its {keyword}.")
    return Instance(
        path, header.elements, header.transfer_syntax_uid, header.pixels, header.file_size
    )


def check_numbers(name: str, header: Dataset) -> None:
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
        if value not in (None, "") and not _are_numbers(value, count):
            raise UnreadableInstanceError(
                f"{keyword} of {header.get('SOPInstanceUID', name)} is not {count} sound "
                "number(s): the header is damaged. Check the series where it was made."
            )


def _are_numbers(value: object, count: int) -> bool:
    try:
        numbers = np.atleast_1d(np.asarray(value, dtype=float))
    except (TypeError, ValueError):
        return False
    return numbers.shape == (count,) and bool((np.abs(numbers) < _ANY_SANE_NUMBER).all())


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
