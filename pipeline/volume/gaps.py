"""Values for slices that were not measured."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt


def interpolate_missing(voxels: npt.NDArray[Any], slots: Sequence[int]) -> None:
    """Fill slices that were not measured from their neighbours, linearly, in place.

    Parameters
    ----------
    voxels
        (slice, row, column); what lies between measured slices is overwritten.
    slots
        The measured slices, ascending, the first and the last of the volume among them.
    """
    for low, high in pairwise(slots):
        for index in range(low + 1, high):
            share = (index - low) / (high - low)
            between = (1 - share) * voxels[low] + share * voxels[high]
            voxels[index] = np.rint(between) if voxels.dtype.kind in "iu" else between
