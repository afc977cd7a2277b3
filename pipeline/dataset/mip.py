"""Sliding projections of NIfTI volumes: nidataset's ``mip`` and ``mip_dataset``.

Source: seed 000, ``mip_dataset``; nidataset 0.9.1, ``mip``, whose values these are.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import get_args

from pipeline.algorithms.mip import Projection, sliding_projection
from pipeline.dataset.batch import Done, Job, Outcome, perform_all, plan_volumes
from pipeline.dataset.files import FileFormat, prefix_of
from pipeline.dataset.nifti import NiftiImage, Voxels, read_nifti, write_nifti
from pipeline.dataset.orientation import patient_axes

_TIMES_IN_MEMORY = 3


class View(StrEnum):
    """The plane whose slices are projected along their normal."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


class SavingMode(StrEnum):
    """Where results lie: one folder a case, or one a view."""

    CASE = "case"
    VIEW = "view"


_ARRAY_AXES = {View.SAGITTAL: 0, View.CORONAL: 1, View.AXIAL: 2}
_NAMES: dict[Projection, str] = {"maximum": "mip", "minimum": "minip", "mean": "aip"}
_OF_NEGATED: dict[Projection, Projection] = {
    "maximum": "minimum",
    "minimum": "maximum",
    "mean": "mean",
}


@dataclass(frozen=True, slots=True)
class MipOptions:
    """What to project and where results go.

    Parameters
    ----------
    views
        The planes.
    window
        Slices to each side of the middle one, 1 or more.
    saving_mode
        ``case``: ``<PREFIX>/<view>/``; ``view``: ``<view>/``.
    projection
        The brightest, the darkest or the mean value of the slab.
    by_array_axes
        Take axial for the third array axis, coronal for the second and sagittal for the first,
        wherever they run in the patient, as nidataset does.
    file_format
        Compressed or plain.
    """

    views: tuple[View, ...] = (View.AXIAL,)
    window: int = 10
    saving_mode: SavingMode = SavingMode.CASE
    projection: Projection = "maximum"
    by_array_axes: bool = False
    file_format: FileFormat = FileFormat.NII_GZ

    def __post_init__(self) -> None:
        if not isinstance(self.window, int) or isinstance(self.window, bool) or self.window < 1:
            raise ValueError(f"window is {self.window!r}; it is a whole number of slices from 1")
        for view in self.views:
            _check_choice("view", view, tuple(View))
        _check_choice("saving_mode", self.saving_mode, tuple(SavingMode))
        _check_choice("projection", self.projection, get_args(Projection))


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {str(value)!r}; it is one of {', '.join(allowed)}")


def project_file(path: Path, out: Path, options: MipOptions) -> Done:
    """Project one volume; the results have its voxel type, scaling and grid.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        It is no sound 3D NIfTI file; the message names it.
    OSError
        A result cannot be written.
    """
    image = read_nifti(path)
    axes = _axes(image, options)
    projection = _stored_projection(image, options.projection)
    written = []
    for view in options.views:
        target = _target(path, out, view, options)
        projected = _project(image, projection, options.window, axes[view])
        write_nifti(target, projected, image, in_stored_unit=True)
        written.append(target)
    return Done(tuple(written))


def plan_mip(source: Path, out: Path, options: MipOptions) -> tuple[Job[Done], ...]:
    """The jobs of `mip_dataset`.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder, or no NIfTI file in it.
    ValueError
        The file is no NIfTI file by its name, or ``out`` is no place for results.
    """
    work = partial(project_file, out=out, options=options)
    return plan_volumes(source, out, work, _TIMES_IN_MEMORY)


def mip_dataset(source: Path, out: Path, options: MipOptions) -> tuple[Outcome[Done], ...]:
    """Project every NIfTI file of a folder, one after another.

    Results are ``<PREFIX>_mip_<view>.nii.gz`` (``minip``, ``aip`` for the other projections).

    Raises
    ------
    FileNotFoundError, ValueError
        As `plan_mip`; what is wrong with one file is in its outcome.
    """
    return perform_all(plan_mip(source, out, options))


def _axes(image: NiftiImage, options: MipOptions) -> dict[View, int]:
    """The array axis (0 for x) that each view is projected along."""
    if options.by_array_axes:
        return _ARRAY_AXES
    try:
        across, back, up = patient_axes(image.affine)
    except ValueError as error:
        raise ValueError(f"{image.path}: {error}") from error
    return {View.SAGITTAL: across, View.CORONAL: back, View.AXIAL: up}


def _project(image: NiftiImage, projection: Projection, window: int, axis: int) -> Voxels:
    try:
        return sliding_projection(image.stored, projection, window, axis)
    except ValueError as error:
        raise ValueError(f"{image.path}: {error}") from error


def _stored_projection(image: NiftiImage, projection: Projection) -> Projection:
    """What to do to the stored numbers: with a negative slope the least is the largest value."""
    return _OF_NEGATED[projection] if image.slope < 0 else projection


def _target(path: Path, out: Path, view: View, options: MipOptions) -> Path:
    prefix = prefix_of(path)
    folder = out / prefix / view if options.saving_mode == SavingMode.CASE else out / view
    return folder / f"{prefix}_{_NAMES[options.projection]}_{view}.{options.file_format}"
