"""How slices lie in the patient, in words and letters."""

import math
from collections.abc import Sequence

import numpy as np

from pipeline.geometry import Vector

_SLICES_ACROSS = ("sagittal", "coronal", "axial")
_STRAIGHT_DEGREES = 0.5


def orientation_name(normal: Vector) -> str:
    """Axial, coronal or sagittal, and how oblique.

    Parameters
    ----------
    normal
        Unit normal of the slices, LPS.
    """
    cosine, name = max(zip(map(abs, normal), _SLICES_ACROSS, strict=True))
    degrees = math.degrees(math.acos(min(1.0, cosine)))
    return name if degrees < _STRAIGHT_DEGREES else f"oblique, {degrees:.1f} degrees from {name}"


def affine_orientation(affine: Sequence[Sequence[float]]) -> str:
    """The same of a grid.

    Parameters
    ----------
    affine
        4 x 4, (slice, row, column, 1) to LPS mm.
    """
    x, y, z = np.array(affine)[:3, 0] / np.linalg.norm(np.array(affine)[:3, 0])
    return orientation_name((float(x), float(y), float(z)))
