"""DICOM files: file meta information and the bytes of a Part 10 file."""

from io import BytesIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from pipeline.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_PREAMBLE = bytes(128)


def set_file_meta(dataset: Dataset) -> None:
    """Give a result its file meta information: Explicit VR Little Endian, written by us.

    Source: PS3.10 7.1.
    """
    file_meta = FileMetaDataset()
    file_meta.FileMetaInformationVersion = b"\x00\x01"
    file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset.file_meta = file_meta
    dataset.preamble = _PREAMBLE


def part10_bytes(dataset: Dataset) -> bytes:
    """The Part 10 file of a result of ``encode``.

    Neither clock nor chance goes into it: equal data sets give equal bytes.
    """
    content = BytesIO()
    pydicom.dcmwrite(content, dataset, enforce_file_format=True)
    return content.getvalue()
