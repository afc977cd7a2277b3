"""Where machine code is kept between processes: files with a checksum, in the first fit folder.

What is kept is looked for in every folder and written to the first that can be written to, so code
that was shipped with an installation serves where nothing can be written. Nothing that is wrong
with a file or a folder is an error: code that is not found is made anew.
"""

import fcntl
import hashlib
import os
import shutil
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path

import platformdirs

_FOLDER_VARIABLE = "NUMBA_CACHE_DIR"
_KEPT_EDITIONS = 4
_LOCKABLE_BYTES = 1 << 31
_DIGEST_BYTES = hashlib.sha256().digest_size


class CodeStore:
    """Code of one edition of the kernels, in several folders.

    Parameters
    ----------
    places
        Folders, best first; each holds one folder an edition.
    edition
        A word for all that code depends on besides its name.
    """

    def __init__(self, places: tuple[Path, ...], edition: str) -> None:
        self._folders = tuple(place / edition for place in places)

    @cached_property
    def folder(self) -> Path | None:
        """Where code is written to; None where no folder can be written to."""
        for folder in self._folders:
            with suppress(OSError):
                _make(folder)
                return folder
        return None

    def read(self, name: str) -> bytes | None:
        """The code of this name; None where there is none that is whole."""
        for folder in self._folders:
            with suppress(OSError):
                content = (folder / name).read_bytes()
                digest, code = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
                if hashlib.sha256(code).digest() == digest:
                    return code
        return None

    def write(self, name: str, code: bytes) -> None:
        """Keep code, whole or not at all."""
        if self.folder is None:
            return
        draft = self.folder / f".{name}.{os.getpid()}"
        try:
            draft.write_bytes(hashlib.sha256(code).digest() + code)
            draft.replace(self.folder / name)
        except OSError:
            with suppress(OSError):
                draft.unlink()

    def lock(self, name: str) -> None:
        """Wait until no other process makes the code of this name."""
        if self._lock_file is not None:
            with suppress(OSError):
                fcntl.lockf(self._lock_file, fcntl.LOCK_EX, 1, _place_of(name))

    def unlock(self, name: str) -> None:
        """Let other processes look for the code of this name."""
        if self._lock_file is not None:
            with suppress(OSError):
                fcntl.lockf(self._lock_file, fcntl.LOCK_UN, 1, _place_of(name))

    @cached_property
    def _lock_file(self) -> int | None:
        """One byte of it stands for one name. Closing it would unlock all, so it stays open."""
        if self.folder is not None:
            with suppress(OSError):
                return os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return None


def default_places() -> tuple[Path, ...]:
    """Where the environment says; beside this code; in the user's cache, if there is a home."""
    places = [Path(__file__).parent / "__pycache__" / "kernels"]
    if chosen := os.environ.get(_FOLDER_VARIABLE):
        places.insert(0, Path(chosen) / "hounsfield")
    with suppress(RuntimeError):
        places.append(platformdirs.user_cache_path("hounsfield") / "kernels")
    return tuple(places)


@cache
def sources_digest(folder: Path) -> str:
    """A digest of all Python files in a folder, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _make(folder: Path) -> None:
    """Make the folder of an edition, and room for it.

    Raises
    ------
    OSError
        It cannot be made or not be written to.
    """
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _discard_old(folder.parent)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(folder)


def _discard_old(place: Path) -> None:
    """Keep the latest editions only: each release leaves one behind."""
    editions = sorted(place.iterdir(), key=lambda edition: edition.stat().st_mtime)
    for edition in editions[:-_KEPT_EDITIONS]:
        shutil.rmtree(edition, ignore_errors=True)


def _place_of(name: str) -> int:
    """Which byte of the lock file stands for a name; two names with one byte only wait more."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % _LOCKABLE_BYTES
