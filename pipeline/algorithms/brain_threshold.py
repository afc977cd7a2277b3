"""The range of values that a brain mask starts from, where none is given.

A part of the brain method; see `pipeline.algorithms.brain`.

Source: Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
Systems, Man, and Cybernetics 9 (1979); seed 002 for the range around it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_otsu

from pipeline.errors import NotApplicableError, NothingFoundError
from pipeline.kernels.intensity import count_positive, positive_range

_BINS = 256
_LOW_SHARE, _HIGH_SHARE = 0.5, 2.0


def otsu_range(voxels: npt.NDArray[Any]) -> tuple[float, float]:
    """From half to twice Otsu's threshold of the values above 0.

    Parameters
    ----------
    voxels
        (slice, row, column), integers or floats. Not changed.

    Raises
    ------
    NothingFoundError
        No value is above 0.
    NotApplicableError
        A value is infinite.

    The threshold is scikit-image's (0.26) of the values in float64, in 256 bins even where they
    are integers, as nidataset 0.9.1 asks for it.
    """
    extent = positive_range(voxels)
    if extent is None:
        raise NothingFoundError(
            "No voxel has a value above 0, so no range can be chosen for the brain."
        )
    if not np.isfinite(extent).all():
        raise NotApplicableError(
            "The volume holds infinite values, so no range can be chosen for the brain."
        )
    threshold = _otsu(voxels, *extent)
    return _LOW_SHARE * threshold, _HIGH_SHARE * threshold


def _otsu(voxels: npt.NDArray[Any], lowest: float, highest: float) -> float:
    """The centre of the bin that parts the values above 0 best, given their range."""
    edges = np.linspace(lowest, highest, _BINS + 1)
    if not (edges[:-1] < edges[1:]).all():
        return lowest  # all values are the same, or as good as
    centres = (edges[:-1] + edges[1:]) / 2
    counts = count_positive(voxels, edges)
    return float(threshold_otsu(hist=(counts, centres)))  # type: ignore[no-untyped-call]
