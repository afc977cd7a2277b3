"""Heads for tests, drawn from ellipsoids: air, skin, skull, brain with its fluid, a head rest.

Values are typical ones with noise of a fixed seed; a head lies in the middle of the volume and
runs out of it at the bottom, as a scanned one does.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]

_SKIN_RADIUS = 0.84
_SKULL_OUTER_RADIUS = 0.76
_SKULL_INNER_RADIUS = 0.66
_FLUID_THICKNESS = 0.03
_SEED = 20261121


@dataclass(frozen=True, slots=True)
class Tissue:
    """The value of each tissue, and the standard deviation of the noise."""

    air: float
    skin: float
    bone: float
    fluid: float
    grey: float
    white: float
    vessel: float
    rest: float
    noise: float


CT = Tissue(-1000, 45, 950, 8, 38, 29, 40, 120, 4)
CT_CONTRAST = Tissue(-1000, 55, 950, 8, 62, 54, 230, 120, 4)
MR_T1 = Tissue(0, 260, 18, 55, 120, 165, 150, 0, 5)
MR_T2 = Tissue(0, 150, 20, 620, 330, 260, 40, 0, 9)


@dataclass(frozen=True, eq=False, slots=True)
class HeadPhantom:
    """A head and where its brain is.

    Parameters
    ----------
    voxels
        (slice, row, column), from neck to crown: HU as int16, or the arbitrary values of an MR.
    brain
        Shape of ``voxels``: what lies inside of the skull, fluid included.
    """

    voxels: npt.NDArray[Any]
    brain: BoolArray


def head(name: str, slices: int = 48, size: int = 88) -> HeadPhantom:
    """One of the variants that `HEADS` names."""
    match name:
        case "ct plain":
            return _head(CT, slices, size)
        case "ct contrast":
            return _head(CT_CONTRAST, slices, size)
        case "ct craniotomy":
            return _head(CT, slices, size, opened=True)
        case "mr t1":
            return _head(MR_T1, slices, size, kind=np.uint16)
        case "mr t2":
            return _head(MR_T2, slices, size, kind=np.uint16)
        case "mr shaded":
            return _head(MR_T1, slices, size, kind=np.float32, shaded=True)
        case _:
            raise ValueError(f"no head is called {name!r}")


HEADS = ("ct plain", "ct contrast", "ct craniotomy", "mr t1", "mr t2", "mr shaded")


def _head(
    tissue: Tissue,
    slices: int,
    size: int,
    *,
    kind: type[Any] = np.int16,
    opened: bool = False,
    shaded: bool = False,
) -> HeadPhantom:
    """Draw from outside to inside.

    Parameters
    ----------
    kind
        Type of the voxels; unsigned ones show the magnitude of the noise.
    opened
        A piece of the skull is missing on one side, with brain and skin meeting there.
    shaded
        The receive coil is stronger at the face than at the back.
    """
    # Unit coordinates: the neck is cut at -0.5, the crown ends below 1.
    z = np.linspace(-0.5, 1.0, slices, dtype=np.float32)[:, np.newaxis, np.newaxis]
    y = np.linspace(-1.0, 1.0, size, dtype=np.float32)[:, np.newaxis]
    x = np.linspace(-1.0, 1.0, size, dtype=np.float32) / np.float32(0.85)
    radius = np.sqrt(z * z + y * y + x * x)
    brain = radius <= _SKULL_INNER_RADIUS
    skull = (radius <= _SKULL_OUTER_RADIUS) & ~brain
    if opened:
        skull &= ~((x > 0.5) & (np.abs(y) < 0.15) & (np.abs(z - 0.2) < 0.15))
    white = np.sqrt(z * z + y * y + x * x * 1.3) <= _SKULL_INNER_RADIUS - 0.15
    ventricles = (np.abs(np.abs(x) - 0.12) < 0.05) & (np.abs(y) < 0.25) & (np.abs(z) < 0.2)
    values = np.full(radius.shape, tissue.air, dtype=np.float32)
    values[:, y[:, 0] > 0.93] = tissue.rest
    values[radius <= _SKIN_RADIUS] = tissue.skin
    values[skull] = tissue.bone
    values[brain] = tissue.fluid
    values[radius <= _SKULL_INNER_RADIUS - _FLUID_THICKNESS] = tissue.grey
    values[white] = tissue.white
    values[white & ventricles] = tissue.fluid
    values[brain & ((y + 0.3) ** 2 + x * x < 0.002)] = tissue.vessel
    if shaded:
        values *= 1.15 - 0.3 * (y + 1) / 2
    noise = np.random.default_rng(_SEED).normal(0, tissue.noise, values.shape)
    values += noise.astype(np.float32)
    if kind is np.uint16:
        np.abs(values, out=values)
    return HeadPhantom(_stored(values, kind), brain)


def _stored(values: npt.NDArray[np.float32], kind: type[Any]) -> npt.NDArray[Any]:
    """The values as the volume holds them: whole ones, but for a scaled (floating) volume."""
    return values if kind is np.float32 else np.rint(values).astype(kind)
