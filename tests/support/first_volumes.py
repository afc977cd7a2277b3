"""The kinds of volume that a node may meet first, and which kernels are compiled by then."""

import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numba.core.dispatcher import Dispatcher

from pipeline.algorithms.brain import BRAIN, BrainParameters, brain_mask
from pipeline.algorithms.lung import LUNGS, LungParameters
from pipeline.algorithms.lung_prepare import prepare
from pipeline.algorithms.mip import SLIDING_MIP, SlidingMipParameters
from pipeline.algorithms.rotating_mip import rotating_maximum
from pipeline.instance import read_instance
from pipeline.phantom import ChestPhantom, chest_phantom, write_phantom
from pipeline.volume import Volume, build_volume
from tests.phantoms import (
    volume_from_phantom,
    with_mixed_padding,
    with_open_top,
    with_touching_lungs,
)
from tests.support.heads import HEADS, head


def compiled() -> set[str]:
    """Every kernel of ours with the types it is compiled for."""
    modules = [module for name, module in sys.modules.items() if name.startswith("pipeline.")]
    kernels = {
        member
        for module in modules
        for member in vars(module).values()
        if isinstance(member, Dispatcher)
    }
    return {f"{kernel.__name__}{types}" for kernel in kernels for types in kernel.signatures}


def analyse(names: Iterable[str]) -> None:
    """Run these algorithms."""
    for name in names:
        _ANALYSES[name]()


def _read(chest: ChestPhantom) -> Volume:
    with TemporaryDirectory() as folder:
        paths = write_phantom(Path(folder), chest)
        return build_volume([read_instance(path) for path in paths]).volume


def _lungs() -> None:
    plain = chest_phantom(slices=40, size=128)
    LUNGS.analyse(_read(plain), LungParameters())
    for change in (with_mixed_padding, with_open_top, with_touching_lungs):
        LUNGS.analyse(volume_from_phantom(change(plain)), LungParameters())


def _prepare() -> None:
    chest = chest_phantom(slices=40, size=128)
    prepare(chest.voxels_hu, chest.left, chest.right, chest.spacing.as_array())


def _slabs() -> None:
    volume = _read(chest_phantom(slices=40, size=64))
    for projection in ("maximum", "minimum", "mean"):
        for window in (1, 10, 100):
            SLIDING_MIP.analyse(volume, SlidingMipParameters(window, projection))


def _turns() -> None:
    chest = chest_phantom(slices=40, size=64)
    for kind in (np.int16, np.uint16, np.float32):
        voxels = (chest.voxels_hu + 1000).clip(0).astype(kind)
        rotating_maximum(voxels, chest.spacing, angles=7, span_deg=300)


def _brain() -> None:
    volume = _read(chest_phantom(slices=20, size=64))
    BRAIN.analyse(volume, BrainParameters(skull_stripped=True))
    for name in HEADS:
        voxels = head(name).voxels
        brain_mask(voxels, (20, 100.5), 3)
        if name.startswith("mr"):
            brain_mask(voxels, None, 3)
            brain_mask(voxels.astype(np.int16), None, 0)


_ANALYSES = {
    "lungs": _lungs,
    "prepare": _prepare,
    "sliding-mip": _slabs,
    "rotating-mip": _turns,
    "brain": _brain,
}
