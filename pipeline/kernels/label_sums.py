"""Exact sums of the voxels of each label."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel, threads

SumArray = npt.NDArray[np.int64]

_LABELS = 256


def sum_labels(
    labels: npt.NDArray[np.uint8], voxels: npt.NDArray[np.integer[Any]], below: int
) -> SumArray:
    """Count and sum up the voxels of each label.

    Parameters
    ----------
    labels
        (slice, row, column).
    voxels
        The same shape; integers of up to 16 bits, so that no sum of up to 2**31 voxels overflows.
    below
        A bound on values.

    Returns
    -------
    int64 (256, 4): for each label the number of its voxels, the sum of their values, that of the
    values' squares, and the number of voxels below the bound. Label 0 is left out: zeros.
    """
    workers = threads()
    bounds = np.linspace(0, len(labels), workers + 1).astype(int)
    partial = np.zeros((workers, _LABELS, 4), np.int64)
    with ThreadPoolExecutor(workers) as pool:
        running = [
            pool.submit(_add, labels[start:stop], voxels[start:stop], below, sums)
            for start, stop, sums in zip(bounds[:-1], bounds[1:], partial, strict=True)
        ]
        for part in running:
            part.result()
    total: SumArray = partial.sum(axis=0)
    return total


@kernel
def _add(
    labels: npt.NDArray[np.uint8],
    voxels: npt.NDArray[np.integer[Any]],
    below: int,
    sums: SumArray,
) -> None:
    slices, rows, columns = labels.shape
    for i in range(slices):
        for row in range(rows):
            for column in range(columns):
                label = labels[i, row, column]
                if label == 0:
                    continue
                value = np.int64(voxels[i, row, column])
                sums[label, 0] += 1
                sums[label, 1] += value
                sums[label, 2] += value * value
                sums[label, 3] += value < below
