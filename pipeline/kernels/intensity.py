"""What the values of a volume are: range, histogram, voxels within limits. It is never copied.

Volumes are (slice, row, column), integers or floats in the machine's byte order; their values are
compared as float64, which holds every value of the types of up to 32 bits. NaN is in no range.
"""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel
from pipeline.kernels.slabs import in_slabs

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
CountArray = npt.NDArray[np.int64]


def positive_range(voxels: npt.NDArray[Any]) -> tuple[float, float] | None:
    """The lowest and the highest value above 0; none where there is no such value."""
    found = in_slabs(partial(_range, voxels), len(voxels))
    ranges = [(low, high) for low, high in found if high > 0]
    return (min(ranges)[0], max(high for _low, high in ranges)) if ranges else None


def count_positive(voxels: npt.NDArray[Any], edges: FloatArray) -> CountArray:
    """How many values above 0 fall into each of some bins.

    Parameters
    ----------
    voxels
        No value above 0 lies beyond the edges.
    edges
        (bin + 1,): evenly spaced and growing. A bin holds its lower edge, the last one both.

    Returns
    -------
    (bin,), the counts that `numpy.histogram` gives for these values in float64.
    """
    counts: CountArray = np.sum(in_slabs(partial(_count, voxels, edges), len(voxels)), axis=0)
    return counts


def within(voxels: npt.NDArray[Any], low: float, high: float) -> BoolArray:
    """The voxels with a value from ``low`` to ``high``, both included; of the volume's shape."""
    limits, mask = np.array([low, high], dtype=np.float64), np.empty(voxels.shape, dtype=bool)
    in_slabs(partial(_compare, voxels, limits, mask), len(voxels))
    return mask


@kernel
def _range(voxels: npt.NDArray[Any], first: int, last: int) -> tuple[float, float]:
    """The range of the positive values in some slices, (0, 0) where there are none.

    Two plain loops, in the type of the voxels: for integers both become vector instructions.
    """
    rows, columns = voxels.shape[1:]
    highest = np.zeros(1, dtype=voxels.dtype)[0]
    for index in range(first, last):
        for row in range(rows):
            for column in range(columns):
                highest = max(highest, voxels[index, row, column])
    lowest = highest
    for index in range(first, last):
        for row in range(rows):
            for column in range(columns):
                value = voxels[index, row, column]
                lowest = min(lowest, value if value > 0 else highest)
    return np.float64(lowest), np.float64(highest)


@kernel
def _count(voxels: npt.NDArray[Any], edges: FloatArray, first: int, last: int) -> CountArray:
    """The counts of some slices.

    The place between the ends gives a value's bin but for rounding, by which it may be one off;
    the edges decide.
    """
    rows, columns = voxels.shape[1:]
    bins = edges.size - 1
    begin, bins_per_unit = edges[0], bins / (edges[bins] - edges[0])
    counts = np.zeros(bins, dtype=np.int64)
    for index in range(first, last):
        for row in range(rows):
            for column in range(columns):
                value = np.float64(voxels[index, row, column])
                if value > 0.0:
                    place = min(int((value - begin) * bins_per_unit), bins - 1)
                    if value < edges[place]:
                        place -= 1
                    elif place + 1 < bins and value >= edges[place + 1]:
                        place += 1
                    counts[place] += 1
    return counts


@kernel
def _compare(
    voxels: npt.NDArray[Any], limits: FloatArray, mask: BoolArray, first: int, last: int
) -> None:
    rows, columns = voxels.shape[1:]
    low, high = limits[0], limits[1]
    for index in range(first, last):
        for row in range(rows):
            for column in range(columns):
                value = np.float64(voxels[index, row, column])
                mask[index, row, column] = (value >= low) & (value <= high)
