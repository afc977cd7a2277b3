"""Contours of label maps on the slices they lie on, as points in the patient.

Source: PS3.3 C.8.8.6 (ROI Contour); PS3.5 6.2 (decimal strings), 7.1.2 (explicit VR).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, floor, log10
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry import PlaneGeometry, VolumeGeometry
from pipeline.kernels.outlines import FloatArray, outlines

_COORDINATES = 3
# A micrometre, or a hundredth of smaller pixels. With the seven digits that a sound position has
# before the point, seven behind it fill the 16 characters of a decimal string.
_FEWEST_DECIMALS, _MOST_DECIMALS = 3, 7
_OF_A_PIXEL = 2
# An explicit VR of numbers as text has 16 bits for the even number of its bytes.
_LONGEST_VALUE = 65534
_SIGN_POINT_AND_SEPARATOR = 3


@dataclass(frozen=True, slots=True)
class ContourForm:
    """How the contours of a volume are written.

    Parameters
    ----------
    decimals
        Of a coordinate in mm.
    most_corners
        That a contour may have so that Contour Data (3006,0050) fits an explicit VR.
    """

    decimals: int
    most_corners: int

    def text(self, points_mm: FloatArray) -> bytes:
        """Contour Data of points (point, 3), padded to an even length."""
        # no negative zeros: they would be a character more
        rounded = np.round(points_mm, self.decimals) + 0.0
        text = "\\".join(map(repr, rounded.ravel().tolist()))
        return (text + " " * (len(text) % 2)).encode("ascii")


def contour_form(geometry: VolumeGeometry, shape: Sequence[int]) -> ContourForm:
    """How contours on a grid of so many slices, rows and columns are written."""
    spacing = geometry.spacing
    finest = floor(log10(min(spacing.row_mm, spacing.column_mm)))
    decimals = min(max(_FEWEST_DECIMALS, _OF_A_PIXEL - finest), _MOST_DECIMALS)
    # a pixel around the grid, as slices may be a little off their places
    corners = geometry.to_patient(list(product(*((-1, count) for count in shape))))
    digits = len(str(ceil(np.abs(corners).max())))
    characters = digits + decimals + _SIGN_POINT_AND_SEPARATOR
    return ContourForm(decimals, _LONGEST_VALUE // (_COORDINATES * characters))


def contours_of(labels: npt.NDArray[np.uint8], number: int, most_corners: int) -> list[FloatArray]:
    """Draw contours around the pixels of a slice that have a label.

    Filling them gives the pixels back: their centres are inside by a third of a pixel and more,
    all others outside, whether crossings or turns are counted. Holes are joined with the contour
    around them.

    Parameters
    ----------
    labels
        (row, column).
    number
        The label.
    most_corners
        Where a contour needs more, the slice is cut between two rows, and each half has contours
        of its own.

    Returns
    -------
    For each contour its corners (corner, 2): row and column in pixels.
    """
    mask = labels == number
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return []
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    first = np.array([rows[0], columns[0]])
    return [first + outline for outline in _cut(box, most_corners)]


def in_patient(corners: FloatArray, plane: PlaneGeometry) -> FloatArray:
    """Points (point, 3) in LPS mm of corners (corner, 2) on a plane."""
    down = np.multiply(plane.column_direction, plane.row_mm)
    right = np.multiply(plane.row_direction, plane.column_mm)
    points: FloatArray = np.array(plane.position_mm) + corners @ np.stack([down, right])
    return points


def _cut(mask: npt.NDArray[Any], most_corners: int) -> list[FloatArray]:
    found = outlines(mask)
    if all(len(outline) <= most_corners for outline in found):
        return found
    middle = len(mask) // 2
    lower = _cut(mask[middle:], most_corners)
    return [*_cut(mask[:middle], most_corners), *(np.array([middle, 0]) + item for item in lower)]
