"""Lung labels of NIfTI volumes, on their own grids, by the grt123 team's method."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.algorithms.lung import label_lungs
from pipeline.dataset.batch import Done, Job, Outcome, perform_all, plan_volumes
from pipeline.dataset.files import FileFormat, prefix_of
from pipeline.dataset.nifti import NiftiImage, read_nifti, write_nifti
from pipeline.dataset.orientation import AxialOrder

_TIMES_IN_MEMORY = 6
_AXIAL_COSINE = 0.8


@dataclass(frozen=True, slots=True)
class LungsOptions:
    """How labels are written.

    Parameters
    ----------
    file_format
        Compressed or plain.
    """

    file_format: FileFormat = FileFormat.NII_GZ


def label_lungs_file(path: Path, out: Path, options: LungsOptions) -> Done:
    """Write the labels of one chest CT: uint8, 1 the right lung, 2 the left, on the CT's grid.

    The volume may lie in any order and direction of axes; the lungs are looked for in its slices
    from feet to head.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        It is no sound 3D NIfTI file in Hounsfield Units, or its grid is tilted or oblique; the
        message names it.
    NothingFoundError
        There is no lung, or there are no two side by side.
    OSError
        The labels cannot be written.
    """
    image = read_nifti(path)
    try:
        order, voxels_hu = _upright(image)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    found = label_lungs(voxels_hu, order.geometry(image.affine, image.stored.shape))
    target = out / f"{prefix_of(path)}_lungs.{options.file_format}"
    write_nifti(target, order.from_slices(found.labels), image, in_stored_unit=False)
    return Done((target,), tuple(f"{path}: {remark}" for remark in found.remarks))


def plan_lungs(source: Path, out: Path, options: LungsOptions) -> tuple[Job[Done], ...]:
    """The jobs of `lungs_dataset`.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder, or no NIfTI file in it.
    ValueError
        The file is no NIfTI file by its name, or ``out`` is no place for results.
    """
    work = partial(label_lungs_file, out=out, options=options)
    return plan_volumes(source, out, work, _TIMES_IN_MEMORY)


def lungs_dataset(source: Path, out: Path, options: LungsOptions) -> tuple[Outcome[Done], ...]:
    """Write ``<PREFIX>_lungs.nii.gz`` for a NIfTI file, or every one of a folder in turn.

    Raises
    ------
    FileNotFoundError, ValueError
        As `plan_lungs`; what is wrong with one file is in its outcome.
    """
    return perform_all(plan_lungs(source, out, options))


def _upright(image: NiftiImage) -> tuple[AxialOrder, npt.NDArray[np.int16]]:
    """The voxels in slices from feet to head, and the way back to its own order.

    Raises
    ------
    ValueError
        No axis of the grid runs along the patient, its axes are not at right angles, or the
        values are no Hounsfield Units.
    """
    order = AxialOrder.of(image.affine)
    geometry = order.geometry(image.affine, image.stored.shape)
    if geometry.slice_direction[2] < _AXIAL_COSINE:
        raise ValueError("its grid is too oblique: the lungs are looked for in axial slices")
    return order, np.ascontiguousarray(_hounsfield(order.to_slices(image.values())))


def _hounsfield(values: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
    """The values in int16, fractions rounded.

    Raises
    ------
    ValueError
        They are no Hounsfield Units that int16 holds.
    """
    if values.dtype == np.int16:
        return values
    lowest, highest = values.min(), values.max()
    limits = np.iinfo(np.int16)
    if not limits.min <= lowest <= highest <= limits.max:
        raise ValueError(
            f"its values reach from {lowest:g} to {highest:g}: these are no Hounsfield Units"
        )
    rounded = np.rint(values) if values.dtype.kind == "f" else values
    return rounded.astype(np.int16)
