"""Run lengths of bytes as DICOM's RLE writes them: each row of a plane by itself.

Source: PS3.5 G.3.1 (the RLE encoder), G.3.2 (its rules).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel

ByteArray = npt.NDArray[np.uint8]

_LONGEST = 128
_SHORTEST_REPEATED = 3
_REPEATED = 257


def pack_rows(plane: npt.NDArray[np.uint8]) -> bytes:
    """Encode a plane (row, column) row by row."""
    rows, columns = plane.shape
    # Repeated bytes only get shorter; others get one byte more for each 128, and for each row.
    packed = np.empty(rows * (columns + columns // _LONGEST + 1), np.uint8)
    size = _pack_rows(np.ascontiguousarray(plane), packed)
    return packed[:size].tobytes()


@kernel
def _pack_rows(plane: ByteArray, packed: ByteArray) -> int:
    """Write all rows; returns how many bytes they take."""
    size = 0
    for row in plane:
        column = 0
        while column < len(row):
            length = _repeated(row, column)
            if length >= _SHORTEST_REPEATED:
                packed[size] = _REPEATED - length
                packed[size + 1] = row[column]
                size += 2
            else:
                length = _different(row, column)
                packed[size] = length - 1
                packed[size + 1 : size + 1 + length] = row[column : column + length]
                size += 1 + length
            column += length
    return size


@kernel
def _repeated(row: Any, column: int) -> int:
    """How often the byte here stands one after the other, 128 at most."""
    stop = min(len(row), column + _LONGEST)
    end = column + 1
    while end < stop and row[end] == row[column]:
        end += 1
    return end - column


@kernel
def _different(row: Any, column: int) -> int:
    """How many bytes from here on stand before three that are equal, 128 at most."""
    stop = min(len(row), column + _LONGEST)
    end = column + 1
    while end < stop and not (
        end + 2 < len(row) and row[end] == row[end + 1] and row[end] == row[end + 2]
    ):
        end += 1
    return end - column
