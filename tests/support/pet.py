"""A PET-like body to project: analytic, the same voxels on every run and machine.

Only sums, products and quotients make the shapes, and the noise comes from a raw random stream
that is guaranteed to stay.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.geometry import Spacing

FloatVolume = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ball:
    """Uptake in an ellipsoid: centre and radii as shares of (slice, row, column)."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    uptake: float


BODY = Ball((0.5, 0.5, 0.5), (0.49, 0.30, 0.44), 0.6)
BRAIN = Ball((0.92, 0.5, 0.5), (0.06, 0.16, 0.15), 9.0)
HEART = Ball((0.68, 0.40, 0.58), (0.06, 0.09, 0.10), 5.0)
LIVER = Ball((0.55, 0.46, 0.36), (0.09, 0.16, 0.18), 2.5)
BLADDER = Ball((0.12, 0.38, 0.5), (0.05, 0.08, 0.09), 20.0)
LESIONS = (
    Ball((0.60, 0.62, 0.30), (0.02, 0.03, 0.03), 7.0),
    Ball((0.40, 0.50, 0.66), (0.03, 0.04, 0.04), 4.0),
    Ball((0.12, 0.55, 0.52), (0.02, 0.03, 0.03), 6.0),
)


def pet_phantom(
    slices: int = 40, size: int = 64, seed: int = 7, *, balls: tuple[Ball, ...] = LESIONS
) -> tuple[FloatVolume, Spacing]:
    """Make a body with hot organs and lesions.

    Parameters
    ----------
    slices, size
        Slices, and rows and columns of a square slice.
    seed
        Of the noise.
    balls
        Drawn over the organs.

    Returns
    -------
    float32 (slice, row, column), 0 outside the inscribed circle of each slice, and the spacing.
    """
    place = np.meshgrid(
        *((np.arange(count) + 0.5) / count for count in (slices, size, size)),
        indexing="ij",
        sparse=True,
    )
    uptake = np.full((slices, size, size), 0.02, np.float32)
    for ball in (BODY, BRAIN, HEART, LIVER, BLADDER, *balls):
        uptake[inside(ball, place)] = ball.uptake
    noise = np.random.PCG64(seed).random_raw(uptake.size).reshape(uptake.shape)
    uptake *= 1 + (noise >> np.uint64(40)).astype(np.float32) / 2**26
    uptake[np.broadcast_to(_from_axis(place) > 0.24, uptake.shape)] = 0
    return uptake, Spacing(3.0, 4.0, 4.0)


def inside(ball: Ball, place: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.bool_]:
    """Whether each place lies in the ball."""
    return (
        sum(
            ((axis - middle) / radius) ** 2
            for axis, middle, radius in zip(place, ball.centre, ball.radii, strict=True)
        )
        <= 1
    )


def _from_axis(place: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Squared distance from the axis of rotation as a share of the slice's width."""
    return (place[1] - 0.5) ** 2 + (place[2] - 0.5) ** 2
