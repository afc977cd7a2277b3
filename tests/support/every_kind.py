"""Results of every kind on small series of every kind, from files to files.

``python -m tests.support.every_kind KIND=FOLDER ...`` makes them of the source files in each folder
and says the digest of each: what another process, with another time zone and locale, makes.
"""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset

from pipeline.algorithms.mip import SlidingMipParameters
from pipeline.algorithms.registry import Algorithm
from pipeline.algorithms.rotating_mip import RotatingMipParameters
from pipeline.encode import part10_bytes
from pipeline.plan import Pipeline, Step
from pipeline.products import Dialect, Form, Product
from pipeline.results import ResultSeries
from pipeline.run import notes_on, run_pipeline
from tests.support.image_kinds import as_mr, as_pet
from tests.support.own_algorithm import SHAPES, ShapesParameters, installed_with
from tests.unit.pipeline.encode.conftest import (
    AXIAL,
    COLUMNS,
    ROWS,
    SLICES,
    ct_slice,
    write_slice,
)

Edit = Callable[[Dataset, int], None]
TIME = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
REASON = "Slices are missing. Send the series again."
OBLIQUE = (0.96, 0.28, 0.0, -0.2688, 0.9216, 0.28)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
VIEWS = 5
CUBE = (slice(3, 5), slice(8, 11), slice(13, 16))
"""Voxels (slice, row, column) of the brightest part of the source."""


def as_ct(_dataset: Dataset, _index: int) -> None:
    """As it is."""


@dataclass(frozen=True)
class Kind:
    """A kind of source series: what makes it of a CT, and what its values lie above."""

    edit: Edit
    offset: float = 0.0


KINDS = {"CT": Kind(as_ct, -1024), "MR": Kind(as_mr), "PT": Kind(as_pet)}


def body() -> npt.NDArray[np.float64]:
    """(slice, row, column): two parts that no mirror turns into one another, and a bright cube."""
    values = np.fromfunction(lambda s, r, c: 100 + 3 * s + 2 * r + c, (SLICES, ROWS, COLUMNS))
    values[1:3, 2:7, 1:6] = 1000
    values[2:5, 4:12, 11:18] = 2000
    values[CUBE] = 3000
    return values


@dataclass(frozen=True)
class Source:
    """The files of a series.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    values
        (slice, row, column), above the kind's offset; slices along the normal of the images.
    """

    folder: Path
    kind: str = "CT"
    orientation: tuple[float, ...] = AXIAL
    reverse: bool = False
    edit: Edit = as_ct
    values: npt.NDArray[np.float64] = field(default_factory=body)

    def write(self) -> list[Path]:
        """In the order of ``values``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return [
            write_slice(self._slice(index), self.folder / f"{index:02}.dcm")
            for index in range(SLICES)
        ]

    def _slice(self, index: int) -> Dataset:
        dataset = ct_slice(index, self.orientation, reverse=self.reverse)
        KINDS[self.kind].edit(dataset, index)
        slope = float(dataset.get("RescaleSlope", 1))
        dataset.PixelData = np.round(self.values[index] / slope).astype("<u2").tobytes()
        self.edit(dataset, index)
        return dataset


def steps_on(kind: str, *, views: bool = True) -> tuple[Step, ...]:
    """Shapes and all projections, the sliding ones of a slice to each side.

    Those are made of axial stacks, or nearly so.
    """
    offset = KINDS[kind].offset
    shapes = Step("shapes", ShapesParameters(900 + offset, 1500 + offset))
    if not views:
        return (shapes,)
    sliding = [
        Step("sliding-mip", SlidingMipParameters(window=1, view=view))
        for view in ("axial", "coronal", "sagittal")
    ]
    return (shapes, *sliding, Step("rotating-mip", RotatingMipParameters(angles=VIEWS)))


@dataclass(frozen=True)
class Results:
    """All that was made of a series, and where its files are."""

    sources: tuple[Path, ...]
    series: tuple[ResultSeries, ...]
    paths: dict[Product, list[Path]]

    @property
    def files(self) -> list[Path]:
        """Those of all kinds."""
        return [path for paths in self.paths.values() for path in paths]

    def read(self, product: Product) -> list[Dataset]:
        """The instances of one kind."""
        return [pydicom.dcmread(path) for path in self.paths[product]]


def made_of(
    sources: Sequence[Path],
    steps: tuple[Step, ...],
    dialects: tuple[Dialect, ...] = (),
    algorithm: Algorithm = SHAPES,
) -> tuple[ResultSeries, ...]:
    """Results and notes of every kind, or of those that destinations want."""
    wanted = dialects or (Dialect(frozenset(Product)),)
    pipeline = Pipeline("test", steps)
    with installed_with(algorithm):
        outcome = run_pipeline(sources, pipeline, content_time=TIME, dialects=wanted)
        notes = notes_on(sources, pipeline, REASON, content_time=TIME, dialects=wanted)
    return (*outcome.series, *notes)


def results_of(
    source: Source, folder: Path, form: Form | None = None, *, views: bool = True
) -> Results:
    """Write a source and, into a folder, everything that is made of it."""
    steps = steps_on(source.kind, views=views)
    return results_on_files(source.write(), folder, steps, form)


def results_on_files(
    sources: Sequence[Path], folder: Path, steps: tuple[Step, ...], form: Form | None = None
) -> Results:
    """Write everything that is made of a series of files into a folder."""
    series = made_of(sources, steps, (Dialect(frozenset(Product), form or Form()),))
    folder.mkdir(parents=True)
    paths = defaultdict(list)
    for place, each in enumerate(series):
        for number, instance in enumerate(each.instances):
            path = folder / f"{each.product}-{place:02}-{number:02}.dcm"
            path.write_bytes(part10_bytes(instance))
            paths[each.product].append(path)
    return Results(tuple(sources), series, dict(paths))


def digests(series: Sequence[ResultSeries]) -> list[str]:
    """Kind and SHA-256 of the file of each instance."""
    return [
        f"{each.product} {hashlib.sha256(part10_bytes(instance)).hexdigest()}"
        for each in series
        for instance in each.instances
    ]


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        kind, _, folder = argument.partition("=")
        made = made_of(sorted(Path(folder).iterdir()), steps_on(kind))
        print(*digests(made), sep="\n")  # noqa: T201 - for the process that asked
