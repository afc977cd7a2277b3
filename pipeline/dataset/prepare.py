"""The grt123 team's preparation of a folder of DICOM cases for their networks.

Source: seed 003, ``full_prep`` and ``savenpy``, whose files these are.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.algorithms.lung import lung_masks
from pipeline.algorithms.lung_prepare import NO_NODULES, prepare
from pipeline.dataset.batch import Done, Job, Outcome, perform_all
from pipeline.dataset.files import check_out, is_dicom, replacing
from pipeline.errors import NotApplicableError
from pipeline.instance import Instance, read_instance
from pipeline.volume import Phases, RebuildPolicy, Volume, build_volume

_TIMES_IN_MEMORY = 6
_AXIAL_COSINE = 0.8
# A case is one volume: which of several would be a guess.
_ONE_PHASE = RebuildPolicy(phases=Phases.REFUSE)


def prepare_case(folder: Path, name: str, out: Path, *, use_existing: bool) -> Done:
    """Write ``<name>_clean.npy`` and ``<name>_label.npy`` for the CT series of a folder.

    The first is uint8 (1, slice, row, column) at 1 mm, the second one row of four zeros, int64:
    no nodule is marked.

    Parameters
    ----------
    folder
        The files of one CT series; other series and files of other kinds are passed over.
    name
        Of the case.
    out
        Where to write.
    use_existing
        Leave a case alone whose two files are there.

    Raises
    ------
    ValueError
        The folder holds no CT series, or several.
    PipelineError
        The series makes no volume, or there are no two lungs in it.
    OSError
        A file cannot be read or written.
    """
    clean, label = out / f"{name}_clean.npy", out / f"{name}_label.npy"
    if use_existing and clean.exists() and label.exists():
        return Done((clean, label))
    volume = build_volume(_ct_instances(folder), _ONE_PHASE).volume
    _check_axial(volume)
    spacing_mm = volume.geometry.spacing.as_array()
    first, second = lung_masks(volume.voxels, spacing_mm)
    prepared = prepare(volume.voxels, first, second, spacing_mm)
    _save(clean, prepared.voxels[np.newaxis])
    _save(label, NO_NODULES)
    return Done((clean, label))


def plan_preparation(root: Path, out: Path, *, use_existing: bool) -> tuple[Job[Done], ...]:
    """The jobs of `prepare_dataset`.

    Raises
    ------
    FileNotFoundError
        There is no such folder, or no folder with files in it.
    ValueError
        ``out`` is no place for results, or two folders would give one name.
    """
    cases = dict(_cases(root, out))
    return tuple(
        Job(
            folder,
            partial(prepare_case, folder, name, out, use_existing=use_existing),
            sum(path.stat().st_size for path in folder.iterdir()) * _TIMES_IN_MEMORY,
        )
        for name, folder in cases.items()
    )


def prepare_dataset(
    root: Path, out: Path, *, use_existing: bool = False
) -> tuple[Outcome[Done], ...]:
    """Prepare every case below a folder, one after another.

    Each folder with files in it is a case. It is called as the folder; one that lies deeper is
    called as the folders on the way to it, joined by ``_``.

    Raises
    ------
    FileNotFoundError, ValueError
        As `plan_preparation`; what is wrong with one case is in its outcome.
    """
    return perform_all(plan_preparation(root, out, use_existing=use_existing))


def _cases(root: Path, out: Path) -> Iterator[tuple[str, Path]]:
    """Each folder below ``root`` that has files in it, by its name; those of ``out`` left out.

    Raises
    ------
    FileNotFoundError
        There is none.
    ValueError
        Two have one name, or ``out`` is a file or the root.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder")
    check_out(root, out)
    names: dict[str, Path] = {}
    results = out.resolve()
    for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
        is_case = any(path.is_file() for path in folder.iterdir())
        if not is_case or folder.resolve().is_relative_to(results):
            continue
        name = "_".join(folder.relative_to(root).parts)
        if name in names:
            raise ValueError(f"{folder} and {names[name]} would both be written as {name}")
        names[name] = folder
        yield name, folder
    if not names:
        raise FileNotFoundError(
            f"{root}: no folder with files is in it; each case needs a folder of its own"
        )


def _ct_instances(folder: Path) -> list[Instance]:
    """The instances of the one CT series of a folder.

    Raises
    ------
    ValueError
        There is none, or there are several.
    """
    series: dict[str, list[Instance]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.name != "DICOMDIR" and is_dicom(path):
            instance = read_instance(path)
            if instance.elements.get("Modality") == "CT":
                series[instance.series_instance_uid].append(instance)
    if len(series) != 1:
        raise ValueError(
            f"{folder}: {len(series) or 'no'} CT series in this folder; each case has one"
        )
    (instances,) = series.values()
    return instances


def _check_axial(volume: Volume) -> None:
    if abs(volume.geometry.slice_direction[2]) < _AXIAL_COSINE:
        raise NotApplicableError("the lungs are looked for in axial slices, and its are not axial")


def _save(path: Path, array: npt.NDArray[np.generic]) -> None:
    with replacing(path) as part, part.open("wb") as stream:
        np.save(stream, array)
