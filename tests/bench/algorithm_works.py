"""The algorithms and what they are compared with, one at a time in a process of its own.

Run by `tests.bench.algorithms` as ``python -m tests.bench.algorithm_works FOLDER WORK BY``: it
prints the best time in seconds, the peak of its memory in MiB and a digest of the result as JSON.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.algorithms.brain import brain_mask
from pipeline.algorithms.lung import lung_masks
from pipeline.algorithms.lung_prepare import prepare
from pipeline.algorithms.mip import sliding_maximum
from pipeline.algorithms.rotating_mip import rotating_maximum
from pipeline.geometry import Spacing
from tests.bench.report import best_of, own_peak_mib
from tests.golden.digest import digest
from tests.support import references

Array = npt.NDArray[Any]
Results = tuple[Array, ...]
Work = Callable[[Array, Array], Callable[[], Results]]

OURS, REFERENCE, PLAIN = "ours", "reference", "plain"
_RUNS = {OURS: 5, REFERENCE: 1, PLAIN: 1}
_WINDOW, _CLOSING_RADIUS, _ANGLES = 10, 3, 48
_WARM_UP_SLICES = 24


def main() -> None:
    """Do one work and say what it took."""
    folder, name, by = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    begin = WORKS[name, by]
    voxels, spacing_mm = np.load(folder / "voxels.npy"), np.load(folder / "spacing.npy")
    if by == OURS:
        _compile(begin, voxels, spacing_mm)
    work = begin(voxels, spacing_mm)
    made: list[Results] = []

    def once() -> None:
        made.clear()
        made.append(work())

    seconds = best_of(_RUNS[by], once)
    peak_mib = own_peak_mib()
    results = [_narrowed(each, voxels.dtype) for each in made[0]]
    result = {
        "seconds": seconds,
        "peak_mib": peak_mib,
        "digest": [digest(each) for each in results],
    }
    print(json.dumps(result))  # noqa: T201 - read by the run that started this one


def _compile(begin: Work, voxels: Array, spacing_mm: Array) -> None:
    """A run on every so many slices, so that the first one measured finds code."""
    every = max(1, len(voxels) // _WARM_UP_SLICES)
    few = np.ascontiguousarray(voxels[::every])
    begin(few, spacing_mm * np.float32([every, 1, 1]))()


def _narrowed(result: Array, voxel_type: np.dtype[Any]) -> Array:
    """A volume that the reference made of float64, in the type of its input."""
    return result.astype(voxel_type) if result.dtype == np.float64 else result


def _our_lungs(voxels: Array, spacing_mm: Array) -> Callable[[], Results]:
    def work() -> Results:
        masks = lung_masks(voxels, spacing_mm)
        prepared = prepare(voxels, *masks, spacing_mm)
        return *masks, prepared.box, prepared.voxels

    return work


def _documents_lungs(voxels: Array, spacing_mm: Array) -> Callable[[], Results]:
    grt123 = references.Grt123(references.BESIDE_THE_CHECKOUT)

    def work() -> Results:
        masks = grt123.masks(voxels, spacing_mm)
        return *masks, *grt123.prepared(voxels, *masks, spacing_mm)

    return work


def _plain_lungs(voxels: Array, spacing_mm: Array) -> Callable[[], Results]:
    """The method in scipy and scikit-image, as our tests write it out stage by stage."""
    from tests.unit.pipeline.algorithms import (  # noqa: PLC0415 - these need the test extras
        test_lung_air,
        test_lung_fill,
        test_lung_prepare,
        test_lung_regions,
        test_lung_split,
    )

    def work() -> Results:
        air = test_lung_air.air_as_in_the_reference(voxels, spacing_mm)
        lungs = test_lung_regions.lungs_as_in_the_reference(air, spacing_mm)
        filled = test_lung_fill.filled_as_in_the_reference(lungs)
        one, other = test_lung_split.split_as_in_the_reference(filled, spacing_mm)[:2]
        return one, other, *test_lung_prepare.prepared_plainly(voxels, one, other, spacing_mm)

    return work


def _our_turn(voxels: Array, spacing_mm: Array) -> Callable[[], Results]:
    spacing = Spacing(*spacing_mm.tolist())

    def work() -> Results:
        views = rotating_maximum(voxels, spacing, angles=_ANGLES).views
        margin = (views.shape[2] - voxels.shape[2]) // 2
        return (views[:, :, margin : margin + voxels.shape[2]],)

    return work


def _copy(voxels: Array, _spacing_mm: Array) -> Callable[[], Results]:
    """Read a volume and write one, whose memory is there already."""
    target = np.ones_like(voxels)

    def work() -> Results:
        np.copyto(target, voxels)
        return (target,)

    return work


def _our_slabs(axis: int) -> Work:
    return lambda voxels, _mm: lambda: (sliding_maximum(voxels, _WINDOW, axis),)


def _nidatasets_slabs(view: str) -> Work:
    def begin(voxels: Array, _spacing_mm: Array) -> Callable[[], Results]:
        nidataset = references.Nidataset(voxels)
        return lambda: (nidataset.mip(_WINDOW, view),)

    return begin


def _nidatasets_brain(voxels: Array, _spacing_mm: Array) -> Callable[[], Results]:
    nidataset = references.Nidataset(voxels)
    return lambda: (nidataset.brain_mask(None, _CLOSING_RADIUS),)


WORKS: dict[tuple[str, str], Work] = {
    ("lungs", OURS): _our_lungs,
    ("lungs", REFERENCE): _documents_lungs,
    ("lungs", PLAIN): _plain_lungs,
    ("axial", OURS): _our_slabs(0),
    ("coronal", OURS): _our_slabs(1),
    ("sagittal", OURS): _our_slabs(2),
    ("axial", REFERENCE): _nidatasets_slabs("axial"),
    ("coronal", REFERENCE): _nidatasets_slabs("coronal"),
    ("sagittal", REFERENCE): _nidatasets_slabs("sagittal"),
    ("brain", OURS): lambda voxels, _mm: lambda: (brain_mask(voxels, None, _CLOSING_RADIUS),),
    ("brain", REFERENCE): _nidatasets_brain,
    ("rotating", OURS): _our_turn,
    ("rotating", PLAIN): lambda voxels, _mm: lambda: (references.scipy_views(voxels, _ANGLES),),
    ("copy", OURS): _copy,
}


if __name__ == "__main__":
    main()
