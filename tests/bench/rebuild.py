"""The rebuild against reading the files, SimpleITK and highdicom; decoding with two processes.

Run it as ``python -m tests.bench.rebuild``.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import highdicom
import numpy as np
import pydicom
import SimpleITK
from pydicom.uid import UID, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from pipeline.instance import read_instance
from pipeline.phantom import chest_phantom, write_phantom
from pipeline.volume import VolumeResult, build_volume
from scp.decoding import DecoderPool
from tests.bench.report import Row, arguments, at_least, at_most, best_of, own_peak_mib, report

_SLICES = 300
_COMPRESSED_SLICES = 128
_ROUNDS = 5
_MEMORY = "--memory"
_ENCODERS = {RLELossless: "pylibjpeg", JPEGLSLossless: "pyjpegls", JPEG2000Lossless: "pylibjpeg"}


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--slices", type=int, default=_SLICES)
    parser.add_argument(_MEMORY, type=Path, help="only rebuild this folder; print peak growth")
    given = parser.parse_args()
    if given.memory:
        print(_growth_mib(given.memory))  # noqa: T201 - read by the run that started this one
        return
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "plain"
        write_phantom(plain, chest_phantom(slices=given.slices))
        rows = [*_plain_rows(plain), *_compressed_rows(plain, Path(folder))]
    report(f"Rebuild of {given.slices} slices of 512 x 512", rows, given.json)


def _rebuild(paths: Sequence[Path], pool: DecoderPool | None = None) -> VolumeResult:
    return build_volume([read_instance(path) for path in paths], decoder=pool)


def _plain_rows(folder: Path) -> Iterator[Row]:
    paths = sorted(folder.iterdir())
    volume = _rebuild(paths).volume.voxels
    ours = best_of(5, lambda: _rebuild(paths))
    reading = best_of(5, _reading(paths, volume))
    yield at_most("s against reading the files and a copy", ours, reading, 2.0)
    itk = best_of(3, lambda: _by_itk(folder))
    yield at_least("s against SimpleITK ImageSeriesReader", ours, itk, 1.0)
    by_highdicom = best_of(2, lambda: _by_highdicom(paths))
    yield at_least("s against highdicom get_volume_from_series", ours, by_highdicom, 1.0)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.rebuild", _MEMORY, str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    growth, allowed = float(done.stdout), volume.nbytes / 2**20 + 64
    yield at_most("peak MiB against the volume and 64 MiB", growth, allowed, 1.0)


def _reading(paths: Sequence[Path], volume: np.ndarray) -> Callable[[], None]:
    """Read all files whole and copy as many bytes as the volume has, once."""

    def work() -> None:
        for path in paths:
            with path.open("rb") as file:
                file.read()
        np.array(volume)

    return work


def _by_itk(folder: Path) -> None:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    reader.Execute()


def _by_highdicom(paths: Sequence[Path]) -> None:
    highdicom.get_volume_from_series([pydicom.dcmread(path) for path in paths])


def _growth_mib(folder: Path) -> float:
    """By how much a rebuild raises the peak of a fresh process."""
    paths = sorted(folder.iterdir())
    _rebuild(paths[:2])
    before = own_peak_mib()
    _rebuild(paths)
    return own_peak_mib() - before


def _compressed_rows(plain: Path, folder: Path) -> Iterator[Row]:
    with DecoderPool(1) as one, DecoderPool(2) as two:
        one.start()
        two.start()
        for syntax, paths in _compressed(sorted(plain.iterdir())[:_COMPRESSED_SLICES], folder):
            expected = _rebuild(paths).volume.voxels
            for pool in (one, two):
                assert np.array_equal(_rebuild(paths, pool).volume.voxels, expected)
            one_s, two_s = _in_turn(partial(_rebuild, paths, one), partial(_rebuild, paths, two))
            name = f"s for {len(paths)} slices of {syntax}: two decoders against one"
            yield at_least(name, two_s, one_s, 1.7)


def _in_turn(one: Callable[[], object], two: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the fastest run of each, run in turn so that both meet the same machine."""
    times = [(best_of(1, one), best_of(1, two)) for _ in range(_ROUNDS)]
    return min(time for time, _ in times), min(time for _, time in times)


def _compressed(paths: Sequence[Path], folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """The same slices in each syntax that can be made here."""
    for syntax, encoder in _ENCODERS.items():
        target = folder / syntax.name
        target.mkdir()
        for path in paths:
            dataset = pydicom.dcmread(path)
            dataset.compress(syntax, encoding_plugin=encoder, generate_instance_uid=False)
            dataset.save_as(target / path.name)
        yield syntax.name, sorted(target.iterdir())
    if shutil.which("dcmcjpeg"):
        target = folder / "jpeg lossless"
        target.mkdir()
        for path in paths:
            subprocess.run(["dcmcjpeg", "+e1", path, target / path.name], check=True)
        yield UID(JPEGLosslessSV1).name, sorted(target.iterdir())


if __name__ == "__main__":
    main()
