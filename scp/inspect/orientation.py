"""How slices lie in the patient, in words and letters."""

import math
from collections.abc import Sequence

import numpy as np

from pipeline.geometry import Vector

_SLICES_ACROSS = ("sagittal", "coronal", "axial")
# Towards growing and falling x, y, z of the patient coordinate system (LPS).
_LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
_STRAIGHT_DEGREES = 0.5
# The sine of 15 degrees: a second letter is written where an edge leans by more.
_LEANS = 0.2588


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


def direction_letters(direction: Vector) -> str:
    """Where a direction points to: L, R, A, P, H, F, the largest part first.

    Parameters
    ----------
    direction
        Unit vector, LPS.

    Source: PS3.3 C.7.6.1.1.1 (Patient Orientation).
    """
    parts = sorted(
        ((abs(part), letters[part < 0]) for part, letters in zip(direction, _LETTERS, strict=True)),
        key=lambda item: -item[0],
    )
    return "".join(letter for share, letter in parts if share > _LEANS)
