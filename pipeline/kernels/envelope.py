"""One axis of an exact squared Euclidean distance, in the arithmetic of scipy's.

Axis after axis, the distance of a voxel is the least over a line of voxels of (what the axes
before gave there) + (the way along the line) squared: the lower envelope of parabolas. In exact
numbers it would not matter how it is found. In float64, of several nearest voxels the one found
first decides the last bit, and whether two distances are equal. So candidates are dropped by the
same comparison, and stepped through in the same order, as scipy does.

Source: C. R. Maurer, R. Qi and V. Raghavan, A linear time algorithm for computing exact Euclidean
distance transforms of binary images in arbitrary dimensions, IEEE PAMI 25 (2003) 265-270; the
arithmetic that of ``scipy.ndimage.distance_transform_edt`` 1.17.
"""

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel

FloatArray = npt.NDArray[np.float64]
LongArray = npt.NDArray[np.int64]


@kernel
def add_axis(
    squares: FloatArray, step_mm: float, candidates: LongArray, nearest: FloatArray
) -> None:
    """Bring the squared distances along the axes before to those along one more.

    Parameters
    ----------
    squares
        (position,), mm2; infinite where the axes before have met nothing.
    step_mm
        From one position to the next.
    candidates
        (position,): room to work in.
    nearest
        (position,), written: mm2; infinite if all of ``squares`` is.
    """
    count = _candidates(squares, step_mm, candidates)
    if count == 0:
        nearest[:] = np.inf
        return
    chosen = 0
    for position in range(squares.size):
        least = _square(squares, candidates[chosen], position, step_mm)
        while chosen + 1 < count:
            following = _square(squares, candidates[chosen + 1], position, step_mm)
            if least <= following:
                break
            least = following
            chosen += 1
        nearest[position] = least


@kernel
def _square(squares: FloatArray, candidate: int, position: int, step_mm: float) -> float:
    way_mm = (candidate - position) * step_mm
    square: float = squares[candidate] + way_mm * way_mm
    return square


@kernel
def _candidates(squares: FloatArray, step_mm: float, candidates: LongArray) -> int:
    """Write the positions that are nearest to any point of the line; their number."""
    count = 0
    for position in range(squares.size):
        if squares[position] == np.inf:
            continue
        while count > 1 and _is_hidden(
            squares, candidates[count - 2], candidates[count - 1], position, step_mm
        ):
            count -= 1
        candidates[count] = position
        count += 1
    return count


@kernel
def _is_hidden(squares: FloatArray, before: int, position: int, after: int, step_mm: float) -> bool:
    """Whether no point of the line is nearer to a position than to the two around it."""
    left_mm, right_mm = (position - before) * step_mm, (after - position) * step_mm
    both_mm = left_mm + right_mm
    excess = both_mm * squares[position] - right_mm * squares[before] - left_mm * squares[after]
    hidden: bool = excess - left_mm * right_mm * both_mm > 0.0
    return hidden
