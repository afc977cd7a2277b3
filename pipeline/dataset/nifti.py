"""NIfTI files read and written with the type, the grid and the codes they have.

Arrays are (x, y, z) as NIfTI stores them, x fastest; the affine leads to RAS mm (x grows to the
patient's right). `pipeline.dataset.orientation` goes from there to (slice, row, column) and LPS.

Source: the NIfTI-1 and NIfTI-2 data formats (nifti1.h, nifti2.h).
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
from isal import igzip_threaded, isal_zlib
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError

from pipeline.dataset.files import is_nifti, prefix_of, replacing
from pipeline.kernels.compiled import threads

Voxels = npt.NDArray[Any]
# A Nifti1Header or Nifti2Header; nibabel gives their methods no types.
Header = Any

_AXES = 3
_NUMBER_KINDS = "iuf"
_LONGEST_NUMBER = 8
_HEADERS: tuple[Any, ...] = (Nifti1Header, Nifti2Header)
_LONGEST_HEADER = Nifti2Header.sizeof_hdr
# As small as zlib's first level, several times as fast.
_LEVEL = 2
_BLOCK = 1 << 20
# Deflate cannot do better, so a header that promises more voxels is damaged.
_BEST_COMPRESSION = 1032
_CUT_SHORT = "it is cut short: fewer voxels are in it than its header says"
_DAMAGED_FILE_ERRORS = (
    BadGzipFile,
    EOFError,
    HeaderDataError,
    ValueError,
    cast("type[Exception]", isal_zlib.IsalError),
    zlib.error,
)


@dataclass(frozen=True, eq=False, slots=True)
class NiftiImage:
    """A NIfTI file of one volume.

    Parameters
    ----------
    path
        Where it was read from.
    stored
        (x, y, z), Fortran order, native byte order: the numbers in the file.
    header
        Not to be changed: copy it first.
    slope, inter
        The volume's values are ``stored * slope + inter``.
    """

    path: Path
    stored: Voxels
    header: Header
    slope: float
    inter: float

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """4 x 4, float64: (x, y, z, 1) of a voxel to RAS mm; sform before qform before sizes."""
        return np.asarray(self.header.get_best_affine(), dtype=np.float64)

    @property
    def is_scaled(self) -> bool:
        """Whether the values are other than the stored numbers."""
        return (self.slope, self.inter) != (1.0, 0.0)

    def values(self) -> Voxels:
        """(x, y, z): the stored numbers themselves, or float64 where the header rescales them."""
        if not self.is_scaled:
            return self.stored
        values = self.stored * np.float64(self.slope)
        values += self.inter
        return values


def read_nifti(path: Path) -> NiftiImage:
    """Read a volume.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        It is no sound NIfTI file of one volume of real numbers; the message names it.
    OSError
        It cannot be read.
    """
    prefix_of(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with _opened(path) as stream:
            header, begun = _read_header(stream)
            _check_kind(header)
            _check_size(header, _most_bytes(path))
            stored = _read_voxels(stream, header, begun)
            _check_rest(stream)
        slope, inter = header.get_slope_inter()
    except _DAMAGED_FILE_ERRORS as error:
        raise ValueError(f"{path}: {error}") from error
    if slope is None or inter is None:
        slope, inter = 1.0, 0.0
    return NiftiImage(path, stored, header, slope, inter)


def stored_bytes(path: Path) -> int:
    """How many bytes of voxels a file's header promises; 0 for what is no NIfTI file."""
    if not (is_nifti(path) and path.is_file()):
        return 0
    try:
        with _opened(path) as stream:
            header, _begun = _read_header(stream)
            return int(prod(header.get_data_shape())) * int(header.get_data_dtype().itemsize)
    except (OSError, *_DAMAGED_FILE_ERRORS):
        return 0


