"""Brain masks of NIfTI volumes: nidataset's ``generate_brain_mask`` and its form for folders.

Source: seed 002, ``generate_brain_mask``; nidataset 0.9.1, whose voxels these are.
"""

from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path

from pipeline.algorithms.brain import brain_mask
from pipeline.dataset.batch import Done, Job, Outcome, perform_all, plan_volumes
from pipeline.dataset.files import FileFormat, prefix_of
from pipeline.dataset.nifti import Voxels, read_nifti, write_nifti

_TIMES_IN_MEMORY = 5
_ENDS_OF_RANGE = 2
# No MR and no normalised image has such values; every CT has air around the patient.
_AIR_BELOW = -500


@dataclass(frozen=True, slots=True)
class BrainMaskOptions:
    """Which values may be brain, and how the mask is written.

    Parameters
    ----------
    threshold
        Lowest and highest value, both included; without it half to twice Otsu's threshold of the
        values above 0, which on CT is bone.
    closing_radius
        Of the ball that gaps are closed with, in voxels, 0 or more.
    file_format
        Compressed or plain.
    """

    threshold: tuple[float, float] | None = None
    closing_radius: int = 3
    file_format: FileFormat = FileFormat.NII_GZ

    def __post_init__(self) -> None:
        if self.threshold is not None and not _is_range(self.threshold):
            raise ValueError(
                f"threshold is {self.threshold!r}; it is two numbers, the lowest and the highest"
            )
        radius = self.closing_radius
        if not isinstance(radius, int) or isinstance(radius, bool) or radius < 0:
            raise ValueError(f"closing_radius is {radius!r}; it is a whole number of voxels from 0")


def mask_brain_file(path: Path, out: Path, options: BrainMaskOptions) -> Done:
    """Write the mask of one volume: uint8, 1 in the brain, on the volume's grid.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        It is no sound 3D NIfTI file; the message names it.
    NothingFoundError
        No voxel lies in the range: an empty mask is no result.
    NotApplicableError
        A value is infinite and a range is to be chosen.
    OSError
        The mask cannot be written.
    """
    image = read_nifti(path)
    values = image.values()
    # Transposed, the array is in C order, which is several times as fast; only of parts that are
    # equally large another one than nidataset's may be kept.
    mask = brain_mask(values.T, options.threshold, options.closing_radius).T
    target = out / f"{prefix_of(path)}_brain_mask.{options.file_format}"
    write_nifti(target, mask, image, in_stored_unit=False)
    return Done((target,), _remarks(path, values, options))


def plan_brain_masks(source: Path, out: Path, options: BrainMaskOptions) -> tuple[Job[Done], ...]:
    """The jobs of `brain_mask_dataset`.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder, or no NIfTI file in it.
    ValueError
        The file is no NIfTI file by its name, or ``out`` is no place for results.
    """
    work = partial(mask_brain_file, out=out, options=options)
    return plan_volumes(source, out, work, _TIMES_IN_MEMORY)


def brain_mask_dataset(
    source: Path, out: Path, options: BrainMaskOptions
) -> tuple[Outcome[Done], ...]:
    """Write ``<PREFIX>_brain_mask.nii.gz`` for a NIfTI file, or every one of a folder in turn.

    Raises
    ------
    FileNotFoundError, ValueError
        As `plan_brain_masks`; what is wrong with one file is in its outcome.
    """
    return perform_all(plan_brain_masks(source, out, options))


def _is_range(threshold: tuple[float, ...]) -> bool:
    return (
        len(threshold) == _ENDS_OF_RANGE
        and all(isfinite(end) for end in threshold)
        and threshold[0] <= threshold[1]
    )


def _remarks(path: Path, values: Voxels, options: BrainMaskOptions) -> tuple[str, ...]:
    if options.threshold is not None or not values.min() < _AIR_BELOW:
        return ()
    remark = (
        f"{path}: the values look like Hounsfield Units, and on CT the range that Otsu's method "
        "chooses is bone. Give the range: 20 to 100 for plain CT, 50 to 300 with contrast."
    )
    return (remark,)
