"""Segmentations to compare: label maps in NIfTI and DICOM SEG, read into one form."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import highdicom
import numpy as np
import numpy.typing as npt
from highdicom.seg import SegmentationTypeValues
from pydicom.errors import InvalidDicomError
from scipy import ndimage

from pipeline.dataset.files import is_dicom, is_nifti
from pipeline.dataset.nifti import Voxels, read_nifti
from pipeline.dataset.orientation import TO_LPS, Affine

BoolArray = npt.NDArray[np.bool_]
Index = tuple[int, int, int]

_HIGHEST_LABEL = 65535
_READER_ERRORS = (
    AttributeError,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, eq=False, slots=True)
class Region:
    """The voxels of one label.

    Parameters
    ----------
    start
        Where ``mask`` begins on the grid: (slice, row, column).
    mask
        (slice, row, column): the smallest box that holds the label.
    """

    start: Index
    mask: BoolArray


@dataclass(frozen=True, eq=False, slots=True)
class Segmentation:
    """Labels on a grid; they may overlap.

    Parameters
    ----------
    path
        Where they were read from.
    affine
        4 x 4: (slice, row, column, 1) to LPS mm.
    shape
        (slice, row, column) of the grid.
    is_whole
        Whether the grid is the image's: a SEG may lack slices at both ends.
    regions
        By label, those that have a voxel.
    names
        What a SEG calls its segments.
    """

    path: Path
    affine: Affine
    shape: Index
    is_whole: bool
    regions: Mapping[int, Region]
    names: Mapping[int, str]


def is_segmentation(path: Path) -> bool:
    """Whether a file is NIfTI by its name, or DICOM by its first bytes."""
    return path.is_file() and not path.name.startswith(".") and (is_nifti(path) or is_dicom(path))


def read_segmentation(path: Path) -> Segmentation:
    """Read a label map or a SEG.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        It is neither, it is damaged, or its values are no labels; the message names it.
    OSError
        It cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if is_nifti(path):
        return _read_label_map(path)
    if is_dicom(path):
        return _read_seg(path)
    raise ValueError(f"{path}: neither NIfTI (.nii, .nii.gz) nor a DICOM Segmentation")


def _read_label_map(path: Path) -> Segmentation:
    image = read_nifti(path)
    try:
        labels = _whole_labels(image.values().T)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    slices, rows, columns = labels.shape
    return Segmentation(
        path=path,
        affine=(TO_LPS @ image.affine)[:, [2, 1, 0, 3]],
        shape=(slices, rows, columns),
        is_whole=True,
        regions=_regions(labels),
        names={},
    )


def _whole_labels(values: Voxels) -> npt.NDArray[np.int32]:
    """The values as labels, in C order.

    Raises
    ------
    ValueError
        A value is no whole number from 0 to 65535.
    """
    lowest, highest = values.min(), values.max()
    if not 0 <= lowest <= highest <= _HIGHEST_LABEL:
        raise ValueError(f"its values reach from {lowest:g} to {highest:g}: these are no labels")
    labels = values.astype(np.int32, order="C")
    if values.dtype.kind == "f" and not np.array_equal(labels, values):
        raise ValueError("its values have fractions: these are no labels")
    return labels


def _regions(labels: npt.NDArray[np.int32]) -> dict[int, Region]:
    return {
        label: Region(_corner(box), labels[box] == label)
        for label, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None
    }


def _read_seg(path: Path) -> Segmentation:
    try:
        seg = highdicom.seg.segread(path)
        if seg.segmentation_type is SegmentationTypeValues.FRACTIONAL:
            raise ValueError("its values are fractions, and which of them count is not said")
        return _from_seg(path, seg)
    except _READER_ERRORS as error:
        raise ValueError(f"{path}: no DICOM Segmentation that can be compared: {error}") from error


def _from_seg(path: Path, seg: highdicom.seg.Segmentation) -> Segmentation:
    """The segments one by one: they may overlap, and empty slices between them are left out."""
    numbers = [number for number in seg.segment_numbers if number != 0]
    regions = {}
    for number in numbers:
        volume = seg.get_volume(segment_numbers=[number])
        mask = volume.array[..., 0] != 0
        (box,) = ndimage.find_objects(mask.view(np.uint8)) or (None,)
        if box is not None:
            regions[number] = Region(_corner(box), mask[box].copy())
    slices, rows, columns = volume.spatial_shape
    return Segmentation(
        path=path,
        affine=volume.affine,
        shape=(slices, rows, columns),
        is_whole=False,
        regions=regions,
        names={n: str(seg.get_segment_description(n).segment_label) for n in numbers},
    )


def _corner(box: tuple[slice, ...]) -> Index:
    slices, rows, columns = box
    return slices.start, rows.start, columns.start
