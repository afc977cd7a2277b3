"""The kinds of volume that a node may meet first, and which kernels are compiled by then."""

import sys
from collections.abc import Iterable

import numpy as np
from numba.core.dispatcher import Dispatcher

from pipeline.algorithms.brain import brain_mask
from pipeline.algorithms.lung import lung_masks
from pipeline.algorithms.lung_prepare import prepare
from pipeline.algorithms.mip import sliding_projection
from pipeline.phantom import chest_phantom
from tests.phantoms import with_circular_padding, with_open_top, with_touching_lungs
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


def _lungs() -> None:
    plain = chest_phantom(slices=40, size=128)
    both_ways = with_circular_padding(plain)
    both_ways.voxels_hu[::2] = plain.voxels_hu[::2]
    for chest in (plain, with_open_top(plain), with_touching_lungs(plain), both_ways):
        lung_masks(chest.voxels_hu, chest.spacing.as_array())


def _prepare() -> None:
    chest = chest_phantom(slices=40, size=128)
    spacing_mm = chest.spacing.as_array()
    prepare(chest.voxels_hu, *lung_masks(chest.voxels_hu, spacing_mm), spacing_mm)


def _slabs() -> None:
    voxels = chest_phantom(slices=40, size=64).voxels_hu
    for projection in ("maximum", "minimum", "mean"):
        for window in (1, 10, 100):
            sliding_projection(voxels, projection, window, axis=0)


def _brain() -> None:
    for name in HEADS:
        voxels = head(name).voxels
        brain_mask(voxels, (20, 100.5), 3)
        if name.startswith("mr"):
            brain_mask(voxels, None, 3)
            brain_mask(voxels.astype(np.int16), None, 0)


_ANALYSES = {"lungs": _lungs, "prepare": _prepare, "sliding-mip": _slabs, "brain": _brain}
