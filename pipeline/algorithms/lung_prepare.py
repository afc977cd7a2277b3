"""A chest CT as the grt123 team's networks take it: the lungs alone, windowed, in steps of 1 mm.

What follows the two masks of `pipeline.algorithms.lung`. Every byte is the reference's. Unlike
it, only the part of the volume is worked on that ends up in the result.

Source: seed 003, ``process_mask``, ``lumTrans``, ``resample`` and ``savenpy``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.algorithms.lung_clean import Box, Lung, clean
from pipeline.errors import NothingFoundError
from pipeline.kernels.resample import Taps, linear_taps, resample_linear, zoom_step

BoolArray = npt.NDArray[np.bool_]
ByteArray = npt.NDArray[np.uint8]
IndexArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Taps3 = tuple[Taps, Taps, Taps]

_MARGIN_MM = (5, 10)  # below and above, with a resolution of 1 mm

# What the reference saves as ``<name>_label.npy`` for a case whose nodules nobody has marked: one
# row (slice, row, column, diameter) of zeros.
NO_NODULES = np.zeros((1, 4), dtype=np.int64)
NO_NODULES.setflags(write=False)


@dataclass(frozen=True, eq=False, slots=True)
class Prepared:
    """The networks' input and where it lies.

    Parameters
    ----------
    voxels
        (slice, row, column), uint8: 0 to 255 for -1200 to 600 HU near the lungs, 170 elsewhere and
        in bone. ``voxels[np.newaxis]`` is the reference's ``<name>_clean.npy``.
    box
        (3, 2): the first voxel of each axis and the one after the last, counted in the whole
        volume at 1 mm. The reference's ``extendbox``.
    whole_shape
        (slice, row, column) of the whole volume at 1 mm.
    to_input
        4 x 4: (slice, row, column, 1) in ``voxels`` to the same in the input, fractions included.
        ``geometry.affine @ to_input`` is the affine of ``voxels``.
    spacing_mm
        (slice, row, column): the true distances of voxel centres, near 1 mm. (The reference's
        ``true_spacing`` divides the extent of the volume by the number of voxels instead.)
    """

    voxels: ByteArray
    box: IndexArray
    whole_shape: tuple[int, int, int]
    to_input: FloatArray
    spacing_mm: FloatArray


def prepare(
    voxels_hu: npt.NDArray[np.int16],
    first: BoolArray,
    second: BoolArray,
    spacing_mm: npt.NDArray[np.float32],
) -> Prepared:
    """Cut out the lungs and resample them to 1 mm.

    Parameters
    ----------
    voxels_hu
        (slice, row, column) in Hounsfield Units. Not changed.
    first, second
        (slice, row, column): the masks of the two lungs, in any order. Not changed.
    spacing_mm
        (slice, row, column), float32.

    Raises
    ------
    NothingFoundError
        Both masks are empty, or the volume is too thin for a single voxel of 1 mm.
    ValueError
        The volume and the masks differ in shape.

    Source: seed 003, ``savenpy``.
    """
    if not voxels_hu.shape == first.shape == second.shape:
        raise ValueError(
            f"Volume and masks differ in shape: {voxels_hu.shape}, {first.shape}, {second.shape}."
        )
    lungs = Lung.find(first), Lung.find(second)
    inner = _bounding_box(lungs)
    whole_shape = _shape_at_1_mm(voxels_hu.shape, spacing_mm)
    box = _extended_box(inner, whole_shape, spacing_mm)
    taps = _taps(voxels_hu.shape, whole_shape, box)
    region = _region(inner, taps)
    step = _step(voxels_hu.shape, whole_shape)
    return Prepared(
        voxels=resample_linear(clean(voxels_hu, lungs, region), _counted_from(region, taps)),
        box=box,
        whole_shape=whole_shape,
        to_input=_index_matrix(step, box[:, 0]),
        spacing_mm=step * spacing_mm,
    )


def _bounding_box(lungs: tuple[Lung, Lung]) -> IndexArray:
    """(3, 2): the first and the last voxel of both lungs along each axis.

    Raises
    ------
    NothingFoundError
        Both masks are empty.
    """
    first = np.stack([lung.first for lung in lungs])
    last = np.stack([lung.last for lung in lungs])
    filled = first <= last
    if not filled.any():
        raise NothingFoundError("There is nothing to prepare: the masks of both lungs are empty.")
    slices = np.flatnonzero(filled.any(axis=(0, 2)))
    rows = np.flatnonzero(filled.any(axis=(0, 1)))
    columns = first[filled].min(), last[filled].max()
    return np.array([slices[[0, -1]], rows[[0, -1]], columns])


def _shape_at_1_mm(
    shape: tuple[int, ...], spacing_mm: npt.NDArray[np.float32]
) -> tuple[int, int, int]:
    """How many voxels of 1 mm the volume has along each axis.

    Raises
    ------
    NothingFoundError
        None, along one of them.
    """
    slices, rows, columns = (int(size) for size in np.round(np.array(shape) * spacing_mm))
    if not (slices and rows and columns):
        raise NothingFoundError(
            "There is nothing to prepare: along one axis the volume is too thin for 1 mm."
        )
    return slices, rows, columns


def _extended_box(
    inner: IndexArray, whole_shape: tuple[int, int, int], spacing_mm: npt.NDArray[np.float32]
) -> IndexArray:
    """(3, 2): the box of the lungs at 1 mm with a margin, as far as there are voxels."""
    at_1_mm = np.floor(inner * spacing_mm[:, np.newaxis].astype(np.float64)).astype(np.int64)
    below, above = _MARGIN_MM
    start = np.maximum(at_1_mm[:, 0] - below, 0)
    stop = np.minimum(at_1_mm[:, 1] + above, whole_shape)
    return np.column_stack((start, stop))


def _taps(shape: tuple[int, ...], whole_shape: tuple[int, int, int], box: IndexArray) -> Taps3:
    """Where the voxels of the box come from, along each axis."""
    slices, rows, columns = (
        linear_taps(size, samples, start, stop)
        for size, samples, (start, stop) in zip(shape, whole_shape, box, strict=True)
    )
    return slices, rows, columns


def _step(shape: tuple[int, ...], whole_shape: tuple[int, int, int]) -> FloatArray:
    """(3,): how many voxels of the input a voxel at 1 mm is from the next."""
    return np.array([zoom_step(*sizes) for sizes in zip(shape, whole_shape, strict=True)])


def _region(inner: IndexArray, taps: Taps3) -> Box:
    """The part of the input that holds both lungs and all that the result is made from."""
    slices, rows, columns = (
        slice(int(min(first, axis.indices.min())), int(max(last, axis.indices.max())) + 1)
        for (first, last), axis in zip(inner, taps, strict=True)
    )
    return slices, rows, columns


def _counted_from(region: Box, taps: Taps3) -> Taps3:
    """The same taps, with indices that count from the first voxel of the region."""
    slices, rows, columns = (
        Taps(axis.indices - extent.start, axis.weights)
        for axis, extent in zip(taps, region, strict=True)
    )
    return slices, rows, columns


def _index_matrix(step: FloatArray, start: IndexArray) -> FloatArray:
    """4 x 4: indices in the result to indices in the input."""
    matrix = np.diag([*step, 1.0])
    matrix[:3, 3] = step * start
    return matrix
