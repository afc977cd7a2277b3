"""What results cost: making and writing each kind, against pydicom's writing of the same bytes.

Run it as ``python -m tests.bench.outputs``. The source is the chest phantom, 300 slices of
512 x 512, with both lungs. Each kind is a process of its own. Ours begins with a finding on a
volume that was just rebuilt and ends with the files on disk, unsynced. The peer is given the
finished data sets, every element decoded, and only writes them, with dcmwrite. Both run in turn;
the best of several counts. Memory is what the same work adds to a process that holds volume and
finding, with the volume counted in.

Targets are times that are aimed at, as multiples of what the peer took on the same machine.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom
from pydicom.dataset import Dataset

from pipeline.algorithms.lung import LungParameters
from pipeline.algorithms.lung import analyse as find_lungs
from pipeline.algorithms.mip import SlidingMipParameters
from pipeline.algorithms.mip import analyse as slide
from pipeline.encode import EncodedLabelMap, ResultContext, encode_as, encode_measurements
from pipeline.encode.part10 import part10_bytes, write_part10
from pipeline.encode.picture import PictureContent, encode_picture
from pipeline.findings import LabelMap, MeasurementGroup
from pipeline.instance import instance_digest, read_instance
from pipeline.phantom import chest_phantom, write_phantom
from pipeline.products import Product
from pipeline.volume import Volume, build_volume
from tests.bench.report import Row, arguments, at_most, own_peak_mib, report
from tests.support.encoding import encode

_SLICES = 300
_ROUNDS = 5
_ALLOWED_MIB = 150
_WORK = "--work"
_MIB = 2**20

Work = Callable[[], Sequence[Dataset]]


@dataclass(frozen=True, slots=True)
class Taken:
    """What one kind of result took.

    Parameters
    ----------
    ours_s, peer_s
        Making and writing; the peer's writing.
    peak_mib, volume_mib
        The source volume and what the work added to the process; the volume alone.
    files, written_mib
        What was written.
    """

    ours_s: float
    peer_s: float
    peak_mib: float
    volume_mib: float
    files: int
    written_mib: float


class Case:
    """A volume as it was just rebuilt, and the lungs in it."""

    def __init__(self, folder: Path) -> None:
        instances = [read_instance(path) for path in sorted(folder.iterdir())]
        result = build_volume(instances)
        self.volume: Volume = result.volume
        label_map, *groups = find_lungs(self.volume, LungParameters())
        assert isinstance(label_map, LabelMap)
        self.label_map = label_map
        self.groups = [group for group in groups if isinstance(group, MeasurementGroup)]
        self.context = ResultContext(
            algorithm="bench",
            algorithm_version="1",
            settings_digest="5e" * 32,
            input_digests=tuple(sorted(map(instance_digest, instances))),
            content_time=datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC),
            series_number=9000,
            receipt=result.receipt,
        )

    def mask(self, product: Product) -> Work:
        """The lungs as one kind of mask."""
        return lambda: encode_as(product, self.label_map, self.volume, self.context)

    def slabs(self, parameters: SlidingMipParameters) -> Work:
        """A sliding projection as a series."""
        (finding,) = slide(self.volume, parameters)
        return lambda: encode(finding, self.volume, self.context)

    def measurements(self) -> Work:
        """The report on the lungs, whose Segmentation is there."""
        (segmentation,) = self.mask(Product.SEG)()
        encoded = [EncodedLabelMap(self.label_map, segmentation)]
        return lambda: encode_measurements(self.groups, encoded, self.volume, self.context)

    def picture(self) -> Work:
        """The page with the lungs, a projection and the measurements."""
        slabs = slide(self.volume, SlidingMipParameters())
        content = PictureContent(("lungs 1", "mip 1"), (self.label_map, *slabs, *self.groups))
        return lambda: encode_picture(content, self.volume, self.context)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of result.

    Parameters
    ----------
    prepare
        Gives the work on a case; not measured.
    aimed_s, peer_s
        What it may take on two processors, and what the peer took there; None where nothing is
        aimed at.
    """

    prepare: Callable[[Case], Work]
    aimed_s: float | None = None
    peer_s: float = 1.0

    @property
    def target(self) -> float | None:
        """How many times the peer's time it may take on any machine."""
        return None if self.aimed_s is None else round(self.aimed_s / self.peer_s, 1)


