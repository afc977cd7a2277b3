"""Predictions against the truth: a file against a file, or a folder against a folder."""

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from pipeline.dataset.batch import Job
from pipeline.dataset.files import is_nifti, prefix_of
from pipeline.dataset.grid import bring_together
from pipeline.dataset.measures import Measures, measure
from pipeline.dataset.segmentation import is_segmentation, read_segmentation

_TIMES_ON_DISK = 20


@dataclass(frozen=True, slots=True)
class LabelResult:
    """One label of a comparison.

    Parameters
    ----------
    label
        Its value in a label map, its number in a SEG.
    name
        What a SEG calls it; empty where none does.
    measures
        How well it was found.
    """

    label: int
    name: str
    measures: Measures


@dataclass(frozen=True, slots=True)
class Comparison:
    """A prediction compared with its truth.

    Parameters
    ----------
    predicted, truth
        The files.
    labels
        Every label that one of them has, in order; none where both are empty.
    """

    predicted: Path
    truth: Path
    labels: tuple[LabelResult, ...]


def evaluate(predicted: Path, truth: Path) -> Comparison:
    """Compare two segmentations of one image, label by label.

    Labels are matched by their numbers.

    Parameters
    ----------
    predicted, truth
        A NIfTI label map or a DICOM Segmentation each.

    Raises
    ------
    FileNotFoundError
        One is not there.
    ValueError
        One is no segmentation, or their grids differ; the message names the file.
    OSError
        One cannot be read.
    """
    found, wanted = read_segmentation(predicted), read_segmentation(truth)
    grid = bring_together(found, wanted)
    names = {**wanted.names, **found.names}
    return Comparison(
        predicted,
        truth,
        tuple(
            LabelResult(
                label,
                names.get(label, ""),
                measure(grid.predicted.get(label), grid.truth.get(label), grid.affine, grid.voxels),
            )
            for label in sorted(grid.predicted.keys() | grid.truth.keys())
        ),
    )


def plan_evaluation(predicted: Path, truth: Path) -> tuple[Job[Comparison], ...]:
    """One comparison for two files; for two folders one for each name that is in either.

    Files are paired by their names without ``.nii``, ``.nii.gz`` or ``.dcm``. A name that is in
    one folder only, or doubled in one, is a comparison that fails.

    Raises
    ------
    FileNotFoundError
        One is not there, or a folder holds no segmentation.
    ValueError
        One is a file and the other a folder.
    """
    for path in (predicted, truth):
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
    if predicted.is_dir() != truth.is_dir():
        raise ValueError(
            f"{predicted} and {truth}: a file is compared with a file, or a folder with a folder"
        )
    if not predicted.is_dir():
        return (_comparison(predicted, truth),)
    found, wanted = _by_name(predicted), _by_name(truth)
    return tuple(
        _pair(name, found.get(name, []), wanted.get(name, []))
        for name in sorted(found.keys() | wanted.keys())
    )


def _by_name(folder: Path) -> dict[str, list[Path]]:
    """The segmentations directly in a folder."""
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if is_segmentation(path):
            files[prefix_of(path) if is_nifti(path) else path.name.removesuffix(".dcm")].append(
                path
            )
    if not files:
        raise FileNotFoundError(f"{folder}: no NIfTI file and no DICOM Segmentation is in it")
    return dict(files)


def _pair(name: str, found: list[Path], wanted: list[Path]) -> Job[Comparison]:
    match found, wanted:
        case [predicted], [truth]:
            return _comparison(predicted, truth)
        case [predicted], []:
            return Job(
                predicted, partial(_refuse, f"{predicted}: there is no truth of this name"), 0
            )
        case [], [truth]:
            return Job(truth, partial(_refuse, f"{truth}: there is no prediction of this name"), 0)
    several = ", ".join(map(str, found + wanted))
    return Job(Path(name), partial(_refuse, f"{several}: several files have this name"), 0)


def _comparison(predicted: Path, truth: Path) -> Job[Comparison]:
    size = predicted.stat().st_size + truth.stat().st_size
    return Job(predicted, partial(evaluate, predicted, truth), size * _TIMES_ON_DISK)


def _refused(source: Path, reason: str) -> Job[Comparison]:
    return Job(source, partial(_refuse, reason), 0)


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)
