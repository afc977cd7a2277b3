"""Where the data elements of a little-endian data set are: a header's worth in microseconds."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel

END, PIXELS, SEQUENCE, CUT_SHORT, UNUSUAL, FULL = range(6)
"""Why a scan stopped: see `scan_elements`."""

TAG, VR, OFFSET, LENGTH = range(4)
"""Columns of the table that a scan fills."""

_PIXEL_DATA = 0x7FE00010
_FLOAT_PIXEL_DATA, _DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00008, 0x7FE00009
_UNDEFINED_LENGTH = 0xFFFFFFFF
_SHORT_HEADER, _LONG_HEADER = 8, 12


def vr_code(name: bytes) -> int:
    """The number by which a table names a value representation."""
    return name[0] << 8 | name[1]


_SHORT_NAMES = b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
_LONG_NAMES = b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split()
SHORT_VRS = np.array(sorted(vr_code(name) for name in _SHORT_NAMES))
LONG_VRS = np.array(sorted(vr_code(name) for name in _LONG_NAMES))


@kernel
def scan_elements(
    content: npt.NDArray[np.uint8],
    position: int,
    end: int,
    implicit: int,
    table: npt.NDArray[np.int64],
) -> Any:
    """List the elements of a data set up to the first one that needs more than a step over it.

    Parameters
    ----------
    content
        The first bytes of a file.
    position, end
        Where the data set begins in it, and where the file ends.
    implicit
        1 where value representations are left out, else 0.
    table
        (element, 4), filled with tag, value representation, place and length of each value.

    Returns
    -------
    How many elements were listed, where the scan stopped, and why: at the ``END`` of the file, at
    ``PIXELS``, at a ``SEQUENCE`` of undefined length, where the content is ``CUT_SHORT``, where it
    is ``UNUSUAL``, or because the table is ``FULL``. The pixels or the sequence at which it stopped
    are the next row of the table.

    Source: PS3.5 section 7.1 (data elements).
    """
    count = 0
    why = END
    while position < end:
        if count == len(table):
            why = FULL
            break
        why = _list_element(content, position, implicit, table[count])
        if why != END:
            break
        position = table[count, OFFSET] + table[count, LENGTH]
        count += 1
    return count, position, why


@kernel
def _list_element(
    content: npt.NDArray[np.uint8], position: int, implicit: int, row: npt.NDArray[np.int64]
) -> int:
    """Fill the row of the element at a position; say why to stop at it, ``END`` for not at all."""
    size = len(content)
    if position + _SHORT_HEADER > size:
        return CUT_SHORT
    row[TAG] = _two_bytes(content, position) << 16 | _two_bytes(content, position + 2)
    row[VR] = 0 if implicit else np.int64(content[position + 4]) << 8 | content[position + 5]
    row[OFFSET] = position + _SHORT_HEADER
    if implicit:
        row[LENGTH] = _four_bytes(content, position + 4)
    elif _is_among(row[VR], SHORT_VRS):
        row[LENGTH] = _two_bytes(content, position + 6)
    elif not _is_among(row[VR], LONG_VRS):
        return UNUSUAL
    else:
        row[OFFSET] = position + _LONG_HEADER
        if row[OFFSET] > size:
            return CUT_SHORT
        row[LENGTH] = _four_bytes(content, position + 8)
    return _why_stop(row, size)


@kernel
def _why_stop(row: npt.NDArray[np.int64], size: int) -> int:
    if row[TAG] in (_PIXEL_DATA, _FLOAT_PIXEL_DATA, _DOUBLE_FLOAT_PIXEL_DATA):
        return PIXELS
    if row[LENGTH] == _UNDEFINED_LENGTH:
        return SEQUENCE
    if row[OFFSET] + row[LENGTH] > size:
        return CUT_SHORT
    return END


@kernel
def _two_bytes(content: npt.NDArray[np.uint8], position: int) -> Any:
    return np.int64(content[position]) | np.int64(content[position + 1]) << 8


@kernel
def _four_bytes(content: npt.NDArray[np.uint8], position: int) -> Any:
    return _two_bytes(content, position) | _two_bytes(content, position + 2) << 16


@kernel
def _is_among(code: int, codes: npt.NDArray[np.int64]) -> bool:
    place = int(np.searchsorted(codes, code))
    return place < len(codes) and bool(codes[place] == code)
