"""The spool: every acknowledged instance as one durable Part 10 file.

::

    spool/incoming/                     temporaries of this moment; emptied at start
    spool/instances/ab/<name>.dcm       what was acknowledged
    spool/damaged/                      files that were found unreadable at a start

A name is the SHA-256 of the data set's bytes and a short hash of how it came (transfer syntax,
called AE title): never a UID or a name that a peer chose. The same bytes sent again are the same
file; other bytes under the same SOP Instance UID are another file.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from pipeline.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_SHARDS = tuple(f"{value:02x}" for value in range(256))
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class SpoolError(Exception):
    """An instance could not be made durable; nothing of it is kept."""


class SpoolFullError(SpoolError):
    """There is no room for an instance, or the free-space reserve is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """How an instance came, and which it is."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str
    called_ae_title: str


@dataclass(frozen=True, slots=True)
class SpooledInstance:
    """An instance that is safe on disk.

    Parameters
    ----------
    name
        Its file's name without the suffix.
    size_bytes
        Of the data set.
    is_new
        False where the same bytes were there already.
    received_at
        When it became durable (UTC).
    """

    name: str
    size_bytes: int
    is_new: bool
    received_at: datetime


class Spool:
    """A folder of durable instances.

    Parameters
    ----------
    folder
        Created where missing.
    reserve_bytes
        Free space on its file system below which nothing more is taken.

    Notes
    -----
    Resource handling: `store` leaves no temporary behind, whatever happens short of the process's
    death; `discard_temporaries` removes those at the next start. Several processes may store into
    one spool at once.
    """

    def __init__(self, folder: Path, *, reserve_bytes: int = 0) -> None:
        self._incoming = folder / "incoming"
        self._instances = folder / "instances"
        self._damaged = folder / "damaged"
        self._reserve_bytes = reserve_bytes
        self._serial = count()

    def prepare(self) -> None:
        """Create the folders, durably."""
        for folder in (self._incoming, *(self._instances / shard for shard in _SHARDS)):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self._instances, self._instances.parent, self._instances.parent.parent):
            sync_folder(folder)

    def store(self, reception: Reception, data_set: bytes | memoryview) -> SpooledInstance:
        """Make an instance durable: file synced, renamed into place, folder synced.

        Parameters
        ----------
        reception
            Goes into the file meta information.
        data_set
            The encoded data set as received; stored bit for bit.

        Raises
        ------
        SpoolFullError
            No room.
        SpoolError
            The disk failed in another way.
        """
        name = _name(reception, data_set)
        target = self.path(name)
        try:
            is_new = not target.exists()
            if is_new:
                self._check_reserve(len(data_set))
                self._write(target, (part10_header(reception), data_set))
            sync_folder(target.parent)
        except OSError as error:
            kind = SpoolFullError if error.errno in _NO_SPACE else SpoolError
            raise kind(f"the spool could not take an instance: {error.strerror}") from error
        return SpooledInstance(name, len(data_set), is_new, datetime.now(UTC))

    def path(self, name: str) -> Path:
        """The Part 10 file of this name."""
        return self._instances / name[:2] / f"{name}.dcm"

    def names(self) -> Iterator[str]:
        """The names of all instances there are, shard by shard."""
        for shard in _SHARDS:
            yield from sorted(path.stem for path in (self._instances / shard).glob("*.dcm"))

    def set_damaged_aside(self, name: str) -> Path:
        """Move a file that is no instance any more out of the way, for inspection."""
        self._damaged.mkdir(exist_ok=True)
        return self.path(name).rename(self._damaged / f"{name}.dcm")

    def discard_temporaries(self, process_id: int | None = None) -> int:
        """Remove what was left unfinished (never acknowledged), by one process or by all."""
        pattern = "*.part" if process_id is None else f"{process_id}-*.part"
        leftovers = list(self._incoming.glob(pattern))
        for leftover in leftovers:
            leftover.unlink()
        return len(leftovers)

    def _check_reserve(self, size_bytes: int) -> None:
        free = shutil.disk_usage(self._incoming).free
        if free < self._reserve_bytes + size_bytes:
            raise SpoolFullError(
                f"{free // 2**20} MiB are free, and {self._reserve_bytes // 2**20} MiB are kept "
                "in reserve (node.free_space_reserve_mb)"
            )

    def _write(self, target: Path, parts: tuple[bytes | memoryview, ...]) -> None:
        temporary = self._incoming / f"{os.getpid()}-{next(self._serial)}.part"
        try:
            with temporary.open("xb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def _name(reception: Reception, data_set: bytes | memoryview) -> str:
    how = f"{reception.transfer_syntax_uid}\n{reception.called_ae_title}".encode()
    tag = hashlib.sha256(how).hexdigest()[:8]
    return f"{hashlib.sha256(data_set).hexdigest()}-{tag}"


def part10_header(reception: Reception) -> bytes:
    """Preamble, prefix and file meta information for a data set as it came (PS3.10 section 7.1).

    The preamble is zero, so that the file is nothing else than DICOM (PS3.10 section 7.5).
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(reception.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(reception.sop_instance_uid)
    meta.TransferSyntaxUID = UID(reception.transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    meta.SourceApplicationEntityTitle = reception.calling_ae_title
    meta.SendingApplicationEntityTitle = reception.calling_ae_title
    meta.ReceivingApplicationEntityTitle = reception.called_ae_title
    buffer = DicomBytesIO()
    buffer.write(bytes(128) + b"DICM")
    write_file_meta_info(buffer, meta, enforce_standard=True)
    return buffer.getvalue()


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
