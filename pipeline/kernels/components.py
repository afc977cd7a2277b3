"""Connected components of runs, by union-find.

Components are numbered from 1 in the raster order of their first voxel, as `scipy.ndimage.label`
and `skimage.measure.label` number them, so "the first of equals" means the same. See
`pipeline.kernels.runs` for the way from a mask and back.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from pipeline.kernels.compiled import kernel
from pipeline.kernels.runs import BoolArray, IntArray, LongArray, Runs, paint

_NEVER = -1


class Connectivity(Enum):
    """Which voxels hang together, by the number of neighbours of each.

    The value says how many columns apart two runs may be and still touch: in neighbouring rows
    of a slice, in the same row of neighbouring slices, and in neighbouring rows of neighbouring
    slices. With ``IN_SLICE`` slices are labelled each by itself; their numbers run on through the
    stack.
    """

    FOUR_IN_SLICE = (0, _NEVER, _NEVER)
    EIGHT_IN_SLICE = (1, _NEVER, _NEVER)
    SIX = (0, 0, _NEVER)
    EIGHTEEN = (1, 1, 0)
    TWENTY_SIX = (1, 1, 1)


@dataclass(frozen=True, eq=False, slots=True)
class Components:
    """The component of each run.

    Parameters
    ----------
    runs
        What was labelled.
    labels
        (run,), int32, from 1.
    count
        How many components there are.
    """

    runs: Runs
    labels: IntArray
    count: int

    def voxels(self) -> LongArray:
        """(count + 1,), int64: voxels in each component; entry 0, which stands for none, is 0."""
        voxels = np.zeros(self.count + 1, dtype=np.int64)
        _add_lengths(self.runs, self.labels, voxels)
        return voxels

    def last_of_slices(self) -> IntArray:
        """(slice,), int32: the highest number used up to and including each slice."""
        highest = np.zeros(self.labels.size + 1, dtype=np.int32)
        np.maximum.accumulate(self.labels, out=highest[1:])
        return highest[self.runs.offsets[:: self.runs.shape[1]][1:]]

    def at(self, slice_index: int, row: int, column: int) -> int:
        """Give the component of a voxel, 0 for none. Negative indices count from the end."""
        slices, rows, columns = self.runs.shape
        line = slice_index % slices * rows + row % rows
        first, last = self.runs.offsets[line : line + 2]
        starts = self.runs.starts[first:last]
        run = first + np.searchsorted(starts, column % columns, side="right") - 1
        is_set = run >= first and column % columns < self.runs.stops[run]
        return int(self.labels[run]) if is_set else 0

    def mask(self, chosen: BoolArray) -> BoolArray:
        """The voxels of some components.

        Parameters
        ----------
        chosen
            (count + 1,): which; entry 0 is not looked at.
        """
        return paint(self.runs, chosen[self.labels])


def label(runs: Runs, connectivity: Connectivity) -> Components:
    """Find the connected components of a mask given as runs."""
    roots = np.arange(runs.starts.size, dtype=np.int32)
    _link(runs, roots, connectivity.value)
    return Components(runs, roots, _number(roots))


def contacts(components: Components) -> IntArray:
    """Find pairs of components of neighbouring slices that lie over each other.

    Parameters
    ----------
    components
        Of each slice by itself (``FOUR_IN_SLICE`` or ``EIGHT_IN_SLICE``).

    Returns
    -------
    (contact, 2), int32: the component in the lower slice and the one above it, ordered by the
    latter's slice. Only as many as are needed: those of the lowest slices, however many, join
    what all contacts in these slices would join.
    """
    runs, labels = components.runs, components.labels
    pairs = np.empty((max(0, components.count - 1), 2), dtype=np.int32)
    roots = np.arange(components.count + 1, dtype=np.int32)
    return pairs[: _find_contacts(runs, labels, roots, pairs)]


def join(pairs: IntArray, count: int) -> IntArray:
    """Number the sets that pairs make of components, from 1 in order of their lowest members.

    Parameters
    ----------
    pairs
        (pair, 2): components that belong together, numbered from 1.
    count
        How many components there are.

    Returns
    -------
    (count + 1,), int32: the set of each component; entry 0, which stands for none, is 0.
    """
    sets = np.zeros(count + 1, dtype=np.int32)
    roots = sets[1:]
    roots[:] = np.arange(count)
    _unite_all(roots, pairs)
    _number(roots)
    return sets


@kernel
def find_root(roots: IntArray, member: int) -> int:
    """The lowest member of a set, shortening the way there for the next time."""
    while roots[member] != member:
        roots[member] = roots[roots[member]]
        member = roots[member]
    return member


@kernel
def unite(roots: IntArray, one: int, other: int) -> bool:
    """Make one set of two, whose root is its lowest member; whether they were two."""
    one, other = find_root(roots, one), find_root(roots, other)
    if one < other:
        roots[other] = one
    else:
        roots[one] = other
    return one != other


@kernel
def _link(runs: Runs, roots: IntArray, reach: tuple[int, int, int]) -> None:
    """Unite the runs of every row with those they touch in the rows before it."""
    rows = runs.shape[1]
    beside, above, across = reach
    for row in range(runs.offsets.size - 1):
        in_slice = row % rows
        if in_slice > 0:
            _link_rows(runs, roots, row, row - 1, beside)
        if above >= 0 and row >= rows:
            _link_rows(runs, roots, row, row - rows, above)
            if across >= 0 and in_slice > 0:
                _link_rows(runs, roots, row, row - rows - 1, across)
            if across >= 0 and in_slice < rows - 1:
                _link_rows(runs, roots, row, row - rows + 1, across)


@kernel
def _link_rows(runs: Runs, roots: IntArray, row: int, earlier: int, reach: int) -> None:
    """Unite the runs of two rows that overlap, or come within ``reach`` columns."""
    starts, stops = runs.starts, runs.stops
    one, other = runs.offsets[row], runs.offsets[earlier]
    while one < runs.offsets[row + 1] and other < runs.offsets[earlier + 1]:
        if starts[one] < stops[other] + reach and starts[other] < stops[one] + reach:
            unite(roots, one, other)
        # Whichever ends first touches nothing further on: runs are at least a voxel apart.
        if stops[one] < stops[other]:
            one += 1
        else:
            other += 1


@kernel
def _number(roots: IntArray) -> int:
    """Turn the root of each run into the number of its component; the count of components."""
    count = 0
    for run in range(roots.size):
        if roots[run] == run:
            count += 1
            roots[run] = count
        else:
            roots[run] = roots[roots[run]]  # the root comes first and is numbered already
    return count


@kernel
def _add_lengths(runs: Runs, labels: IntArray, voxels: LongArray) -> None:
    for run in range(labels.size):
        voxels[labels[run]] += runs.stops[run] - runs.starts[run]


@kernel
def _unite_all(roots: IntArray, pairs: IntArray) -> None:
    """Unite the members of each pair; they are numbered from 1."""
    for pair in range(len(pairs)):
        unite(roots, pairs[pair, 0] - 1, pairs[pair, 1] - 1)


@kernel
def _find_contacts(runs: Runs, labels: IntArray, roots: IntArray, pairs: IntArray) -> int:
    """Write each contact that joins what those before it do not; how many there are."""
    rows, starts, stops = runs.shape[1], runs.starts, runs.stops
    count = 0
    for row in range(rows, runs.offsets.size - 1):
        lower, upper = runs.offsets[row - rows], runs.offsets[row]
        while lower < runs.offsets[row - rows + 1] and upper < runs.offsets[row + 1]:
            overlap = starts[lower] < stops[upper] and starts[upper] < stops[lower]
            if overlap and unite(roots, labels[lower], labels[upper]):
                pairs[count, 0], pairs[count, 1] = labels[lower], labels[upper]
                count += 1
            if stops[lower] < stops[upper]:
                lower += 1
            else:
                upper += 1
    return count
