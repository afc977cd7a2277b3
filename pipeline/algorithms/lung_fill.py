"""Vessels and nodules back into the lungs: the background that they enclose.

The third part of the lung method; see `pipeline.algorithms.lung`.
"""

import numpy as np
import numpy.typing as npt

from pipeline.errors import NoLungFoundError
from pipeline.kernels.components import Components, Connectivity, label
from pipeline.kernels.runs import background, encode

BoolArray = npt.NDArray[np.bool_]


def fill_enclosed(mask: BoolArray) -> BoolArray:
    """Add the background that the mask encloses: what is 26-connected to no corner.

    Parameters
    ----------
    mask
        (slice, row, column). Not changed.

    Returns
    -------
    A mask on the same grid.

    Raises
    ------
    NoLungFoundError
        The mask reaches a corner of the volume. (The reference then goes on with no lung at all.)

    Source: seed 003, ``fill_hole``.
    """
    gaps = label(background(encode(mask)), Connectivity.TWENTY_SIX)
    outside = np.zeros(gaps.count + 1, dtype=bool)
    outside[_corners(gaps)] = True
    if outside[0]:
        raise NoLungFoundError(
            "No lung was found: the air space in the middle of the slices runs on into the air "
            "around the patient. The series may end within the lungs, or show an opened chest."
        )
    filled = gaps.mask(outside)
    np.logical_not(filled, out=filled)
    return filled


def _corners(parts: Components) -> list[int]:
    """The labels of the eight corners of the volume."""
    ends = (0, -1)
    return [parts.at(index, row, column) for index in ends for row in ends for column in ends]
