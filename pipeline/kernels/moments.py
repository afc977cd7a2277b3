"""Exact moments of the components of a slice."""

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.components import Components
from pipeline.kernels.runs import IntArray, LongArray, Runs


def moments(components: Components) -> LongArray:
    """Sum powers of the pixel coordinates over each component, in whole numbers.

    Parameters
    ----------
    components
        Of a single slice of at most 30,000 rows and columns; the sums of larger ones may overflow.

    Returns
    -------
    (count + 1, 6), int64: pixels, and the sums of row, column, row squared, column squared, and row
    times column. Entry 0, which stands for none, is 0.
    """
    sums = np.zeros((components.count + 1, 6), dtype=np.int64)
    _add_moments(components.runs, components.labels, sums)
    return sums


@kernel
def _add_moments(runs: Runs, labels: IntArray, sums: LongArray) -> None:
    for row in range(runs.offsets.size - 1):
        for run in range(runs.offsets[row], runs.offsets[row + 1]):
            start, stop = np.int64(runs.starts[run]), np.int64(runs.stops[run])
            length = stop - start
            column = (start + stop - 1) * length // 2
            square = _sum_of_squares(stop) - _sum_of_squares(start)
            total = sums[labels[run]]
            total[0] += length
            total[1] += row * length
            total[2] += column
            total[3] += row * row * length
            total[4] += square
            total[5] += row * column


@kernel
def _sum_of_squares(stop: np.int64) -> np.int64:
    """Sum the squares of 0, 1, ..., ``stop - 1``."""
    return (stop - 1) * stop * (2 * stop - 1) // 6
