"""The convex hull of a plane as `skimage.morphology.convex_hull_image` of 0.26 draws it by default.

A pixel stands for the middles of its four edges, and belongs to the hull when its centre lies
within or on their convex polygon. Only the first and the last pixel of each row can be corners of
it, and in half pixels every corner is an integer, so the rule is decided exactly.

Two levels: `hulls` and `fill_hull` take and give planes; `widen_to_hull` works on the first and
last column of each row, for kernels that hold a region as rows.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel, threads

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


def hulls(mask: BoolArray) -> BoolArray:
    """The hull of each slice, several slices at a time.

    Parameters
    ----------
    mask
        (slice, row, column). Not changed.

    Returns
    -------
    (slice, row, column): what `fill_hull` makes of each slice.
    """
    filled = np.empty_like(mask, order="C")
    with ThreadPoolExecutor(threads()) as pool:
        for _ in pool.map(fill_hull, mask, filled):
            pass
    return filled


@kernel
def fill_hull(plane: BoolArray, hull: BoolArray) -> None:
    """Write the hull of a plane into another of the same shape.

    Parameters
    ----------
    plane
        (row, column). One with nothing set has an empty hull.
    hull
        (row, column). Everything it held is overwritten.
    """
    rows = plane.shape[0]
    first = np.empty(rows, np.int64)
    last = np.empty(rows, np.int64)
    row_extremes(plane, first, last)
    widen_to_hull(first, last)
    for row in range(rows):
        hull[row] = False
        hull[row, first[row] : last[row] + 1] = True


@kernel
def row_extremes(plane: BoolArray, first: IntArray, last: IntArray) -> None:
    """Find the first and the last true column of each row.

    Parameters
    ----------
    plane
        (row, column).
    first, last
        (row,), written: 0 and -1 where a row is empty.
    """
    columns = plane.shape[1]
    for row in range(plane.shape[0]):
        first[row], last[row] = 0, -1
        found = False
        for column in range(columns):  # without a way out, which lets it run many pixels at once
            found |= plane[row, column]
        if found:
            while not plane[row, first[row]]:
                first[row] += 1
            last[row] = columns - 1
            while not plane[row, last[row]]:
                last[row] -= 1


@kernel
def widen_to_hull(first: IntArray, last: IntArray) -> None:
    """Replace the first and last column of each row of a region by those of its hull.

    Parameters
    ----------
    first, last
        (row,), overwritten. A row with ``last`` below ``first`` is empty; those of the hull are
        the rows before and after the region.
    """
    corner_rows = np.empty(3 * first.size, np.int64)
    corner_columns = np.empty(3 * first.size, np.int64)
    occupied = first <= last
    corners = _left_chain(first, occupied, 1, corner_rows, corner_columns)
    if corners:
        _draw_chain(corner_rows[:corners], corner_columns[:corners], 1, first)
        corners = _left_chain(last, occupied, -1, corner_rows, corner_columns)
        _draw_chain(corner_rows[:corners], corner_columns[:corners], -1, last)


@kernel
def _left_chain(
    columns: IntArray,
    occupied: BoolArray,
    sign: int,
    corner_rows: IntArray,
    corner_columns: IntArray,
) -> int:
    """Find the corners of the polygon's left side from top to bottom, in half pixels.

    The right side is the left one of the mirror image (sign -1). Returns how many were written.
    """
    corners = 0
    for row in range(columns.size):
        if occupied[row]:
            middle = 2 * sign * columns[row]
            for step in range(-1, 2):
                corners = _add_corner(
                    corner_rows,
                    corner_columns,
                    corners,
                    2 * row + step,
                    middle - 1 if step == 0 else middle,
                )
    return corners


@kernel
def _add_corner(rows: IntArray, columns: IntArray, corners: int, row: int, column: int) -> int:
    """Put a point at the end of a chain and take out the corners that it makes superfluous."""
    if corners and rows[corners - 1] == row:
        if column >= columns[corners - 1]:
            return corners
        corners -= 1
    while corners > 1:
        top, left = rows[corners - 2], columns[corners - 2]
        turn = (columns[corners - 1] - left) * (row - top)
        if turn < (column - left) * (rows[corners - 1] - top):
            break
        corners -= 1
    rows[corners], columns[corners] = row, column
    return corners + 1


@kernel
def _draw_chain(
    corner_rows: IntArray, corner_columns: IntArray, sign: int, columns: IntArray
) -> None:
    """Write, for each row the chain passes, the first column whose centre is not left of it."""
    corner = 0
    for row in range((corner_rows[0] + 1) // 2, (corner_rows[-1] - 1) // 2 + 1):
        while corner_rows[corner + 1] < 2 * row:
            corner += 1
        height = corner_rows[corner + 1] - corner_rows[corner]
        across = corner_columns[corner + 1] - corner_columns[corner]
        position = corner_columns[corner] * height + across * (2 * row - corner_rows[corner])
        columns[row] = sign * -(-position // (2 * height))
