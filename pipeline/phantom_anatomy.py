"""The anatomy of the chest phantom, slice by slice, from ellipses in mm.

Coordinates are LPS: x to the patient's left, y to the back, z to the head; (0, 0, 0) is the
middle of the chest. Everything broadcasts: x (1, column), y (row, 1) and one z make a slice.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.phantom_tubes import Tube, chain

BoolArray = npt.NDArray[np.bool_]
Millimetres = npt.NDArray[np.floating[Any]]

LUNG_HU, AIRWAY_HU, VESSEL_HU, NODULE_HU, BONE_HU = -860, -985, 60, 50, 550
_OUTSIDE_HU, _TABLE_HU, _FAT_HU, _MUSCLE_HU, _MEDIASTINUM_HU = -1000, -70, -95, 50, 5
_LIVER_HU, _SPLEEN_HU, _MYOCARDIUM_HU, BLOOD_HU = 85, 60, 95, 190
_CORTEX_HU, _MARROW_HU, _DISC_HU, _CORD_HU = 650, 240, 90, 25

HILA_MM = {"right": (-34.0, 10.0, 10.0), "left": (38.0, 12.0, 8.0)}
NODULE_MM = ((-86.0, 30.0, 32.0), 9.0)

AIRWAYS: tuple[Tube, ...] = (
    *chain(8.5, (0.0, 10.0, 170.0), (0.0, 14.0, 42.0)),
    *chain(6.5, (0.0, 14.0, 42.0), (-44.0, 18.0, 16.0)),
    *chain(5.5, (0.0, 14.0, 42.0), (50.0, 20.0, 12.0)),
)
GREAT_VESSELS: tuple[Tube, ...] = (
    *chain(12.0, (22.0, 38.0, -170.0), (22.0, 38.0, 62.0), (10.0, 14.0, 78.0)),
    *chain(14.0, (-10.0, -22.0, -20.0), (-12.0, -24.0, 55.0), (0.0, -8.0, 76.0), (12.0, 16.0, 78.0)),
    *chain(8.5, (-26.0, -12.0, -20.0), (-26.0, -14.0, 120.0)),
    *chain(11.0, (16.0, -34.0, -10.0), (16.0, -14.0, 20.0), (36.0, 4.0, 18.0)),
    *chain(9.5, (16.0, -12.0, 18.0), (-34.0, 0.0, 6.0)),
    *chain(4.5, (-14.0, -6.0, 76.0), (-24.0, 4.0, 170.0)),
    *chain(4.5, (12.0, 4.0, 80.0), (24.0, 8.0, 170.0)),
)
CLAVICLES: tuple[Tube, ...] = tuple(
    Tube((side * 16.0, -82.0, 112.0), (side * 128.0, -30.0, 134.0), 5.5) for side in (-1, 1)
)


@dataclass(frozen=True, eq=False, slots=True)
class ChestSlice:
    """One slice of the phantom before tubes and noise.

    Parameters
    ----------
    voxels_hu
        (row, column), int16 Hounsfield Units.
    right, left
        (row, column): the lungs, vessels and all.
    """

    voxels_hu: npt.NDArray[np.int16]
    right: BoolArray
    left: BoolArray


def chest_slice(x: Millimetres, y: Millimetres, z: float) -> ChestSlice:
    """The phantom at one height.

    Parameters
    ----------
    x, y
        (1, column) and (row, 1) in mm.
    z
        In mm.
    """
    voxels = np.full((y.size, x.size), _OUTSIDE_HU, dtype=np.int16)
    right, left = lungs(x, y, z)
    _paint_wall(voxels, x, y)
    _paint_organs(voxels, x, y, z)
    _paint_bones(voxels, x, y, z)
    for lung in (right, left):
        density = np.broadcast_to(LUNG_HU + 0.35 * y, voxels.shape)
        voxels[lung] = density[lung].astype(np.int16)
    return ChestSlice(voxels, right, left)


def lungs(x: Any, y: Any, z: Any) -> tuple[BoolArray, BoolArray]:
    """Whether points lie in the right and in the left lung.

    Parameters
    ----------
    x, y, z
        In mm, of shapes that broadcast.
    """
    air = (_cavity(x, y, z) < 1) & ~_mediastinum(x, y, z)
    right = air & (x < 0) & (z > _diaphragm_mm(x, y, side=-1))
    left = air & (x > 0) & (z > _diaphragm_mm(x, y, side=1))
    return right, left


def _ellipse(x: Any, y: Any, centre: tuple[Any, Any], radii: tuple[Any, Any]) -> Any:
    """Below 1 inside an ellipse, 1 on it, above outside."""
    across, down = (x - centre[0]) / radii[0], (y - centre[1]) / radii[1]
    return across * across + down * down


def _cavity(x: Any, y: Any, z: Any) -> Any:
    """Below 1 within the chest wall, which narrows to the top."""
    rise = np.clip((z - 5.0) / 140.0, 0.0, 1.0)
    rise = rise * rise
    radii = (128.0 * np.sqrt(1 - 0.86 * rise), 84.0 * np.sqrt(1 - 0.8 * rise))
    return _ellipse(x, y, (0.0, -4.0 + 16.0 * rise), radii) + np.clip((z - 105.0) / 36.0, 0, None) ** 2


def _diaphragm_mm(x: Any, y: Any, *, side: int) -> Any:
    """The height of the dome of the diaphragm; the right one stands higher, over the liver."""
    top = -38.0 if side < 0 else -54.0
    return top - 52.0 * _ellipse(x, y, (side * 62.0, -8.0), (76.0, 88.0))


def _mediastinum(x: Any, y: Any, z: Any) -> Any:
    """What lies between the lungs: the midline, the heart to the left, the spine."""
    midline = (np.abs(x) < 7.0) | (_ellipse(x, y, (4.0, -4.0), (33.0, 66.0)) < 1)
    spine = _ellipse(x, y, (0.0, 62.0), (32.0, 40.0)) < 1
    return midline | spine | (_heart(x, y, z) < 1.12)


def _heart(x: Any, y: Any, z: Any) -> Any:
    height = (z + 48.0) / 56.0
    return _ellipse(x, y, (26.0 - 0.12 * (z + 48.0), -30.0), (60.0, 48.0)) + height * height


def _paint_wall(voxels: npt.NDArray[np.int16], x: Millimetres, y: Millimetres) -> None:
    """The table, the body with its fat, the muscles."""
    bed = _ellipse(x, y, (0.0, -260.0), (420.0, 405.0))
    voxels[(bed > 1) & (bed < 1.035) & (np.abs(x) < 172.0)] = _TABLE_HU
    across, down = x / 166.0, y / 114.0
    across, down = across * across, down * down
    body = across + down - 0.35 * across * down
    voxels[body < 1] = _FAT_HU
    voxels[body < 0.985 * 0.87] = _MUSCLE_HU


def _paint_organs(voxels: npt.NDArray[np.int16], x: Millimetres, y: Millimetres, z: float) -> None:
    """What fills the cavity where it is not lung."""
    cavity = _cavity(x, y, z) < 1
    voxels[cavity] = _MEDIASTINUM_HU
    split = x + 0.35 * y
    voxels[cavity & (z < _diaphragm_mm(x, y, side=-1) - 3.0) & (split < 35.0)] = _LIVER_HU
    voxels[cavity & (z < _diaphragm_mm(x, y, side=1) - 3.0) & (split > 42.0)] = _SPLEEN_HU
    heart = _heart(x, y, z)
    voxels[heart < 1] = _MYOCARDIUM_HU
    for centre, radii in (((46.0, -22.0, -52.0), (24.0, 20.0, 34.0)), ((4.0, -46.0, -46.0), (26.0, 17.0, 34.0))):
        height = (z - centre[2]) / radii[2]
        voxels[_ellipse(x, y, centre[:2], radii[:2]) + height * height < 1] = BLOOD_HU


def _paint_bones(voxels: npt.NDArray[np.int16], x: Millimetres, y: Millimetres, z: float) -> None:
    _paint_ribs(voxels, x, y, z)
    _paint_spine(voxels, x, y, z)
    wide = _ellipse(x, y, (0.0, -4.0), (128.0, 84.0))
    scapula = (wide > 1.44) & (wide < 1.56) & (y > 22.0) & (np.abs(x) > 52.0) & (20.0 < z < 125.0)
    voxels[scapula] = _CORTEX_HU
    if -70.0 < z < 92.0:
        sternum = _ellipse(x, y, (0.0, -97.0), (19.0, 6.0))
        voxels[sternum < 1] = _CORTEX_HU
        voxels[sternum < 0.6] = _MARROW_HU


def _paint_ribs(voxels: npt.NDArray[np.int16], x: Millimetres, y: Millimetres, z: float) -> None:
    """Ribs slope down to the front, so that a slice cuts several of them."""
    shell = _cavity(x, y, z)
    phase = (z - 0.5 * y) / 25.0
    phase = np.abs(phase - np.floor(phase) - 0.5)
    rib = (shell > 1.08) & (shell < 1.27) & (phase < 0.2) & (np.abs(x) > 22.0)
    voxels[rib] = _CORTEX_HU
    voxels[rib & (shell > 1.125) & (shell < 1.225) & (phase < 0.14)] = _MARROW_HU
    voxels[rib & (y < -52.0) & (np.abs(x) < 62.0)] = _DISC_HU


def _paint_spine(voxels: npt.NDArray[np.int16], x: Millimetres, y: Millimetres, z: float) -> None:
    """A vertebral body or the disc between two, the canal in its arch, the processes."""
    level = z / 27.0 - np.floor(z / 27.0)
    body = _ellipse(x, y, (0.0, 60.0), (19.0, 15.0))
    if level < 0.2:
        voxels[body < 1] = _DISC_HU
    else:
        voxels[body < 1] = _CORTEX_HU
        voxels[body < 0.8] = _MARROW_HU
        voxels[_ellipse(np.abs(x), y, (24.0, 80.0), (15.0, 4.5)) < 1] = _CORTEX_HU
        voxels[_ellipse(x, y, (0.0, 99.0), (3.5, 9.0)) < 1] = _CORTEX_HU
    voxels[_ellipse(x, y, (0.0, 82.0), (14.0, 12.0)) < 1] = _CORTEX_HU
    voxels[_ellipse(x, y, (0.0, 81.0), (9.5, 8.5)) < 1] = _CORD_HU
