"""Stored values of a slice to whole-number voxels, in place."""

from typing import Any

import numpy.typing as npt

from pipeline.kernels.compiled import kernel


@kernel
def add_in_place(values: npt.NDArray[Any], addend: Any) -> tuple[Any, Any]:
    """Add a number to values of its own integer type.

    Parameters
    ----------
    values
        (pixel,). Sums wrap: whoever reads them as another type of the same size gets the right
        ones where they fit there.
    addend
        What to add.

    Returns
    -------
    The lowest and the highest value before.
    """
    lowest, highest = values[0], values[0]
    for index in range(len(values)):
        value = values[index]
        lowest = min(lowest, value)
        highest = max(highest, value)
        values[index] = value + addend
    return lowest, highest
