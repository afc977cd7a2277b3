"""Outlines of the parts of a 2-D mask, midway between the pixels inside and those outside.

An outline runs around a part clockwise (in an image whose first row is the upper one), through the
middle of each pixel edge that has the mask on one side only: the line at one half of marching
squares. It stays a third of a pixel and more away from every pixel's centre, so that filling it
gives the mask back, and no two outlines meet. A part is what hangs together over edges: pixels that
touch at a corner are outlined apart, and what surrounds them is one.

A hole is drawn in one stroke with the outline around it. From the hole's upper left a channel
without width runs left, between two rows of pixels, to the first outline on its way, and back over
the same points. There is always one: the channel stays in the part until it meets an outline that
begins further up or further left, and the last of those is the outer one. The hole goes round the
other way, so that a reader who counts crossings and one who counts turns both leave it out.

Indices of pixels are of a mask with a frame of pixels that are not set; points are in half pixels.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]

# What a step to the right, down, left and up adds. The mask is to the right of the way.
_ROW_STEP = (0, 1, 0, -1)
_COLUMN_STEP = (1, 0, -1, 0)
_WAYS = 4
_RIGHT, _LEFT, _UP = 0, 2, 3
# An outline has an edge at least on each side, and joining a hole takes a point on another outline
# and the two ends of the channel once more.
_FEWEST_EDGES, _POINTS_OF_CHANNEL = 4, 3


class _Chains(NamedTuple):
    """The points of all outlines of a mask, each with the one after it.

    Parameters
    ----------
    points
        (point, 2): row and column in half pixels.
    following
        (point,): the index of the next.
    corner
        (point,): whether it ends a channel, and is kept where the way goes straight on.
    point_of
        (row, column, way): the point on an edge of a pixel, named by the way along it; -1 where
        none is yet.
    """

    points: IntArray
    following: IntArray
    corner: BoolArray
    point_of: IntArray


def outlines(mask: BoolArray) -> list[FloatArray]:
    """Outline the parts of a mask.

    Parameters
    ----------
    mask
        (row, column).

    Returns
    -------
    For each part, in the order of their first pixels, its corners (corner, 2): row and column in
    pixels, pixel centres being whole. The last corner joins the first.
    """
    chains = _empty_chains(np.pad(mask, 1))
    corners, ends = _trace(np.pad(mask, 1), chains)
    # half pixels to pixels, and the frame off
    return np.split(corners / 2 - 1, ends[:-1]) if ends.size else []


def _empty_chains(framed: BoolArray) -> _Chains:
    edges = int(np.count_nonzero(framed[1:] != framed[:-1]))
    edges += int(np.count_nonzero(framed[:, 1:] != framed[:, :-1]))
    most = edges + edges // _FEWEST_EDGES * _POINTS_OF_CHANNEL
    return _Chains(
        points=np.empty((most, 2), np.int32),
        following=np.empty(most, np.int32),
        corner=np.zeros(most, np.bool_),
        point_of=np.full((*framed.shape, _WAYS), -1, np.int32),
    )


@kernel
def _trace(mask: BoolArray, chains: _Chains) -> tuple[IntArray, IntArray]:
    """The corners of all outlines, one outline after the other, and where each ends.

    The upper edge of a part is met before its lower ones, and the lower edge over a hole before
    the others of the hole.
    """
    rows, columns = mask.shape
    firsts = np.empty(chains.following.size // _FEWEST_EDGES, np.int32)
    outlined, count = 0, 0
    for row in range(1, rows):
        for column in range(1, columns - 1):
            inside, above = mask[row, column], mask[row - 1, column]
            if inside and not above and chains.point_of[row, column, _RIGHT] < 0:
                firsts[outlined] = count
                outlined += 1
                count = _follow(mask, chains, count, (row, column, _RIGHT))
            elif above and not inside and chains.point_of[row - 1, column, _LEFT] < 0:
                hole = count
                count = _follow(mask, chains, count, (row - 1, column, _LEFT))
                count = _join(mask, chains, hole, count, (row, column))
    corners, ends = np.empty((count, 2), np.int32), np.empty(outlined, np.int32)
    end = 0
    for outline in range(outlined):
        end = _write(chains, firsts[outline], corners, end)
        ends[outline] = end
    return corners[:end], ends


@kernel
def _follow(mask: BoolArray, chains: _Chains, first: int, edge: tuple[int, int, int]) -> int:
    """Add the points of an outline, from one of its edges on; the number of points there are."""
    point = first
    row, column, way = edge
    while chains.point_of[row, column, way] < 0:
        chains.point_of[row, column, way] = point
        chains.following[point] = point + 1
        outward = (way + 3) % _WAYS
        point = _add(
            chains, point, 2 * row + _ROW_STEP[outward], 2 * column + _COLUMN_STEP[outward]
        )
        ahead_row, ahead_column = row + _ROW_STEP[way], column + _COLUMN_STEP[way]
        if not mask[ahead_row, ahead_column]:
            way = (way + 1) % _WAYS
            continue
        row, column = ahead_row, ahead_column
        aside_row, aside_column = row + _ROW_STEP[outward], column + _COLUMN_STEP[outward]
        if mask[aside_row, aside_column]:
            row, column, way = aside_row, aside_column, outward
    chains.following[point - 1] = first
    return point


@kernel
def _join(mask: BoolArray, chains: _Chains, hole: int, end: int, pixel: tuple[int, int]) -> int:
    """Join a hole with the outline to its left.

    Parameters
    ----------
    hole, end
        Its first point, and the one after its last.
    pixel
        The leftmost of its first row.

    Returns
    -------
    The number of points there are.
    """
    following, corner = chains.following, chains.corner
    row, column = pixel
    while mask[row - 1, column - 1] and mask[row, column - 1]:
        column -= 1
    target, back = end, end
    if mask[row, column - 1]:
        target = chains.point_of[row, column - 1, _RIGHT]
    elif mask[row - 1, column - 1]:
        target = chains.point_of[row - 1, column - 1, _LEFT]
    else:
        back = _add(chains, target, 2 * row - 1, 2 * column - 1)
        before = chains.point_of[row, column, _UP]
        following[target], following[before] = following[before], target
    again = _add(chains, back, chains.points[hole, 0], chains.points[hole, 1])
    count = _add(chains, again, chains.points[target, 0], chains.points[target, 1])
    following[back], following[again] = again, following[target]
    following[end - 1], following[target] = back, hole
    corner[hole], corner[target], corner[back], corner[again] = True, True, True, True
    return count


@kernel
def _add(chains: _Chains, point: int, row: int, column: int) -> int:
    """Add a point; the number of points there are."""
    chains.points[point, 0] = row
    chains.points[point, 1] = column
    return point + 1


@kernel
def _write(chains: _Chains, first: int, corners: IntArray, end: int) -> int:
    """Append an outline's points but those where it goes straight on; the new end."""
    points, before, point = chains.points, first, chains.following[first]
    while True:
        after = chains.following[point]
        if chains.corner[point] or not _is_straight(points, before, point, after):
            corners[end, 0], corners[end, 1] = points[point, 0], points[point, 1]
            end += 1
        if point == first:
            return end
        before, point = point, after


@kernel
def _is_straight(points: IntArray, before: int, point: int, after: int) -> bool:
    """Whether the way from a point goes on as it came, and not back."""
    row, column = points[point, 0] - points[before, 0], points[point, 1] - points[before, 1]
    next_row, next_column = points[after, 0] - points[point, 0], points[after, 1] - points[point, 1]
    aligned = row * next_column == column * next_row
    return bool(aligned and row * next_row + column * next_column > 0)
