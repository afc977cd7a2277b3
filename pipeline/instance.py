"""One received instance: its header, its identity, its decoded pixels."""

import hashlib
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ImplicitVRLittleEndian

from pipeline.errors import PixelDecodeError, UnreadableInstanceError

_PREAMBLE_AND_PREFIX = 132
_GROUP_LENGTH_ELEMENT = 12
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
_DECODER_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
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
    digest
        SHA-256 (hex) of the bytes of the data set as stored, file meta information left out:
        the same for the same bytes whoever wrote the file around them.
    """

    path: Path
    header: Dataset
    transfer_syntax_uid: str
    digest: str

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
    """Read the header of a Part 10 file and the digest of its data set.

    Raises
    ------
    UnreadableInstanceError
        The file is not there, or is no DICOM.
    """
    try:
        content = path.read_bytes()
        header = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
        _check_numbers(path, header)
    except OSError as error:
        raise UnreadableInstanceError(f"{path.name} cannot be read: {error.strerror}.") from error
    except InvalidDicomError as error:
        raise UnreadableInstanceError(f"{path.name} is no DICOM Part 10 file.") from error
    except _DAMAGED_HEADER_ERRORS as error:
        raise UnreadableInstanceError(
            f"The header of {path.name} is damaged ({type(error).__name__})."
        ) from error
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"):
        if not header.get(keyword):
            raise UnreadableInstanceError(f"{path.name} lacks its {keyword}.")
    return Instance(
        path=path,
        header=header,
        transfer_syntax_uid=str(header.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)),
        digest=data_set_digest(content),
    )


def _check_numbers(path: Path, header: Dataset) -> None:
    """Raise where a number that the rebuild needs is none; pydicom only warns of it."""
    for keyword, count in _NUMBERS.items():
        value = header.get(keyword)
        if value not in (None, "") and not _are_numbers(value, count):
            raise UnreadableInstanceError(
                f"{keyword} of {header.get('SOPInstanceUID', path.name)} is not {count} sound "
                "number(s): the header is damaged. Check the series where it was made."
            )


def _are_numbers(value: object, count: int) -> bool:
    try:
        numbers = np.atleast_1d(np.asarray(value, dtype=float))
    except (TypeError, ValueError):
        return False
    return numbers.shape == (count,) and bool((np.abs(numbers) < _ANY_SANE_NUMBER).all())


def data_set_digest(part10: bytes) -> str:
    """SHA-256 (hex) of a Part 10 file's data set, from the end of its file meta information."""
    return hashlib.sha256(memoryview(part10)[data_set_offset(part10) :]).hexdigest()


def data_set_offset(part10: bytes) -> int:
    """Where the data set begins, by File Meta Information Group Length (0002,0000)."""
    start = _PREAMBLE_AND_PREFIX
    element = part10[start : start + _GROUP_LENGTH_ELEMENT]
    if element[:8] != b"\x02\x00\x00\x00UL\x04\x00":
        return 0
    return start + _GROUP_LENGTH_ELEMENT + int.from_bytes(element[8:], "little")


def decode_pixels(instance: Instance) -> npt.NDArray[Any]:
    """The stored pixel values of a single-frame instance.

    Returns
    -------
    (row, column), the integer type that the header says.

    Raises
    ------
    PixelDecodeError
        The pixel data is missing, cut short, or in a syntax or state that no decoder takes.
    """
    try:
        return np.asarray(pydicom.dcmread(instance.path).pixel_array)
    except _DECODER_ERRORS as error:
        syntax = UID(instance.transfer_syntax_uid).name
        raise PixelDecodeError(
            f"The pixel data of instance {instance.sop_instance_uid} ({syntax}) is missing, cut "
            f"short or damaged ({type(error).__name__}). Send the series again, or check it where "
            "it was made."
        ) from error
