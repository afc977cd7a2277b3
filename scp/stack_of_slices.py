"""Whether slices that came lie as a whole stack does: evenly, each position as often."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median

_FEWEST = 3
_SAME_MM = 0.01
_UNEVEN = 0.02  # of the usual distance
_PARALLEL = 1e-3

Vector = tuple[float, float, float]


class StackKind(StrEnum):
    """How slices lie."""

    REGULAR = "regular"
    IRREGULAR = "irregular"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Slice:
    """Where a slice lies.

    Parameters
    ----------
    position_mm
        Image Position (Patient), LPS.
    normal
        Unit vector across it.
    """

    position_mm: Vector
    normal: Vector


@dataclass(frozen=True, slots=True)
class Stack:
    """What is found, and how a person is told."""

    kind: StackKind
    description: str

    @classmethod
    def of(cls, slices: Sequence[Slice | None]) -> "Stack":
        """Look at the slices of a series; None stands for an instance that is no slice."""
        placed = [each for each in slices if each is not None]
        if len(placed) < max(_FEWEST, len(slices)):
            return cls(StackKind.NONE, "no stack: not every instance has a position")
        if not all(_is_parallel(each.normal, placed[0].normal) for each in placed):
            return cls(StackKind.NONE, "no stack: the slices are not parallel")
        levels = _levels(sorted(_along(placed[0].normal, each) for each in placed))
        if len(levels) < _FEWEST:
            return cls(StackKind.NONE, f"no stack: {len(levels)} positions")
        return _judged(levels)


def _is_parallel(one: Vector, other: Vector) -> bool:
    return all(abs(a - b) < _PARALLEL for a, b in zip(one, other, strict=True))


def _along(normal: Vector, each: Slice) -> float:
    return sum(a * b for a, b in zip(normal, each.position_mm, strict=True))


def _levels(along: Sequence[float]) -> list[tuple[float, int]]:
    """The distinct positions, in order, each with how many slices lie there."""
    levels: list[tuple[float, int]] = []
    for position in along:
        if levels and position - levels[-1][0] < _SAME_MM:
            levels[-1] = (levels[-1][0], levels[-1][1] + 1)
        else:
            levels.append((position, 1))
    return levels


def _judged(levels: Sequence[tuple[float, int]]) -> Stack:
    steps = [high[0] - low[0] for low, high in pairwise(levels)]
    usual = median(steps)
    widest = max(steps)
    if widest - usual > max(_SAME_MM, _UNEVEN * usual):
        return Stack(
            StackKind.IRREGULAR, f"a gap of {widest:.2f} mm where {usual:.2f} mm are usual"
        )
    if usual - min(steps) > max(_SAME_MM, _UNEVEN * usual):
        return Stack(StackKind.IRREGULAR, f"distances from {min(steps):.2f} to {widest:.2f} mm")
    times = {count for _, count in levels}
    if len(times) > 1:
        return Stack(
            StackKind.IRREGULAR,
            f"some positions {min(times)} times, others {max(times)} times",
        )
    return Stack(StackKind.REGULAR, f"{len(levels)} positions, {usual:.2f} mm apart, no gap")