def write_nifti(path: Path, voxels: Voxels, like: NiftiImage, *, in_stored_unit: bool) -> None:
    """Write a volume on the grid of another; compressed where the name ends in ``.gz``.

    The same voxels give the same bytes: the compressed file holds no name and no time.

    Parameters
    ----------
    path
        Its folder is made; a file of this name is replaced once the new one is whole.
    voxels
        (x, y, z) in any memory order; their type is the file's, uint8 for bool.
    like
        sform, qform, their codes, voxel sizes and units are its own, to the bit.
    in_stored_unit
        Whether the voxels are numbers as ``like`` stores them, with its slope and intercept.

    Raises
    ------
    OSError
        It cannot be written.
    """
    if voxels.dtype == np.bool_:
        voxels = voxels.view(np.uint8)
    header = _header_for(voxels, like, in_stored_unit=in_stored_unit)
    with replacing(path) as part, _created(part, compressed=path.suffix == ".gz") as stream:
        header.write_to(stream)
        # Voxels begin where the header says: right after the mark 'no extensions'.
        stream.write(np.ascontiguousarray(voxels.T).data.cast("B"))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, decompressed by another thread where its name ends in ``.gz``."""
    if path.suffix == ".gz":
        with igzip_threaded.open(path, "rb") as stream:
            yield cast("BinaryIO", stream)
    else:
        with path.open("rb") as stream:
            yield stream


@contextmanager
def _created(path: Path, *, compressed: bool) -> Iterator[BinaryIO]:
    if compressed:
        with igzip_threaded.open(path, "wb", compresslevel=_LEVEL, threads=threads()) as stream:
            yield cast("BinaryIO", stream)
    else:
        with path.open("wb") as stream:
            yield stream


def _read_header(stream: BinaryIO) -> tuple[Header, bytes]:
    """The header, and the bytes that were read with it but come after."""
    begun = stream.read(_LONGEST_HEADER)
    for kind in _HEADERS:
        if kind.may_contain_header(begun):
            size = kind.sizeof_hdr
            return kind(begun[:size]), begun[size:]
    raise ValueError("no NIfTI header is in it")


def _check_kind(header: Header) -> None:
    shape, kind = header.get_data_shape(), header.get_data_dtype()
    if len(shape) != _AXES or 0 in shape:
        raise ValueError(f"a 3D volume is wanted, and its shape is {tuple(map(int, shape))}")
    if kind.kind not in _NUMBER_KINDS or kind.itemsize > _LONGEST_NUMBER:
        raise ValueError(f"its voxels are {kind}; whole or real numbers are wanted")


def _most_bytes(path: Path) -> int:
    """No more than this is in a file, however well it is compressed."""
    size = path.stat().st_size
    return size * _BEST_COMPRESSION if path.suffix == ".gz" else size


def _check_size(header: Header, most_bytes: int) -> None:
    """Raise before memory is asked for that a damaged header names."""
    offset = int(header.get_data_offset())
    if offset < header.sizeof_hdr:
        raise ValueError(f"its header says that voxels begin at byte {offset}, within the header")
    voxels_bytes = prod(header.get_data_shape()) * header.get_data_dtype().itemsize
    if offset + voxels_bytes > most_bytes:
        raise ValueError(_CUT_SHORT)


def _read_voxels(stream: BinaryIO, header: Header, begun: bytes) -> Voxels:
    shape, kind = header.get_data_shape(), header.get_data_dtype()
    gap = int(header.get_data_offset()) - header.sizeof_hdr
    flat = np.empty(prod(shape), dtype=kind)
    target = flat.view(np.uint8).data
    early = begun[gap : gap + len(target)]
    target[: len(early)] = early
    stream.read(max(0, gap - len(begun)))
    _fill(stream, target[len(early) :])
    return flat.astype(kind.newbyteorder("="), copy=False).reshape(shape, order="F")


def _fill(stream: BinaryIO, target: memoryview) -> None:
    while target:
        count = stream.readinto(target)  # type: ignore[attr-defined]
        if not count:
            raise ValueError(_CUT_SHORT)
        target = target[count:]


def _check_rest(stream: BinaryIO) -> None:
    """Read to the end, where a compressed file has the checksum of all before."""
    while stream.read(_BLOCK):
        pass


def _header_for(voxels: Voxels, like: NiftiImage, *, in_stored_unit: bool) -> Header:
    header = like.header.as_byteswapped("<")
    # What extensions say (whole DICOM headers, often) holds for the source, not for a result.
    header.extensions.clear()
    header["vox_offset"] = header.single_vox_offset
    header.set_data_dtype(voxels.dtype)
    header["scl_slope"], header["scl_inter"] = 1, 0
    if in_stored_unit:
        header["scl_slope"], header["scl_inter"] = like.slope, like.inter
    else:
        header["cal_min"], header["cal_max"] = 0, 0
    return header
