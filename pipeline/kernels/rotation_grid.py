"""The samples of a plane seen from an angle: rays through it, side by side, one step apart."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import cosdg, sindg

_HALF_TURN = 180.0
_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class RotationGrid:
    """Parallel rays that cover a plane from every angle.

    A ray is a column of the grid, its samples lie ``step_mm`` apart, as the rays do; the middle
    of the grid is the middle of the plane. At 0 degrees rays follow the rows' growing index, side
    by side by growing column; at 90 degrees they follow the falling column index, side by side by
    growing row.

    Parameters
    ----------
    rows, columns
        Voxels of the plane.
    row_mm, column_mm
        Between neighbouring rows and columns.
    """

    rows: int
    columns: int
    row_mm: float
    column_mm: float

    @property
    def step_mm(self) -> float:
        """Between samples and between rays: the finer spacing of the plane."""
        return min(self.row_mm, self.column_mm)

    @property
    def depth(self) -> int:
        """Samples of a ray."""
        return self._cover(self._upright[0])

    @property
    def width(self) -> int:
        """Rays side by side: the plane's diagonal."""
        return self._cover(self._upright[1])

    @property
    def centre(self) -> tuple[float, float]:
        """The axis of rotation as (row, column), in voxels."""
        return (self.rows - 1) / 2, (self.columns - 1) / 2

    @property
    def first(self) -> tuple[int, int]:
        """The index of the grid's first sample (along the ray, across), as `mapping` takes it.

        Index 0 is where the upright plane begins, so that samples fall on voxels at 0 degrees.
        """
        upright = self._upright
        return (upright[0] - self.depth) // 2, (upright[1] - self.width) // 2

    def mapping(self, angle_deg: float) -> npt.NDArray[np.float64]:
        """The linear part and the offset from samples to voxels at an angle.

        Parameters
        ----------
        angle_deg
            0 or more and less than 180: beyond, the view is the mirror image.

        Returns
        -------
        float64 (row or column, (along, across, offset)): the place in voxels of a sample is
        ``along * [:, 0] + across * [:, 1] + [:, 2]``.
        """
        cosine, sine = float(cosdg(angle_deg)), float(sindg(angle_deg))
        steps = np.array([[self.step_mm / self.row_mm], [self.step_mm / self.column_mm]])
        linear = np.array([[cosine, sine], [-sine, cosine]]) * steps
        middle = (np.array(self._upright) - 1) / 2
        return np.column_stack((linear, np.array(self.centre) - linear @ middle))

    @property
    def _upright(self) -> tuple[int, int]:
        """Samples that the plane takes at 0 degrees; its own rows and columns where square."""
        return (
            round((self.rows - 1) * self.row_mm / self.step_mm) + 1,
            round((self.columns - 1) * self.column_mm / self.step_mm) + 1,
        )

    def _cover(self, upright: int) -> int:
        """Samples that cover the diagonal, about the same middle as ``upright`` ones."""
        diagonal_mm = math.hypot((self.rows - 1) * self.row_mm, (self.columns - 1) * self.column_mm)
        samples = max(upright, math.ceil(diagonal_mm / self.step_mm) + 1)
        return samples + (samples - upright) % 2


def view_angles(count: int, span_deg: float) -> list[float]:
    """Angles evenly over a span, from 0 on, in degrees with nine decimals."""
    return [round(view * span_deg / count, _DECIMALS) for view in range(count)]


def half_turn(angle_deg: float) -> tuple[float, bool]:
    """An angle of 0 or more as one below 180 degrees, and whether its view mirrors that one's.

    Rays through the same voxels in the other direction have the same maximum. Rounded, so that an
    angle and the one half a turn further give the very same number.
    """
    turned = math.fmod(angle_deg, 2 * _HALF_TURN)
    mirrored = turned >= _HALF_TURN
    return round(turned - _HALF_TURN if mirrored else turned, _DECIMALS), mirrored
