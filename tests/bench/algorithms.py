"""The algorithms against the references: time, memory, and whether the results are identical.

Run it as ``python -m tests.bench.algorithms``. Each work is a process of its own, with its input
in memory before the clock starts; ours is the best of five runs and compiled, a reference runs
once. The references are the grt123 document's functions where these are beside the checkout and
else the same in plain scipy and scikit-image, nidataset without its reading and writing, and
scipy's rotation with a maximum.
"""

import argparse
import json
import math
import operator
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.phantom import chest_phantom
from tests.bench.algorithm_works import OURS, PLAIN, REFERENCE
from tests.bench.report import Row, arguments, at_least, at_most, report
from tests.support.heads import head
from tests.support.pet import pet_phantom
from tests.support.references import BESIDE_THE_CHECKOUT

Array = npt.NDArray[Any]

_SLICES, _FEWEST, _MOST = 300, 133, 600
_LUNGS_TARGET, _MEMORY_TARGET, _EXPONENT_TARGET = 150.0, 1 / 6, 1.1
_SLAB_TARGETS = {"axial": 15.0, "coronal": 15.0, "sagittal": 120.0}
_BRAIN_TARGET, _ROTATING_TARGET = 50.0, 18.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A work, what it is done on, and what it is compared with.

    Parameters
    ----------
    work, by
        Its name and the other side's in `tests.bench.algorithm_works`.
    peer
        The other side for people.
    title
        What the volume is.
    make
        Gives the voxels and the spacing.
    target
        How many times faster ours is to be.
    memory_target
        What part of the other's memory it may take, where that is said.
    """

    work: str
    by: str
    peer: str
    title: str
    make: Callable[[], tuple[Array, Array]]
    target: float
    memory_target: float | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process took, and a digest of each of its results."""

    seconds: float
    peak_mib: float
    digest: list[str]


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--slices", type=int, default=_SLICES, help="of the chest")
    parser.add_argument("--size", type=int, default=512, help="rows and columns of CT slices")
    parser.add_argument("--only", nargs="*", help="lungs slabs brain rotating growth; all if none")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    rows = [row for name, part in _PARTS.items() if _wanted(name, given) for row in part(given)]
    title = f"Algorithms, {len(os.sched_getaffinity(0))} processors, load {load:.1f} at the start"
    report(title, rows, given.json)


def _wanted(part: str, given: argparse.Namespace) -> bool:
    return not given.only or part in given.only


def _chest(slices: int, size: int) -> tuple[Array, Array]:
    phantom = chest_phantom(slices=slices, size=size)
    return phantom.voxels_hu, phantom.spacing.as_array()


def _lungs(given: argparse.Namespace) -> Iterator[Row]:
    by = REFERENCE if BESIDE_THE_CHECKOUT.exists() else PLAIN
    yield from _compared(
        Comparison(
            work="lungs",
            by=by,
            peer="grt123" if by == REFERENCE else "plain scipy",
            title=f"{given.size}x{given.size}x{given.slices}",
            make=lambda: _chest(given.slices, given.size),
            target=_LUNGS_TARGET,
            memory_target=_MEMORY_TARGET,
        )
    )


def _slabs(given: argparse.Namespace) -> Iterator[Row]:
    for view, target in _SLAB_TARGETS.items():
        yield from _compared(
            Comparison(
                work=view,
                by=REFERENCE,
                peer="nidataset",
                title=f"{given.size}x{given.size}x{given.slices}",
                make=lambda: _chest(given.slices, given.size),
                target=target,
            )
        )


def _brain(given: argparse.Namespace) -> Iterator[Row]:
    slices = max(20, given.slices * 160 // _SLICES)
    yield from _compared(
        Comparison(
            work="brain",
            by=REFERENCE,
            peer="nidataset",
            title=f"{given.size}x{given.size}x{slices}",
            make=lambda: (head("ct plain", slices, given.size).voxels, np.ones(3, np.float32)),
            target=_BRAIN_TARGET,
        )
    )


def _rotating(given: argparse.Namespace) -> Iterator[Row]:
    slices, size = given.slices * 400 // _SLICES, given.size * 200 // 512

    def make() -> tuple[Array, Array]:
        voxels, spacing = pet_phantom(slices, size)
        return voxels, spacing.as_array()

    title = f"{size}x{size}x{slices}"
    yield from _compared(Comparison("rotating", PLAIN, "scipy", title, make, _ROTATING_TARGET))


def _compared(comparison: Comparison) -> Iterator[Row]:
    """Ours against the other side, and against moving the volume once."""
    work = comparison.work
    with TemporaryDirectory() as name:
        folder = _saved(*comparison.make(), Path(name))
        ours, theirs, copy = (
            _take(folder, *each) for each in ((work, OURS), (work, comparison.by), ("copy", OURS))
        )
    what = f"{work} {comparison.title}"
    name = f"{what}: s, {comparison.peer}"
    yield at_least(name, ours.seconds, theirs.seconds, comparison.target)
    yield _memory(f"{what}: MiB", ours, theirs, comparison.memory_target)
    same = sum(map(operator.eq, ours.digest, theirs.digest))
    all_same = same == len(theirs.digest)
    yield Row(f"{what}: identical", same, len(theirs.digest), float(all_same), "= 1", all_same)
    yield Row(f"{what}: s, one copy", ours.seconds, copy.seconds, ours.seconds / copy.seconds)


def _memory(name: str, ours: Taken, theirs: Taken, target: float | None) -> Row:
    if target is None:
        return Row(name, ours.peak_mib, theirs.peak_mib, ours.peak_mib / theirs.peak_mib)
    return at_most(name, ours.peak_mib, theirs.peak_mib, target)


def _growth(given: argparse.Namespace) -> Iterator[Row]:
    """The exponent of the time in the number of slices of one chest."""
    few, many = (given.slices * count // _SLICES for count in (_FEWEST, _MOST))
    taken = []
    for slices in (few, many):
        with TemporaryDirectory() as name:
            folder = _saved(*_chest(slices, given.size), Path(name))
            taken.append(_take(folder, "lungs", OURS).seconds)
    exponent = math.log(taken[1] / taken[0]) / math.log(many / few)
    holds = exponent <= _EXPONENT_TARGET
    name = f"lungs: s, {many} and {few} slices: exponent"
    yield Row(name, taken[1], taken[0], exponent, f"<= {_EXPONENT_TARGET:g}", holds)


def _saved(voxels: Array, spacing_mm: Array, folder: Path) -> Path:
    np.save(folder / "voxels.npy", voxels)
    np.save(folder / "spacing.npy", spacing_mm)
    return folder


def _take(folder: Path, work: str, by: str) -> Taken:
    """Have a work done by another process."""
    command: Sequence[str] = (sys.executable, "-m", "tests.bench.algorithm_works")
    done = subprocess.run(
        [*command, str(folder), work, by], check=True, stdout=subprocess.PIPE, text=True
    )
    return Taken(**json.loads(done.stdout.splitlines()[-1]))


_PARTS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "lungs": _lungs,
    "slabs": _slabs,
    "brain": _brain,
    "rotating": _rotating,
    "growth": _growth,
}


if __name__ == "__main__":
    main()
