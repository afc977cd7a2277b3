"""An instance on its way into the spool: written as it comes, durable at the end, or gone."""

import errno
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

from scp.spool.errors import SpoolError, SpoolFullError, spool_errors
from scp.spool.free_space import Reserve
from scp.spool.part10 import Reception, part10_header
from scp.spool.sync import sync_folder

_CHECK_RESERVE_EVERY = 32 * 2**20
_MOST_PIECES = 512  # of one writev; the kernel takes 1024
_UNNAMED_UNKNOWN = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT)
_KEY_DIGITS = 40
_MOST_ALIKE = 16
_COMPARED_BYTES = 2**20
_serial = count()

Piece = bytes | bytearray | memoryview


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where instances are written, and under which rules.

    Parameters
    ----------
    incoming
        Folder of temporaries, for file systems that know no files without a name.
    instances
        Folder of the shards.
    reserve
        Free space to keep.
    is_durable
        False leaves out every sync: what a benchmark compares with.
    """

    incoming: Path
    instances: Path
    reserve: Reserve
    is_durable: bool

    def path(self, name: str) -> Path:
        """The Part 10 file of this name."""
        return self.instances / name[:2] / f"{name}.dcm"


class IncomingInstance:
    """One instance being written.

    Parameters
    ----------
    place
        Where to.
    reception
        Goes into the file meta information.

    Raises
    ------
    SpoolError
        Nothing can be written, or the free-space reserve is reached.

    Notes
    -----
    Resource handling: the file has no name until `commit` gives it one, so nothing of it outlives
    `discard` or the process. Where the file system knows no such files, a temporary is removed by
    `discard` and, after a crash, at the next start.
    """

    def __init__(self, place: Place, reception: Reception) -> None:
        self._place = place
        self._key = _key(reception)
        self._folder = str(place.path(self._key).parent)
        self._checksum = 0
        self._size = 0
        self._next_check = _CHECK_RESERVE_EVERY
        self._temporary: Path | None = None
        with spool_errors():
            place.reserve.check(place.instances)
            self._descriptor = self._open()
        header = part10_header(reception)
        self._header_bytes = len(header)
        self._waiting: list[Piece] = [header]

    @property
    def size_bytes(self) -> int:
        """Of the data set so far."""
        return self._size

    def write(self, pieces: Sequence[Piece]) -> None:
        """Append pieces of the encoded data set; they may be reused after the return.

        Raises
        ------
        SpoolError
            They could not be written; `discard` is to follow.
        """
        for piece in pieces:
            self._checksum = isal_zlib.crc32(piece, self._checksum)
            self._size += len(piece)
        with spool_errors():
            if self._size >= self._next_check:
                self._place.reserve.check(self._descriptor)
                self._next_check = self._size + _CHECK_RESERVE_EVERY
            self._flush([*self._waiting, *pieces])
        self._waiting.clear()

    @contextmanager
    def data_set(self) -> Iterator[BinaryIO]:
        """The data set as written so far, to be read while this lasts.

        Raises
        ------
        OSError
            It cannot be read.
        """
        with Path(f"/proc/self/fd/{self._descriptor}").open("rb") as file:
            file.seek(self._header_bytes)
            yield file

    def commit(self) -> SpooledInstance:
        """Make the instance durable: file synced, named, folder synced.

        Raises
        ------
        SpoolError
            It is not durable, and not to be acknowledged.
        """
        try:
            with spool_errors():
                name, is_new = self._named()
                if self._place.is_durable:
                    sync_folder(self._folder)
        finally:
            self.discard()
        return SpooledInstance(name, self._size, is_new, datetime.now(UTC))

    def discard(self) -> None:
        """Let go of the file; what has not got its name is gone. May be called twice."""
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        """A file without a name, or a temporary where the file system knows no such thing."""
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            return os.open(self._folder, flags | os.O_TMPFILE, 0o600)
        except OSError as error:
            if error.errno not in _UNNAMED_UNKNOWN:
                raise
        self._temporary = self._place.incoming / f"{os.getpid()}-{next(_serial)}.part"
        return os.open(self._temporary, flags | os.O_CREAT | os.O_EXCL, 0o600)

    def _named(self) -> tuple[str, bool]:
        """Give the file its name, or find the same bytes under it; the name, and whether it is new.

        The file is synced before, so that what has a name is always whole.
        """
        if self._waiting:
            self._flush(self._waiting)
            self._waiting.clear()
        if self._place.is_durable:
            os.fsync(self._descriptor)
        name = f"{self._key}-{self._size:x}-{self._checksum:08x}"
        for each in (name, *(f"{name}-{number}" for number in range(1, _MOST_ALIKE))):
            target = f"{self._folder}/{each}.dcm"
            with suppress(FileExistsError):
                self._link(target)
                return each, True
            if self._holds_the_same(target):
                return each, False
        raise SpoolError(f"{_MOST_ALIKE} different instances have one UID and one checksum")

    def _holds_the_same(self, target: str) -> bool:
        """Whether a file of the same length holds the same data set, byte for byte."""
        other = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
        try:
            ours = os.fstat(self._descriptor).st_size - self._size
            theirs = os.fstat(other).st_size - self._size
            return theirs > 0 and all(
                os.pread(self._descriptor, _COMPARED_BYTES, ours + begin)
                == os.pread(other, _COMPARED_BYTES, theirs + begin)
                for begin in range(0, self._size, _COMPARED_BYTES)
            )
        finally:
            os.close(other)

    def _link(self, target: str) -> None:
        if self._temporary is not None:
            os.link(self._temporary, target)
            return
        # A folder's descriptor, though the path is absolute: without it Python follows no link.
        source = f"/proc/self/fd/{self._descriptor}"
        os.link(source, target, src_dir_fd=self._descriptor, follow_symlinks=True)

    def _flush(self, pieces: Sequence[Piece]) -> None:
        for begin in range(0, len(pieces), _MOST_PIECES):
            self._write_all(pieces[begin : begin + _MOST_PIECES])

    def _write_all(self, pieces: Sequence[Piece]) -> None:
        left = sum(map(len, pieces))
        written = os.writev(self._descriptor, pieces)
        while written < left:  # a disk that fills up writes a part, and then tells
            rest = memoryview(b"".join(pieces))[written:]
            pieces, left = [rest], len(rest)
            written = os.writev(self._descriptor, pieces)
            if not written:
                raise SpoolFullError("the spool could not take an instance: nothing was written")


def _key(reception: Reception) -> str:
    """What a name begins with: a hash of which instance it is and how it came."""
    which = "\n".join(
        (reception.sop_instance_uid, reception.transfer_syntax_uid, reception.called_ae_title)
    )
    return hashlib.sha256(which.encode()).hexdigest()[:_KEY_DIGITS]
