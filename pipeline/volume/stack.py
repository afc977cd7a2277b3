"""A pass over a series as an even stack of slices, or the reason why it is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.errors import SeriesGeometryError
from pipeline.geometry import Vector
from pipeline.volume.passes import Placed
from pipeline.volume.policy import Fill, RebuildPolicy, Tilt
from pipeline.volume.receipt import Dropped

FloatArray = npt.NDArray[np.float64]

_MINIMUM_SLICES = 2
_NAMED_POSITIONS = 5
# The reference's own thickness is kept where the far end of the volume is the same to this.
_END_TO_END_MM = 1e-3
# Positions rounded to 0.1 mm are off by just the tolerance.
_OF_FLOATS_MM = 1e-9
_MOST_MISSING_SHARE = 0.25
# Gantries tilt by up to 30 degrees; slices that lie beside one another are no tilted stack.
_MOST_TILT_DEGREES = 45.0
_SECOND_SPACING_RUN = 3


@dataclass(frozen=True, eq=False, slots=True)
class Stack:
    """Slices at even distances.

    Parameters
    ----------
    placed
        What was measured, in order of position.
    slots
        For each of them its slice in the volume, from 0.
    spacing_mm
        Between slices.
    spacing_rule
        Where that comes from.
    thickness_mm
        Distance of the first two positions, the reference's slice thickness.
    shift_mm
        How far, in the plane, each slice lies from the one before: zero but for gantry tilt.
    dropped
        What a policy cut off.
    warnings
        What a policy changed, a sentence each.
    """

    placed: tuple[Placed, ...]
    slots: tuple[int, ...]
    spacing_mm: float
    spacing_rule: str
    thickness_mm: float
    shift_mm: Vector = (0.0, 0.0, 0.0)
    dropped: tuple[Dropped, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Slices of the volume."""
        return self.slots[-1] + 1

    @property
    def is_tilted(self) -> bool:
        """Whether slices shift in the plane."""
        return any(self.shift_mm)


def even_stack(
    series: str, placed: Sequence[Placed], slice_direction: Vector, policy: RebuildPolicy
) -> Stack:
    """The stack of a pass.

    Parameters
    ----------
    series
        Series Instance UID, for messages.
    placed
        In order of position, each position once.
    slice_direction
        Unit normal of the slices.
    policy
        What a site allows.

    Raises
    ------
    SeriesGeometryError
        There are too few slices, some are missing, distances or shifts are uneven.
    """
    if len(placed) < _MINIMUM_SLICES:
        raise SeriesGeometryError(
            series,
            "it has one slice only, and a volume needs two or more. Send the whole series.",
        )
    placed, slots, dropped, warnings = _slots(series, placed, policy)
    positions = _positions(placed)
    spacing, spacing_rule = _spacing(positions, slots)
    shift = _shift(series, placed, slots, slice_direction, policy.tolerance_for(spacing))
    if any(shift):
        warnings = (*warnings, _tilt_warning(series, shift, spacing, policy))
    return Stack(
        placed=tuple(placed),
        slots=slots,
        spacing_mm=spacing,
        spacing_rule=spacing_rule,
        thickness_mm=float(positions[1] - positions[0]),
        shift_mm=shift,
        dropped=dropped,
        warnings=warnings,
    )


def _positions(placed: Sequence[Placed]) -> FloatArray:
    return np.array([item.position_mm for item in placed])


def _slots(
    series: str, placed: Sequence[Placed], policy: RebuildPolicy
) -> tuple[Sequence[Placed], tuple[int, ...], tuple[Dropped, ...], tuple[str, ...]]:
    """Slices, the place of each in the volume, what was cut off, and what was changed."""
    positions = _positions(placed)
    even = tuple(range(len(placed)))
    if _fits(positions, even, policy):
        return placed, even, (), ()
    if policy.fill is Fill.LONGEST_RUN:
        return _longest_run(series, placed, policy)
    slots = _slots_with_gaps(positions)
    missing = _missing(positions, slots)
    if not _is_second_spacing(positions) and _fits(positions, slots, policy):
        share = len(missing) / (slots[-1] + 1)
        if policy.fill is Fill.INTERPOLATE and share <= _MOST_MISSING_SHARE:
            return placed, slots, (), (f"{_missing_text(missing)}; interpolated.",)
        way_out = (
            ", or set fill in the pipeline's rebuild settings."
            if policy.fill is Fill.REFUSE
            else f": no more than {_MOST_MISSING_SHARE:.0%} of a volume are interpolated."
        )
        raise SeriesGeometryError(
            series, f"{_missing_text(missing)}. Send the whole series again{way_out}"
        )
    raise SeriesGeometryError(series, _why_uneven(positions, policy))