_KINDS = {
    "seg": Kind(lambda case: case.mask(Product.SEG), aimed_s=0.6, peer_s=0.16),
    "labelmap": Kind(lambda case: case.mask(Product.LABELMAP)),
    "rtstruct": Kind(lambda case: case.mask(Product.RTSTRUCT)),
    "series": Kind(lambda case: case.slabs(SlidingMipParameters()), aimed_s=1.5, peer_s=1.4),
    "coronal": Kind(lambda case: case.slabs(SlidingMipParameters(view="coronal"))),
    "sr": Kind(lambda case: case.measurements(), aimed_s=0.2, peer_s=0.023),
    "picture": Kind(lambda case: case.picture(), aimed_s=1.0, peer_s=0.0034),
}


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--slices", type=int, default=_SLICES)
    parser.add_argument("--size", type=int, default=512, help="rows and columns of slices")
    parser.add_argument("--only", nargs="*", choices=_KINDS, help="all if none")
    parser.add_argument(_WORK, help="only this kind, on a folder that is there; print JSON")
    parser.add_argument("--folder", type=Path, help="of that work")
    given = parser.parse_args()
    if given.work:
        print(json.dumps(asdict(_take(_KINDS[given.work], given.folder))))  # noqa: T201 - read
        return
    processors, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    rows = list(_rows(given))
    title = (
        f"Results on {given.slices} slices of {given.size} x {given.size}, {processors} "
        f"processors, load {load:.1f} at the start"
    )
    report(title, rows, given.json)


def _rows(given: argparse.Namespace) -> Iterator[Row]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_phantom(folder, chest_phantom(slices=given.slices, size=given.size))
        for kind in given.only or _KINDS:
            taken = _in_a_process(kind, folder)
            yield from _rows_of(kind, taken)


def _rows_of(kind: str, taken: Taken) -> Iterator[Row]:
    target = _KINDS[kind].target
    what = f"{kind}, {taken.files} file(s), {taken.written_mib:.1f} MiB"
    name = f"{what}: s made and written, pydicom's writing"
    if target is None:
        yield Row(name, taken.ours_s, taken.peer_s, taken.ours_s / taken.peer_s)
    else:
        yield at_most(name, taken.ours_s, taken.peer_s, target)
    allowed = taken.volume_mib + _ALLOWED_MIB
    yield at_most(f"{kind}: peak MiB, the volume and {_ALLOWED_MIB}", taken.peak_mib, allowed, 1.0)


def _in_a_process(kind: str, folder: Path) -> Taken:
    command = [sys.executable, "-m", "tests.bench.outputs", _WORK, kind, "--folder", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Taken(**json.loads(done.stdout.splitlines()[-1]))


def _take(kind: Kind, folder: Path) -> Taken:
    """Memory comes first, while the process has done nothing like it before."""
    case = Case(folder)
    volume_mib = case.volume.voxels.nbytes / _MIB
    work = kind.prepare(case)
    added_mib = _added_mib(work)
    results = work()
    times_s = [(_ours_s(kind.prepare(Case(folder))), _peer_s(results)) for _ in range(_ROUNDS)]
    ours_s, peer_s = (min(side) for side in zip(*times_s, strict=True))
    written_mib = sum(len(part10_bytes(result)) for result in results) / _MIB
    return Taken(ours_s, peer_s, volume_mib + added_mib, volume_mib, len(results), written_mib)


def _added_mib(work: Work) -> float:
    """By how much a work and its writing raise this process above what it holds already."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew from here
    before = own_peak_mib()
    _ours_s(work)
    return own_peak_mib() - before


def _ours_s(work: Work) -> float:
    gc.collect()
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        for number, result in enumerate(work()):
            with (Path(folder) / f"{number:04}.dcm").open("xb") as file:
                write_part10(result, file)
        return time.perf_counter() - start


def _peer_s(results: Sequence[Dataset]) -> float:
    """Of the writing alone: pydicom gets what a program holds that made the elements itself."""
    gc.collect()
    taken_s = 0.0
    with TemporaryDirectory() as folder:
        for number, result in enumerate(results):
            _decode(result)
            start = time.perf_counter()
            pydicom.dcmwrite(Path(folder) / f"{number:04}.dcm", result, enforce_file_format=True)
            taken_s += time.perf_counter() - start
    return taken_s


def _decode(result: Dataset) -> None:
    for _element in result.iterall():
        pass
    result.set_original_encoding(None, None)


if __name__ == "__main__":
    main()
