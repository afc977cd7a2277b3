"""DICOM files: file meta information and the bytes of a Part 10 file."""

import hashlib
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

from pipeline.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_PREAMBLE = bytes(128)
_PIXEL_DATA = Tag("PixelData")


def set_file_meta(dataset: Dataset, transfer_syntax_uid: UID = ExplicitVRLittleEndian) -> None:
    """Give a result its file meta information: in this transfer syntax, written by us.

    Source: PS3.10 7.1.
    """
    file_meta = FileMetaDataset()
    file_meta.FileMetaInformationVersion = b"\x00\x01"
    file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file_meta.TransferSyntaxUID = transfer_syntax_uid
    file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset.file_meta = file_meta
    dataset.preamble = _PREAMBLE


def part10_bytes(dataset: Dataset) -> bytes:
    """The Part 10 file of a result of ``encode``.

    Neither clock nor chance goes into it: equal data sets give equal bytes.
    """
    return b"".join(_parts(dataset))


def write_part10(dataset: Dataset, file: BinaryIO) -> str:
    """Write the bytes of `part10_bytes`, pixels straight from the data set.

    Returns
    -------
    Their SHA-256 (hex).
    """
    digest = hashlib.sha256()
    for part in _parts(dataset):
        digest.update(part)
        file.write(part)
    return digest.hexdigest()


def _parts(dataset: Dataset) -> Iterator[bytes]:
    """The pieces of a file. Pixel data is one of its own, which pydicom would copy four times."""
    pixels = _plain_pixels(dataset)
    if pixels is None:
        yield _written(dataset)
        return
    before = dataset[:_PIXEL_DATA]
    before.file_meta, before.preamble = dataset.file_meta, _PREAMBLE
    yield _written(before)
    value: bytes = pixels.value
    padding = bytes(len(value) % 2)
    length = len(value) + len(padding)
    tag = _PIXEL_DATA
    yield struct.pack("<HH2s2xI", tag.group, tag.element, pixels.VR.encode(), length)
    yield value
    yield padding


def _plain_pixels(dataset: Dataset) -> DataElement | None:
    """Pixel data that ends a file as it is; None where pydicom has more to do.

    Source: PS3.5 7.1.2 (explicit VR), A.2 (Explicit VR Little Endian).
    """
    if dataset.file_meta.TransferSyntaxUID != ExplicitVRLittleEndian:
        return None
    if max(dataset.keys(), default=None) != _PIXEL_DATA:
        return None
    pixels = dataset[_PIXEL_DATA]
    plain = pixels.VR in ("OB", "OW") and isinstance(pixels.value, bytes)
    return pixels if plain else None


def _written(dataset: Dataset) -> bytes:
    content = BytesIO()
    pydicom.dcmwrite(content, dataset, enforce_file_format=True)
    return content.getvalue()
