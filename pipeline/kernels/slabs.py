"""Work on a volume shared out between threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

from pipeline.kernels.compiled import threads

_R = TypeVar("_R")


def in_slabs(work: Callable[[int, int], _R], slices: int) -> list[_R]:
    """Do a piece of work on slabs of slices, one slab a thread.

    Parameters
    ----------
    work
        Called with the first slice of a slab and the one after its last; frees the interpreter
        lock.
    slices
        In the whole volume.

    Returns
    -------
    What ``work`` gave for each slab, in their order.
    """
    count = max(1, min(threads(), slices))
    slabs = list(pairwise(slices * index // count for index in range(count + 1)))
    if count == 1:
        return [work(*slabs[0])]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda slab: work(*slab), slabs))
