"""Compiling the kernels of algorithms ahead of their first volume, on small volumes made here.

Machine code is kept on disk (`pipeline.kernels.compiled`), so this takes its time once on a
machine and a fraction of a second later.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.algorithms import registry
from pipeline.algorithms.brain import brain_mask
from pipeline.algorithms.lung_air import find_air
from pipeline.algorithms.lung_fill import fill_enclosed
from pipeline.algorithms.lung_prepare import prepare
from pipeline.algorithms.lung_regions import find_lungs
from pipeline.algorithms.lung_split import split_lungs
from pipeline.algorithms.mip import sliding_maximum
from pipeline.algorithms.rotating_mip import rotating_maximum
from pipeline.encode import PictureContent, ResultContext, encode_as, encode_picture
from pipeline.findings import Code, LabelMap, Segment
from pipeline.instance import read_instance
from pipeline.kernels.stored_values import add_in_place
from pipeline.phantom import ChestPhantom, chest_phantom, write_phantom
from pipeline.products import Product
from pipeline.volume import Volume, build_volume

_SLICES, _SIZE = 24, 64
_PADDING_HU, _AIR_HU, _AIR_BELOW_HU = -2000, -1000, -600
_STORED_TYPES = (np.int16, np.uint16)
_SCANNER_TYPES = (np.uint16, np.int16, np.float32)  # as MR and PET are stored, and rescaled

_CODE = Code("39607008", "SCT", "Lung")
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)

Work = Callable[[], object]


def warm_up(algorithms: Iterable[str] | None = None, share: int = 0, shares: int = 1) -> None:
    """Compile what reading, algorithms and results need, or load it from disk.

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
    work = [_read, _masks, *chain.from_iterable(_WORK.get(name, ()) for name in names)]
    first = share % shares * len(work) // shares
    for piece in work[first:] + work[:first]:
        piece()


@cache
def _chest() -> ChestPhantom:
    return chest_phantom(_SLICES, _SIZE)


@cache
def _volume() -> Volume:
    with TemporaryDirectory() as folder:
        paths = write_phantom(Path(folder), _chest())
        return build_volume([read_instance(path) for path in paths]).volume


def _read() -> None:
    """Files of a series, with stored values of either sign."""
    _volume()
    for kind in _STORED_TYPES:
        add_in_place(np.zeros(2, kind), kind(1))


def _masks() -> None:
    """A mask of two segments in each kind of object, and on a page."""
    labels = _chest().right + 2 * _chest().left.astype(np.uint8)
    segments = tuple(Segment(number, "Lung", _CODE, _CODE, None, (0, 0, 0)) for number in (1, 2))
    finding = LabelMap("lungs", labels, segments, "Lungs")
    context = ResultContext("warm-up", "1", "", (), _ANY_TIME, 1)
    for product in (Product.SEG, Product.LABELMAP, Product.RTSTRUCT):
        encode_as(product, finding, _volume(), context)
    encode_picture(PictureContent((), (finding,)), _volume(), context)


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


def _preparation() -> None:
    """Both lungs with their surroundings."""
    chest = _chest()
    prepare(chest.voxels_hu, chest.right, chest.left, chest.spacing.as_array())


def _head_mr() -> None:
    """A range that is found, and one that is given."""
    for kind in _SCANNER_TYPES:
        voxels = (_chest().voxels_hu - _AIR_HU).clip(0).astype(kind)
        brain_mask(voxels, None, 1)
        brain_mask(voxels, (500, 1500), 1)


def _slabs() -> None:
    """Slabs of MR and PET along each axis; those of CT come with its analysis."""
    for kind in _SCANNER_TYPES:
        voxels = _chest().voxels_hu.astype(kind)
        for axis in range(voxels.ndim):
            sliding_maximum(voxels, 1, axis)


def _turns() -> None:
    """Two views, from the front and from the side."""
    for kind in _SCANNER_TYPES:
        voxels = (_chest().voxels_hu - _AIR_HU).clip(0).astype(kind)
        rotating_maximum(voxels, _chest().spacing, angles=2)


def _analyse(name: str) -> Work:
    """The whole algorithm on a CT."""

    def work() -> None:
        algorithm = registry.find(name)
        algorithm.analyse(_volume(), algorithm.parameters())

    return work


# The longest first.
_WORK: dict[str, tuple[Work, ...]] = {
    "lungs": (_air, _regions, _split, _analyse("lungs")),
    "prepare": (_preparation,),
    "sliding-mip": (_analyse("sliding-mip"), _slabs),
    "rotating-mip": (_turns,),
    "brain": (_analyse("brain"), _head_mr),
}