def _fits(positions: FloatArray, slots: Sequence[int], policy: RebuildPolicy) -> bool:
    """Whether all positions lie where a stack, even between its ends, has these slots."""
    spacing = (positions[-1] - positions[0]) / slots[-1]
    expected = positions[0] + spacing * np.array(slots)
    tolerance = policy.tolerance_for(spacing) + _OF_FLOATS_MM
    return bool(np.abs(positions - expected).max() <= tolerance)


def _slots_with_gaps(positions: FloatArray) -> tuple[int, ...]:
    """The slots of positions when the commonest distance is the spacing and some are missing."""
    gaps = np.diff(positions)
    steps = np.maximum(1, np.rint(gaps / _typical(gaps))).astype(int)
    return (0, *(int(slot) for slot in np.cumsum(steps)))


def _typical(gaps: FloatArray) -> float:
    """The middle one of the distances by size, the smaller of two in the middle."""
    return float(np.sort(gaps)[(len(gaps) - 1) // 2])


def _missing(positions: FloatArray, slots: Sequence[int]) -> list[float]:
    """Positions, in mm, of the slots that no slice has."""
    empty = sorted(set(range(slots[-1])) - set(slots))
    spacing = (positions[-1] - positions[0]) / slots[-1]
    return [float(positions[0] + spacing * slot) for slot in empty]


def _missing_text(missing: Sequence[float]) -> str:
    named = ", ".join(f"{position:.2f} mm" for position in missing[:_NAMED_POSITIONS])
    more = len(missing) - _NAMED_POSITIONS
    return f"{len(missing)} slice(s) are missing, at {named}" + (
        f" and {more} more" if more > 0 else ""
    )


def _is_second_spacing(positions: FloatArray) -> bool:
    """Whether several neighbouring distances are alike and unlike the commonest."""
    gaps = np.diff(positions)
    typical = _typical(gaps)
    run = 1
    for one, other in pairwise(gaps):
        alike = abs(one - other) < _MOST_MISSING_SHARE * typical
        unlike_typical = abs(one - typical) > _MOST_MISSING_SHARE * typical
        run = run + 1 if alike and unlike_typical else 1
        if run >= _SECOND_SPACING_RUN:
            return True
    return False


def _why_uneven(positions: FloatArray, policy: RebuildPolicy) -> str:
    gaps = np.diff(positions)
    typical = _typical(gaps)
    wrong = np.flatnonzero(np.abs(gaps - typical) > policy.tolerance_for(typical))
    if _is_second_spacing(positions):
        other = _typical(gaps[wrong])
        return (
            f"it holds slices {typical:.2f} mm apart and others {other:.2f} mm apart, changing at "
            f"{positions[wrong[0]]:.2f} mm. Send each stack as a series of its own."
        )
    if not wrong.size:
        return (
            f"distances between its slices drift from {gaps[0]:.3f} mm to {gaps[-1]:.3f} mm: it is "
            "no even stack. Send a series reconstructed at even distances."
        )
    named = ", ".join(
        f"{gaps[i]:.2f} mm after {positions[i]:.2f} mm" for i in wrong[:_NAMED_POSITIONS]
    )
    return (
        f"its slices are {typical:.2f} mm apart, but {wrong.size} of {gaps.size} distances differ: "
        f"{named}. Send the whole series, or one reconstructed at even distances."
    )


def _longest_run(
    series: str, placed: Sequence[Placed], policy: RebuildPolicy
) -> tuple[Sequence[Placed], tuple[int, ...], tuple[Dropped, ...], tuple[str, ...]]:
    """The longest even part of a pass; the first of equals."""
    positions = _positions(placed)
    gaps = np.diff(positions)
    best = (0, 0)
    start = 0
    for end in range(1, len(gaps) + 1):
        tolerance = policy.tolerance_for(float(gaps[start]))
        if end == len(gaps) or abs(gaps[end] - gaps[start]) > tolerance:
            best = max(best, (end - start, -start))
            start = end
    length, first = best[0], -best[1]
    run = placed[first : first + length + 1]
    if len(run) <= _MINIMUM_SLICES or not _fits(_positions(run), range(len(run)), policy):
        raise SeriesGeometryError(series, _why_uneven(positions, policy))
    kept = {id(item) for item in run}
    dropped = tuple(
        Dropped(item.plane.frame.name, "outside the longest even run of slices")
        for item in placed
        if id(item) not in kept
    )
    warning = (
        f"Slices are missing or uneven; only the longest even run is used, {len(run)} of "
        f"{len(placed)} slices from {run[0].position_mm:.2f} mm to {run[-1].position_mm:.2f} mm."
    )
    return run, tuple(range(len(run))), dropped, (warning,)


def _spacing(positions: FloatArray, slots: Sequence[int]) -> tuple[float, str]:
    """The distance between slices and where it comes from.

    The first two positions say it, as in the reference, unless rounding in the header would carry
    the far end of the volume away.
    """
    first_two = float(positions[1] - positions[0])
    mean = float((positions[-1] - positions[0]) / slots[-1])
    if slots[1] == 1 and abs(first_two - mean) * slots[-1] <= _END_TO_END_MM:
        return first_two, "distance of the first two positions"
    return mean, "mean distance between the first and the last position"


def _shift(
    series: str,
    placed: Sequence[Placed],
    slots: Sequence[int],
    slice_direction: Vector,
    tolerance: float,
) -> Vector:
    """How far each slice lies, in the plane, from the one before; zero within the tolerance.

    Raises
    ------
    SeriesGeometryError
        Slices shift, but not evenly.
    """
    normal = np.array(slice_direction)
    offsets = np.array([item.plane.position_mm for item in placed])
    offsets = offsets - offsets[0]
    sideways = offsets - np.outer(offsets @ normal, normal)
    if np.linalg.norm(sideways, axis=1).max() <= tolerance:
        return (0.0, 0.0, 0.0)
    step = sideways[-1] / slots[-1]
    uneven = np.linalg.norm(sideways - np.outer(slots, step), axis=1)
    if uneven.max() > tolerance:
        worst = placed[int(uneven.argmax())].plane.frame.name
        raise SeriesGeometryError(
            series,
            f"its slices do not lie behind one another: they shift in the plane by up to "
            f"{np.linalg.norm(sideways, axis=1).max():.2f} mm, most unevenly at instance {worst}. "
            "Send each stack as a series of its own.",
        )
    x, y, z = (float(value) for value in step)
    return x, y, z


def _tilt_warning(series: str, shift: Vector, spacing: float, policy: RebuildPolicy) -> str:
    """What to say of a tilted stack.

    Raises
    ------
    SeriesGeometryError
        The policy takes none, or no gantry tilts so far.
    """
    step = float(np.linalg.norm(shift))
    angle = float(np.degrees(np.arctan2(step, spacing)))
    if angle > _MOST_TILT_DEGREES:
        raise SeriesGeometryError(
            series,
            f"its slices do not lie behind one another: each lies {step:.2f} mm sideways of the "
            f"one before and {spacing:.2f} mm further. Send each stack as a series of its own.",
        )
    if policy.tilt is Tilt.REFUSE:
        raise SeriesGeometryError(
            series,
            f"each slice lies {step:.2f} mm sideways of the one before, as with a gantry tilted by "
            f"{angle:.1f} degrees. Send a series without tilt, or set tilt to 'resample' in the "
            "pipeline's rebuild settings.",
        )
    return f"The gantry was tilted by {angle:.1f} degrees; slices were shifted back in the plane."
