"""What lies in the convex hulls of regions, slice by slice, from runs."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel, threads
from pipeline.kernels.components import Components
from pipeline.kernels.hull import widen_to_hull
from pipeline.kernels.packed import nothing, set_span
from pipeline.kernels.runs import Runs

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]


def others_in_hulls(parts: Components, chosen: BoolArray) -> WordArray:
    """Find the voxels of regions not chosen in the hulls of those that are.

    Parameters
    ----------
    parts
        Of a stack, each slice labelled by itself.
    chosen
        (region + 1,): which; entry 0 stands for none and is not looked at.

    Returns
    -------
    Packed, see `pipeline.kernels.packed`. Each hull is that of one region, in its own slice.
    """
    words = nothing(parts.runs.shape)
    ends = parts.last_of_slices()
    not_chosen = np.flatnonzero(~chosen[1:]) + 1
    slices = np.unique(np.searchsorted(ends, not_chosen)).tolist()
    with ThreadPoolExecutor(threads()) as pool:
        for _ in pool.map(partial(_add_in_hulls, words, parts.runs, parts.labels, chosen), slices):
            pass
    return words


@kernel
def _add_in_hulls(
    words: WordArray, runs: Runs, labels: IntArray, chosen: BoolArray, index: int
) -> None:
    rows = runs.shape[1]
    begin, end = runs.offsets[index * rows], runs.offsets[(index + 1) * rows]
    spans = np.empty((2, rows), np.int64)
    for region in range(labels[begin:end].min(), labels[begin:end].max() + 1):
        if chosen[region]:
            _extremes(runs, labels, index, region, spans)
            widen_to_hull(spans[0], spans[1])
            for row in range(rows):
                line = index * rows + row
                for run in range(runs.offsets[line], runs.offsets[line + 1]):
                    start = max(runs.starts[run], spans[0, row])
                    stop = min(runs.stops[run], spans[1, row] + 1)
                    if start < stop and not chosen[labels[run]]:
                        set_span(words[1 + index, 1 + row], start, stop)


@kernel
def _extremes(runs: Runs, labels: IntArray, index: int, region: int, spans: LongArray) -> None:
    """Write the first and the last column of a region in each row of its slice; 0, -1 for none."""
    for row in range(spans.shape[1]):
        spans[0, row], spans[1, row] = 0, -1
        line = index * spans.shape[1] + row
        for run in range(runs.offsets[line], runs.offsets[line + 1]):
            if labels[run] == region:
                if spans[1, row] < 0:
                    spans[0, row] = runs.starts[run]
                spans[1, row] = runs.stops[run] - 1
