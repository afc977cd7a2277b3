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


def without_right_lung(phantom: ChestPhantom) -> ChestPhantom:
    """Soft tissue where the right lung is."""
    voxels = phantom.voxels_hu.copy()
    voxels[phantom.right] = 40
    return dataclasses.replace(phantom, voxels_hu=voxels)


def without_lungs(phantom: ChestPhantom) -> ChestPhantom:
    """Soft tissue where both lungs are."""
    voxels = phantom.voxels_hu.copy()
    voxels[phantom.left | phantom.right] = 40
    return dataclasses.replace(phantom, voxels_hu=voxels)


def with_nodules_at_the_wall(phantom: ChestPhantom) -> ChestPhantom:
    """Solid balls of 9 mm radius in both lungs, half of each in the wall, at several heights."""
    voxels = phantom.voxels_hu.copy()
    slices, rows, _columns = voxels.shape
    for height, depth in ((0.3, 0.45), (0.45, 0.6), (0.6, 0.4), (0.7, 0.55)):
        index, row = int(height * slices), int(depth * rows)
        for lung, end in ((phantom.right, 0), (phantom.left, -1)):
            columns = np.flatnonzero(lung[index, row])
            if columns.size:
                voxels[_ball((index, row, int(columns[end])), 9.0, phantom)] = 40
    return dataclasses.replace(phantom, voxels_hu=voxels)


def _ball(
    centre: tuple[int, int, int], radius_mm: float, phantom: ChestPhantom
) -> npt.NDArray[np.bool_]:
    """(slice, row, column): true within a distance of a voxel."""
    places = np.ogrid[tuple(slice(size) for size in phantom.voxels_hu.shape)]
    steps = zip(places, centre, phantom.spacing.as_array().astype(float), strict=True)
    return np.asarray(sum(((place - at) * mm) ** 2 for place, at, mm in steps) <= radius_mm**2)


def with_table(phantom: ChestPhantom) -> ChestPhantom:
    """A bent shell of 3 mm behind the patient, with air below it and in it."""
    voxels = phantom.voxels_hu.copy()
    _slices, rows, columns = voxels.shape
    row, column = np.ogrid[:rows, :columns]
    surface = 0.93 * rows - ((column - columns / 2) / columns) ** 2 * 0.2 * rows
    depth_mm = (row - surface) * phantom.spacing.row_mm
    shell = ((depth_mm >= 0) & (depth_mm < 3)) | ((depth_mm >= 14) & (depth_mm < 17))
    voxels[:, shell] = np.maximum(voxels[:, shell], -150)
    return dataclasses.replace(phantom, voxels_hu=voxels)


def with_mixed_padding(phantom: ChestPhantom) -> ChestPhantom:
    """Every third slice has padding around the circle, the others have the room's air there."""
    voxels = phantom.voxels_hu.copy()
    voxels[::3] = with_circular_padding(phantom).voxels_hu[::3]
    return dataclasses.replace(phantom, voxels_hu=voxels)


def with_rows_cut(phantom: ChestPhantom) -> ChestPhantom:
    """Slices that are not square: the rows above and below the patient are missing."""
    cut = phantom.voxels_hu.shape[1] // 9
    rows = slice(cut, -cut)
    return dataclasses.replace(
        phantom,
        voxels_hu=np.ascontiguousarray(phantom.voxels_hu[:, rows]),
        right=phantom.right[:, rows],
        left=phantom.left[:, rows],
    )
