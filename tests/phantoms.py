"""Volumes for tests, made from the chest phantom without files."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.uid import ExplicitVRLittleEndian

from pipeline.elements import Header
from pipeline.geometry import Vector, VolumeGeometry
from pipeline.instance import Instance
from pipeline.phantom import ChestPhantom, phantom_instances
from pipeline.volume import Frame, Volume

_PADDING_HU = -2000
_AIR_HU = -1000
_LUNG_HU = -850


def volume_from_phantom(
    phantom: ChestPhantom, *, mirror_columns: bool = False, mirror_rows: bool = False
) -> Volume:
    """The phantom as `pipeline.volume.build_volume` would give it.

    Parameters
    ----------
    phantom
        What the volume shows.
    mirror_columns, mirror_rows
        Store columns or rows in the other direction. The chest stays where it is in the patient:
        columns alone is a patient lying feet first, both is one lying prone.
    """
    voxels = phantom.voxels_hu
    x, y, z = phantom.origin_mm
    row_direction: Vector = (1.0, 0.0, 0.0)
    column_direction: Vector = (0.0, 1.0, 0.0)
    if mirror_columns:
        voxels, x, row_direction = voxels[:, :, ::-1], -x, (-1.0, 0.0, 0.0)
    if mirror_rows:
        voxels, y, column_direction = voxels[:, ::-1], -y, (0.0, -1.0, 0.0)
    geometry = VolumeGeometry(
        (x, y, z), row_direction, column_direction, (0.0, 0.0, 1.0), phantom.spacing
    )
    sources = _sources(phantom, geometry)
    return Volume(np.ascontiguousarray(voxels), geometry, sources)


def _sources(phantom: ChestPhantom, geometry: VolumeGeometry) -> tuple[Frame, ...]:
    sources = []
    for index, header in enumerate(phantom_instances(phantom)):
        del header.PixelData
        header.ImagePositionPatient = [*geometry.origin_mm[:2], header.ImagePositionPatient[2]]
        header.ImageOrientationPatient = [*geometry.row_direction, *geometry.column_direction]
        path = Path(f"phantom-{index}.dcm")
        elements = Header(str(ExplicitVRLittleEndian), None, 0, data_set=header)
        sources.append(Frame(Instance(path, elements)))
    return tuple(sources)


def with_open_top(phantom: ChestPhantom) -> ChestPhantom:
    """The series ends inside the lungs, which a gap to the front joins to the air outside there."""
    kept = len(phantom.voxels_hu) * 3 // 4
    voxels = phantom.voxels_hu[:kept].copy()
    rows, columns = voxels.shape[1:]
    voxels[-3:, : rows // 2, columns // 4 : columns * 3 // 4] = _AIR_HU
    return dataclasses.replace(
        phantom, voxels_hu=voxels, right=phantom.right[:kept], left=phantom.left[:kept]
    )


def with_touching_lungs(phantom: ChestPhantom) -> ChestPhantom:
    """The lungs meet in front of the heart, over some slices."""
    voxels = phantom.voxels_hu.copy()
    slices, rows, columns = voxels.shape
    height = slice(slices // 2, slices // 2 + slices // 8)
    depth = slice(int(0.295 * rows), int(0.33 * rows))
    width = slice(int(0.42 * columns), int(0.58 * columns))
    voxels[height, depth, width] = _LUNG_HU
    return dataclasses.replace(phantom, voxels_hu=voxels)


def with_circular_padding(phantom: ChestPhantom) -> ChestPhantom:
    """What lies beyond the scanner's circle holds one value far below air."""
    voxels = phantom.voxels_hu.copy()
    voxels[:, _beyond_circle(voxels.shape[1])] = _PADDING_HU
    return dataclasses.replace(phantom, voxels_hu=voxels)


def _beyond_circle(size: int) -> npt.NDArray[np.bool_]:
    """(row, column): true outside the circle that fits the slice."""
    axis = np.arange(size) - (size - 1) / 2
    return np.asarray(np.hypot(axis[:, np.newaxis], axis) >= size / 2)


def without_left_lung(phantom: ChestPhantom) -> ChestPhantom:
    """Soft tissue where the left lung is."""
    voxels = phantom.voxels_hu.copy()
    voxels[phantom.left] = 40
    return dataclasses.replace(phantom, voxels_hu=voxels)


def without_lungs(phantom: ChestPhantom) -> ChestPhantom:
    """Soft tissue where both lungs are."""
    voxels = phantom.voxels_hu.copy()
    voxels[phantom.left | phantom.right] = 40
    return dataclasses.replace(phantom, voxels_hu=voxels)
