"""How often each value occurs in a volume."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_MOST_WHOLE_VALUES = 1 << 16
_FINE_BINS = 4096


@dataclass(frozen=True, eq=False, slots=True)
class Histogram:
    """Counts of values.

    Parameters
    ----------
    edges
        (bins + 1,): bin i holds values from edge i up to, but not including, edge i + 1; the last
        one holds its end too.
    counts
        (bins,)
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    def coarser(self, bins: int) -> "Histogram":
        """The same in at most so many bins, each of as many as the others, but for the last."""
        together = -(-len(self.counts) // bins)
        starts = np.arange(0, len(self.counts), together)
        edges = self.edges[[*starts, len(self.counts)]]
        return Histogram(edges, np.add.reduceat(self.counts, starts))

    def quantile(self, share: float) -> float:
        """A value that has this share of all below it, as exact as the bins are wide."""
        below = np.cumsum(self.counts)
        index = int(np.searchsorted(below, share * below[-1]))
        return float(self.edges[min(index, len(self.counts) - 1)])


@dataclass(frozen=True, eq=False, slots=True)
class Values:
    """The values of a volume.

    Parameters
    ----------
    minimum, maximum
        Of those that are numbers.
    not_numbers
        How many voxels hold an infinite value or none.
    histogram
        A bin for each whole number, or 4,096 even ones; empty volumes have none.
    """

    minimum: float
    maximum: float
    not_numbers: int
    histogram: Histogram


def count_values(voxels: Array) -> Values | None:
    """Count the values of a volume, slice by slice.

    Parameters
    ----------
    voxels
        (slice, row, column).

    Returns
    -------
    None where no voxel holds a number.
    """
    limits = [_limits(plane) for plane in voxels]
    found = [pair for pair in limits if pair is not None]
    if not found:
        return None
    low, high = min(low for low, _ in found), max(high for _, high in found)
    whole = voxels.dtype.kind in "iu" and high - low < _MOST_WHOLE_VALUES
    histogram = _whole(voxels, int(low), int(high)) if whole else _even(voxels, low, high)
    not_numbers = voxels.size - int(histogram.counts.sum())
    return Values(low, high, not_numbers, histogram)


def _limits(plane: Array) -> tuple[float, float] | None:
    numbers = _numbers(plane)
    return (float(numbers.min()), float(numbers.max())) if numbers.size else None


def _numbers(plane: Array) -> Array:
    return plane if plane.dtype.kind in "iu" else plane[np.isfinite(plane)]


def _whole(voxels: Array, low: int, high: int) -> Histogram:
    counts = np.zeros(high - low + 1, np.int64)
    for plane in voxels:
        counts += np.bincount(plane.ravel().astype(np.int64) - low, minlength=len(counts))
    return Histogram(np.arange(low, high + 2, dtype=np.float64), counts)


def _even(voxels: Array, low: float, high: float) -> Histogram:
    edges = np.linspace(low, high if high > low else low + 1, _FINE_BINS + 1)
    counts = np.zeros(_FINE_BINS, np.int64)
    for plane in voxels:
        found, _ = np.histogram(
            _numbers(plane).astype(np.float64), _FINE_BINS, (edges[0], edges[-1])
        )
        counts += found
    return Histogram(edges, counts)
