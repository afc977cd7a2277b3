"""The anatomy of the chest phantom, slice by slice, from ellipses in mm.

Coordinates are LPS: x to the patient's left, y to the back, z to the head; (0, 0, 0) is the
middle of the chest. Everything broadcasts: x (1, column), y (row, 1) and one z make a slice.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry import Vector
from pipeline.phantom_tubes import Tube, chain

BoolArray = npt.NDArray[np.bool_]
Hounsfield = npt.NDArray[np.int16]
Millimetres = npt.NDArray[np.floating[Any]]

VESSEL_HU, NODULE_HU, BLOOD_HU, BONE_HU, AIRWAY_HU = 60, 50, 190, 550, -985
_OUTSIDE_HU, _TABLE_HU, _FAT_HU, _MUSCLE_HU, _MEDIASTINUM_HU = -1000, -70, -95, 50, 5
_LUNG_HU, _LIVER_HU, _SPLEEN_HU, _MYOCARDIUM_HU = -880, 85, 60, 95
_CORTEX_HU, _MARROW_HU, _CARTILAGE_HU, _CORD_HU = 650, 240, 90, 25
# The back of the lung lies lower in the patient on the table, and is denser.
_LUNG_HU_PER_MM = 0.35

_VERTEBRA_MM, _DISC_SHARE = 27.0, 0.2
_RIB_MM, _RIB_SLOPE, _RIB_HALF_SHARE, _RIB_MARROW_HALF_SHARE = 25.0, 0.5, 0.2, 0.14


@dataclass(frozen=True, slots=True)
class Solid:
    """An ellipse, the same from one height to another, or an ellipsoid.

    Parameters
    ----------
    hu
        The value inside.
    centre_mm
        (x, y, z).
    radii_mm
        (x, y, z). A z radius of 0 makes an elliptical column.
    heights_mm
        From where to where in z it is there.
    """

    hu: int
    centre_mm: Vector
    radii_mm: Vector
    heights_mm: tuple[float, float] = (-1000.0, 1000.0)

    def paint(self, voxels: Hounsfield, x: Millimetres, y: Millimetres, z: float) -> None:
        """Paint what a slice at height z shows of it."""
        low, high = self.heights_mm
        if low < z < high:
            height = (z - self.centre_mm[2]) / self.radii_mm[2] if self.radii_mm[2] else 0.0
            form = _ellipse(x, y, self.centre_mm[:2], self.radii_mm[:2])
            voxels[form < 1 - height * height] = self.hu


HILA_MM: tuple[Vector, Vector] = ((-34.0, 10.0, 10.0), (38.0, 12.0, 8.0))
NODULE = Tube((-86.0, 30.0, 32.0), (-86.0, 30.0, 32.0), 9.0)
AIRWAYS: tuple[Tube, ...] = (
    *chain(8.5, (0.0, 10.0, 170.0), (0.0, 14.0, 42.0)),
    *chain(6.5, (0.0, 14.0, 42.0), (-44.0, 18.0, 16.0)),
    *chain(5.5, (0.0, 14.0, 42.0), (50.0, 20.0, 12.0)),
)
GREAT_VESSELS: tuple[Tube, ...] = (
    *chain(12.0, (22.0, 38.0, -170.0), (22.0, 38.0, 62.0), (10.0, 14.0, 78.0)),
    *chain(14.0, (-10.0, -22.0, -20.0), (-12.0, -24.0, 55.0), (0.0, -8.0, 76.0)),
    *chain(14.0, (0.0, -8.0, 76.0), (12.0, 16.0, 78.0)),
    *chain(8.5, (-26.0, -12.0, -20.0), (-26.0, -14.0, 120.0)),
    *chain(11.0, (16.0, -34.0, -10.0), (16.0, -14.0, 20.0), (36.0, 4.0, 18.0)),
    *chain(9.5, (16.0, -12.0, 18.0), (-34.0, 0.0, 6.0)),
    *chain(4.5, (-14.0, -6.0, 76.0), (-24.0, 4.0, 170.0)),
    *chain(4.5, (12.0, 4.0, 80.0), (24.0, 8.0, 170.0)),
)
CLAVICLES: tuple[Tube, ...] = (
    Tube((-16.0, -82.0, 112.0), (-128.0, -30.0, 134.0), 5.5),
    Tube((16.0, -82.0, 112.0), (128.0, -30.0, 134.0), 5.5),
)
_VENTRICLES = (
    Solid(BLOOD_HU, (46.0, -22.0, -52.0), (24.0, 20.0, 34.0)),
    Solid(BLOOD_HU, (4.0, -46.0, -46.0), (26.0, 17.0, 34.0)),
)
_STERNUM = (
    Solid(_CORTEX_HU, (0.0, -97.0, 0.0), (19.0, 6.0, 0.0), (-70.0, 92.0)),
    Solid(_MARROW_HU, (0.0, -97.0, 0.0), (15.0, 4.5, 0.0), (-70.0, 92.0)),
)
_DISC = (Solid(_CARTILAGE_HU, (0.0, 60.0, 0.0), (19.0, 15.0, 0.0)),)
_VERTEBRA = (
    Solid(_CORTEX_HU, (0.0, 60.0, 0.0), (19.0, 15.0, 0.0)),
    Solid(_MARROW_HU, (0.0, 60.0, 0.0), (17.0, 13.0, 0.0)),
    Solid(_CORTEX_HU, (-24.0, 80.0, 0.0), (15.0, 4.5, 0.0)),
    Solid(_CORTEX_HU, (24.0, 80.0, 0.0), (15.0, 4.5, 0.0)),
    Solid(_CORTEX_HU, (0.0, 99.0, 0.0), (3.5, 9.0, 0.0)),
)
_CANAL = (
    Solid(_CORTEX_HU, (0.0, 82.0, 0.0), (14.0, 12.0, 0.0)),
    Solid(_CORD_HU, (0.0, 81.0, 0.0), (9.5, 8.5, 0.0)),
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

    voxels_hu: Hounsfield
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
    wall = _chest_wall(x, y, z)
    _paint_outer_body(voxels, x, y)
    _paint_organs(voxels, wall, x, y, z)
    _paint_bones(voxels, wall, x, y, z)
    right, left = lungs(x, y, z)
    lung_hu = np.broadcast_to(_LUNG_HU + _LUNG_HU_PER_MM * y, voxels.shape).astype(np.int16)
    np.copyto(voxels, lung_hu, where=right | left)
    return ChestSlice(voxels, right, left)


def lungs(x: Any, y: Any, z: Any) -> tuple[BoolArray, BoolArray]:
    """Whether points lie in the right and in the left lung.

    Parameters
    ----------
    x, y, z
        In mm, of shapes that broadcast.
    """
    air = (_chest_wall(x, y, z) < 1) & ~_between_lungs(x, y, z)
    right = air & (x < 0) & (z > _diaphragm_mm(x, y, side=-1))
    left = air & (x > 0) & (z > _diaphragm_mm(x, y, side=1))
    return right, left


def _ellipse(x: Any, y: Any, centre: tuple[Any, ...], radii: tuple[Any, ...]) -> Any:
    """Below 1 inside an ellipse, 1 on it, above outside."""
    across, down = (x - centre[0]) / radii[0], (y - centre[1]) / radii[1]
    return across * across + down * down


def _within(values: Any, low: float, high: float) -> Any:
    return (values > low) & (values < high)


def _chest_wall(x: Any, y: Any, z: Any) -> Any:
    """Below 1 inside the chest wall, which narrows to the top and closes there."""
    rise = np.clip((z - 5.0) / 140.0, 0.0, 1.0)
    rise = rise * rise
    closing = np.clip((z - 105.0) / 36.0, 0.0, None)
    radii = (128.0 * np.sqrt(1 - 0.86 * rise), 84.0 * np.sqrt(1 - 0.8 * rise))
    return _ellipse(x, y, (0.0, -4.0 + 16.0 * rise), radii) + closing * closing


def _diaphragm_mm(x: Any, y: Any, *, side: int) -> Any:
    """The height of one dome of the diaphragm; the right one stands higher, over the liver."""
    top_mm = -44.0 if side < 0 else -55.0
    return top_mm - 45.0 * _ellipse(x, y, (side * 62.0, -8.0), (76.0, 88.0))


def _between_lungs(x: Any, y: Any, z: Any) -> Any:
    """The midline, the spine, and the heart in its sac, which notches the left lung."""
    midline = _within(x, -7.0, 7.0) | _within(_ellipse(x, y, (4.0, -4.0), (33.0, 66.0)), -1.0, 1.0)
    spine = _ellipse(x, y, (0.0, 62.0), (32.0, 40.0)) < 1
    return midline | spine | _within(_heart(x, y, z), -1.0, 1.12)


def _heart(x: Any, y: Any, z: Any) -> Any:
    """Below 1 inside the heart, whose axis leans to the left on the way down."""
    height = (z + 48.0) / 56.0
    return _ellipse(x, y, (18.24 - 0.12 * z, -30.0), (55.0, 45.0)) + height * height


def _paint_outer_body(voxels: Hounsfield, x: Millimetres, y: Millimetres) -> None:
    """The table, and the body as fat around muscle."""
    bed = _ellipse(x, y, (0.0, -260.0), (420.0, 405.0))
    voxels[_within(bed, 1.0, 1.035) & _within(x, -172.0, 172.0)] = _TABLE_HU
    across, down = (x / 166.0) ** 2, (y / 114.0) ** 2
    body = across + down - 0.35 * across * down  # between an ellipse and its bounding box
    voxels[body < 1] = _FAT_HU
    voxels[_within(body, -1.0, 0.86)] = _MUSCLE_HU


def _paint_organs(voxels: Hounsfield, wall: Any, x: Millimetres, y: Millimetres, z: float) -> None:
    """What fills the chest wall where it is not lung."""
    inside = wall < 1
    voxels[inside] = _MEDIASTINUM_HU
    slanted = x + 0.35 * y
    below_right = inside & (z + 3.0 < _diaphragm_mm(x, y, side=-1))
    below_left = inside & (z + 3.0 < _diaphragm_mm(x, y, side=1))
    voxels[below_right & _within(slanted, -1000.0, 35.0)] = _LIVER_HU
    voxels[below_left & _within(slanted, 42.0, 1000.0)] = _SPLEEN_HU
    voxels[_heart(x, y, z) < 1] = _MYOCARDIUM_HU
    for ventricle in _VENTRICLES:
        ventricle.paint(voxels, x, y, z)


def _paint_bones(voxels: Hounsfield, wall: Any, x: Millimetres, y: Millimetres, z: float) -> None:
    _paint_ribs(voxels, wall, x, y, z)
    _paint_shoulder_blades(voxels, x, y, z)
    height = z / _VERTEBRA_MM
    spine = _DISC if height - np.floor(height) < _DISC_SHARE else _VERTEBRA
    for solid in (*_STERNUM, *spine, *_CANAL):
        solid.paint(voxels, x, y, z)


def _paint_ribs(voxels: Hounsfield, wall: Any, x: Millimetres, y: Millimetres, z: float) -> None:
    """Ribs slope down to the front, so that a slice cuts several; there they are cartilage."""
    height = (z - _RIB_SLOPE * y) / _RIB_MM
    off_middle = np.abs(height - np.floor(height) - 0.5)
    rib = _within(wall, 1.08, 1.27) & (off_middle < _RIB_HALF_SHARE) & ~_within(x, -22.0, 22.0)
    voxels[rib] = _CORTEX_HU
    marrow = rib & _within(wall, 1.125, 1.225) & (off_middle < _RIB_MARROW_HALF_SHARE)
    voxels[marrow] = _MARROW_HU
    voxels[rib & _within(y, -1000.0, -52.0) & _within(x, -62.0, 62.0)] = _CARTILAGE_HU


def _paint_shoulder_blades(voxels: Hounsfield, x: Millimetres, y: Millimetres, z: float) -> None:
    around = _ellipse(x, y, (0.0, -4.0), (128.0, 84.0))
    behind = _within(y, 22.0, 1000.0) & ~_within(x, -52.0, 52.0)
    voxels[_within(around, 1.44, 1.56) & behind & _within(z, 20.0, 125.0)] = _CORTEX_HU
