"""Arrays in memory that several processes map, so that planes are written where they are used."""

import mmap
import os
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


class _Memory(mmap.mmap):
    """A mapping of an anonymous file; the file lives as long as the mapping.

    Not a file below /dev/shm: containers have 64 MB there.
    """

    fd: int


@dataclass(frozen=True, slots=True)
class ArrayPlace:
    """Where an array lies in the memory behind a file descriptor.

    Parameters
    ----------
    shape, dtype, strides
        As NumPy has them; strides in bytes.
    offset
        Of its first element, in bytes.
    """

    shape: tuple[int, ...]
    dtype: str
    strides: tuple[int, ...]
    offset: int


def allocate_shared(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Zeros that other processes can map; the memory is freed with the last view of it.

    Raises
    ------
    OSError
        The system has no memory or file descriptor left.
    """
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    fd = os.memfd_create("hounsfield-volume")
    try:
        os.ftruncate(fd, max(size, 1))
        memory = _Memory(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    memory.fd = fd
    weakref.finalize(memory, os.close, fd)
    return np.ndarray(shape, kind, buffer=memory)


def place_of(array: npt.NDArray[Any]) -> tuple[int, ArrayPlace]:
    """The file descriptor behind an array or a view of it, and the array's place.

    Raises
    ------
    ValueError
        The array is not in shared memory.
    """
    memory: Any = array
    while isinstance(memory, np.ndarray):
        memory = memory.base
    if not isinstance(memory, _Memory):
        raise ValueError("the array is not from allocate_shared")  # noqa: TRY004 - not its type
    start = np.ndarray((), np.uint8, buffer=memory).ctypes.data
    place = ArrayPlace(array.shape, array.dtype.str, array.strides, array.ctypes.data - start)
    return memory.fd, place


def map_array(fd: int, place: ArrayPlace) -> npt.NDArray[Any]:
    """The array at a place, mapped into this process until its last view is gone."""
    return np.ndarray(
        place.shape,
        place.dtype,
        buffer=mmap.mmap(fd, 0),
        offset=place.offset,
        strides=place.strides,
    )
