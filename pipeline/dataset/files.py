"""Which files of a folder are volumes, what their results are called, and how those are written."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

_SUFFIXES = (".nii.gz", ".nii")
_PREAMBLE = 128
_MAGIC = b"DICM"


class FileFormat(StrEnum):
    """How results are written: compressed or plain NIfTI."""

    NII_GZ = "nii.gz"
    NII = "nii"


def is_nifti(path: Path) -> bool:
    """Whether a file's name ends as that of a NIfTI file does, ``.nii`` or ``.nii.gz``."""
    return path.name.endswith(_SUFFIXES)


def is_dicom(path: Path) -> bool:
    """Whether a path is a DICOM Part 10 file by its first bytes.

    Raises
    ------
    OSError
        It cannot be read.
    """
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(_PREAMBLE + len(_MAGIC)).endswith(_MAGIC, _PREAMBLE)


def prefix_of(path: Path) -> str:
    """A file's name without ``.nii`` or ``.nii.gz``, which begins the names of its results.

    Raises
    ------
    ValueError
        The name ends otherwise.
    """
    for suffix in _SUFFIXES:
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    raise ValueError(f"{path}: the name of a NIfTI file ends in .nii or .nii.gz")


def find_volumes(source: Path) -> tuple[Path, ...]:
    """The NIfTI files that a path stands for: itself, or those directly in the folder, by name.

    Names that begin with a dot are passed over: they are parts of other files.

    Raises
    ------
    FileNotFoundError
        Nothing is there, or the folder holds no NIfTI file.
    ValueError
        It is a file of another kind.
    """
    if source.is_dir():
        volumes = tuple(
            path
            for path in sorted(source.iterdir())
            if is_nifti(path) and not path.name.startswith(".") and path.is_file()
        )
        if not volumes:
            raise FileNotFoundError(f"{source}: no .nii or .nii.gz file is in this folder")
        return volumes
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file or folder")
    prefix_of(source)
    return (source,)


def doubled_prefixes(volumes: tuple[Path, ...]) -> frozenset[str]:
    """The prefixes that several files share (``a.nii`` and ``a.nii.gz``)."""
    counts = Counter(prefix_of(path) for path in volumes)
    return frozenset(prefix for prefix, count in counts.items() if count > 1)


def check_out(source: Path, out: Path) -> None:
    """Raise where results would lie among the volumes they are made of, and be taken for such.

    Raises
    ------
    ValueError
        Both are the same folder, or the place for results is a file.
    """
    if source.is_dir() and out.resolve() == source.resolve():
        raise ValueError(f"{out}: results need a folder other than that of the volumes")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: results need a folder, and this is a file")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; when all went well it becomes ``path``, so no half file has that name.

    The folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
