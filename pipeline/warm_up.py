"""Compiling the kernels of algorithms ahead of their first volume, on small volumes made here.

Machine code is kept on disk (`pipeline.kernels.compiled`), so this takes its time once on a
machine and a fraction of a second later.
"""

from collections.abc import Callable, Iterable
from functools import cache
from itertools import chain

import numpy as np

from pipeline.algorithms.brain import brain_mask
from pipeline.algorithms.lung import lung_masks
from pipeline.algorithms.lung_air import find_air
from pipeline.algorithms.lung_fill import fill_enclosed
from pipeline.algorithms.lung_prepare import prepare
from pipeline.algorithms.lung_regions import find_lungs
from pipeline.algorithms.lung_split import split_lungs
from pipeline.algorithms.mip import sliding_maximum
from pipeline.phantom import ChestPhantom, chest_phantom

_SLICES, _SIZE = 24, 64
_PADDING_HU, _AIR_HU = -2000, -1000
_AIR_BELOW_HU = -600
_MR_TYPES = (np.uint16, np.int16, np.float32)  # as scanners store them, and rescaled

Work = Callable[[], object]


def warm_up(algorithms: Iterable[str] | None = None, share: int = 0, shares: int = 1) -> None:
    """Compile what algorithms need, or load it from disk.

    Processes that warm up at the same time get different shares to begin with, and then wait for
    what another is compiling; each ends with all of the code.

    Parameters
    ----------
    algorithms
        Their names; those that are not known here have nothing to compile. All by default.
    share, shares
        Which of how many such processes this is, from 0.
    """
    names = _WORK if algorithms is None else algorithms
    work = list(chain.from_iterable(_WORK.get(name, ()) for name in names))
    first = share % shares * len(work) // shares
    for piece in work[first:] + work[:first]:
        piece()


@cache
def _chest() -> ChestPhantom:
    return chest_phantom(_SLICES, _SIZE)


def _air() -> None:
    """Slices with the scanner's padding and without."""
    voxels = _chest().voxels_hu.copy()
    voxels[0, :12, :12] = _PADDING_HU
    find_air(voxels, _chest().spacing.as_array())


def _regions() -> None:
    """An airway that is open to the outside in the top slices, and holes to fill."""
    air = _chest().voxels_hu[: _SLICES * 3 // 4] < _AIR_BELOW_HU
    air[-3:, : _SIZE // 2, _SIZE // 4 : _SIZE * 3 // 4] = True
    fill_enclosed(find_lungs(air, _chest().spacing.as_array()))


def _split() -> None:
    """Lungs that touch."""
    lungs = _chest().right | _chest().left
    lungs[12:14, 19:21, 26:38] = True
    split_lungs(lungs, _chest().spacing.as_array())


def _lungs() -> None:
    """All in a row."""
    lung_masks(_chest().voxels_hu, _chest().spacing.as_array())


def _preparation() -> None:
    """Both lungs with their surroundings."""
    chest = _chest()
    prepare(chest.voxels_hu, chest.right, chest.left, chest.spacing.as_array())


def _slabs() -> None:
    """Projections of a CT, whatever they show of a slab."""
    sliding_maximum(_chest().voxels_hu, 1, axis=0)


def _head_ct() -> None:
    """A range that is given."""
    brain_mask(_chest().voxels_hu, (20, 100), 1)


def _head_mr() -> None:
    """A range that is found, and one that is given."""
    for kind in _MR_TYPES:
        voxels = (_chest().voxels_hu - _AIR_HU).clip(0).astype(kind)
        brain_mask(voxels, None, 1)
        brain_mask(voxels, (500, 1500), 1)


# The longest first.
_WORK: dict[str, tuple[Work, ...]] = {
    "lungs": (_air, _regions, _split, _lungs),
    "prepare": (_preparation,),
    "sliding-mip": (_slabs,),
    "brain": (_head_ct, _head_mr),
}
