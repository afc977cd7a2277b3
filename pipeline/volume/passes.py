"""Planes that share positions: one of each for every volume, by the reference's rule or a sounder.

The reference counts how often the first position occurs, m times say, and keeps the first
``len / m`` instances by Instance Number. Where that is sound, the first volume made here is the
same.

Source: seed 003, ``load_scan``.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf

from pipeline.errors import SeriesGeometryError
from pipeline.volume.mixing import (
    check_not_patched,
    check_one_contrast,
    numbered_apart,
    numbered_as_one_pass,
)
from pipeline.volume.phases import Group, split_by_attribute, split_by_order
from pipeline.volume.plane import Plane, named
from pipeline.volume.receipt import Dropped

# Decimal strings hold 16 characters; a projection on an oblique normal is exact to far better.
_SAME_POSITION_MM = 1e-3


@dataclass(frozen=True, eq=False, slots=True)
class Placed:
    """A plane and where it lies along the slice direction, in mm."""

    plane: Plane
    position_mm: float


@dataclass(frozen=True, eq=False, slots=True)
class Pass:
    """One plane for each position.

    Parameters
    ----------
    placed
        In order of position.
    rule
        How they were chosen.
    attributes
        What tells them from other passes of the series; empty where there are none.
    dropped
        What shares their positions and was left out.
    warnings
        What a reader of the volume should know, a sentence each.
    """

    placed: tuple[Placed, ...]
    rule: str
    attributes: tuple[tuple[str, str], ...] = ()
    dropped: tuple[Dropped, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def planes(self) -> list[Plane]:
        """The planes in order of position."""
        return _planes(self.placed)


def passes_of(series: str, placed: Sequence[Placed]) -> list[Pass]:
    """The passes over a series, the one with the lowest Instance Number first.

    Parameters
    ----------
    series
        Series Instance UID, for messages.
    placed
        In order of position.

    Raises
    ------
    SeriesGeometryError
        Positions are shared and nothing tells which planes belong together, or slices were lost
        such that what is left mixes volumes.
    """
    found = _passes(series, placed)
    for one in found:
        check_one_contrast(series, one.planes)
    return found


def position_indices(placed: Sequence[Placed]) -> list[int]:
    """For each of the placed planes, in order, the number of its position from 0."""
    indices = [0]
    for one, other in pairwise(placed):
        apart = other.position_mm - one.position_mm > _SAME_POSITION_MM
        indices.append(indices[-1] + int(apart))
    return indices


def _passes(series: str, placed: Sequence[Placed]) -> list[Pass]:
    indices = position_indices(placed)
    if len(set(indices)) == len(placed):
        return [Pass(tuple(placed), "every position once")]
    planes = _planes(placed)
    groups = split_by_attribute(planes, indices)
    full = [group for group in groups if len(group.planes) == len(set(indices))]
    if full:
        return _full_passes(full, groups, placed)
    if groups and not groups[0].repeats:
        raise SeriesGeometryError(series, _why_mixed(groups, len(set(indices))))
    first = _first_by_number(placed, indices)
    ordered = [] if groups else split_by_order(planes, indices)
    if ordered and (not first or _is_one_of(first, ordered)):
        return [_pass_of(group, placed) for group in ordered]
    chosen = (
        _reference_pass(first, placed, indices)
        if first
        else _first_of_each(series, placed, indices)
    )
    check_not_patched(series, chosen.planes, planes, indices)
    return [chosen]


def _planes(placed: Sequence[Placed]) -> list[Plane]:
    return [item.plane for item in placed]


def _full_passes(
    full: Sequence[Group], groups: Sequence[Group], placed: Sequence[Placed]
) -> list[Pass]:
    """A pass for each group that covers all positions; the others are dropped, named."""
    left_out = [group for group in groups if group not in full]
    dropped = tuple(
        Dropped(plane.frame.name, f"of {_described(group)}, which does not cover all positions")
        for group in left_out
        for plane in group.planes
    )
    warnings = tuple(
        f"The series also holds {len(group.planes)} slices of {_described(group)}, which do not "
        "cover all positions: they are left out."
        for group in left_out
    )
    return [replace(_pass_of(group, placed), dropped=dropped, warnings=warnings) for group in full]


def _pass_of(group: Group, placed: Sequence[Placed]) -> Pass:
    members = {id(plane) for plane in group.planes}
    return Pass(
        placed=tuple(item for item in placed if id(item.plane) in members),
        rule=f"split by {' and '.join(keyword for keyword, _ in group.attributes)}",
        attributes=group.attributes,
    )


def _described(group: Group) -> str:
    return ", ".join(f"{keyword} {value}" for keyword, value in group.attributes)


def _why_mixed(groups: Sequence[Group], positions: int) -> str:
    described = "; ".join(f"{_described(group)}: {len(group.planes)}" for group in groups[:5])
    return (
        f"it holds {len(groups)} volumes over {positions} positions, and none of them covers all "
        f"({described}). Slices of each are missing; send the whole series again."
    )


def _first_by_number(placed: Sequence[Placed], indices: Sequence[int]) -> list[Placed]:
    """What the reference keeps: the first by Instance Number, a share told by the first position.

    Returns
    -------
    In order of position; empty where it is not each position once, or may be of several passes.
    """
    length = len(set(indices))
    numbers = [item.plane.instance_number for item in placed]
    if len(placed) // indices.count(0) != length or None in numbers:
        return []
    order = sorted(range(len(placed)), key=lambda index: numbers[index] or 0.0)
    chosen, rest = sorted(order[:length]), order[length:]
    tied = rest and numbers[rest[0]] == numbers[order[length - 1]]
    kept = [placed[index] for index in chosen]
    once = len({indices[index] for index in chosen}) == length
    one_pass = numbered_as_one_pass(_planes(kept), _planes(placed))
    return kept if once and one_pass and not tied else []


def _is_one_of(chosen: Sequence[Placed], groups: Sequence[Group]) -> bool:
    members = {id(item.plane) for item in chosen}
    return any(members == {id(plane) for plane in group.planes} for group in groups)


def _reference_pass(
    chosen: Sequence[Placed], placed: Sequence[Placed], indices: Sequence[int]
) -> Pass:
    count, length = indices.count(0), len(chosen)
    which = "every position" if count * length == len(placed) else "the first position"
    kept = {id(item) for item in chosen}
    return Pass(
        placed=tuple(chosen),
        rule=f"{which} {count} times; the first {length} by Instance Number kept",
        dropped=tuple(
            Dropped(item.plane.frame.name, "a later pass over the same positions")
            for item in placed
            if id(item) not in kept
        ),
    )


def _first_of_each(series: str, placed: Sequence[Placed], indices: Sequence[int]) -> Pass:
    """At each position the first by acquisition, then by Instance Number.

    Raises
    ------
    SeriesGeometryError
        All positions are shared alike, or planes at one position have no number to go by.
    """
    places: dict[int, list[Placed]] = defaultdict(list)
    for item, index in zip(placed, indices, strict=True):
        places[index].append(item)
    shared = [members for members in places.values() if len(members) > 1]
    if len(shared) == len(places):
        raise SeriesGeometryError(
            series,
            f"its {len(placed)} instances lie at {len(places)} positions, and nothing in their "
            "headers tells which belong together: phases, echoes or passes are mixed. Send each "
            "as a series of its own.",
        )
    kept, dropped = [], []
    for members in places.values():
        first, *others = sorted(members, key=_acquisition_and_number)
        if others and _acquisition_and_number(first) == _acquisition_and_number(others[0]):
            raise SeriesGeometryError(
                series,
                f"instances share a position ({named(item.plane.frame.name for item in members)}) "
                "and neither Acquisition Number nor Instance Number tells which came first. Send "
                "each pass as a series of its own.",
            )
        kept.append(first)
        dropped += [
            Dropped(item.plane.frame.name, f"at the position of {first.plane.frame.name}")
            for item in others
        ]
    acquisitions = {item.plane.acquisition_number for item in kept}
    planes = _planes(placed)
    if len(acquisitions) == 1 and not numbered_apart(_planes(kept), planes, indices):
        raise SeriesGeometryError(
            series,
            f"{len(shared)} of its {len(places)} positions are shared, and Instance Numbers do not "
            "tell which planes belong together. Send each pass as a series of its own.",
        )
    return Pass(
        placed=tuple(kept),
        rule=(
            f"{len(shared)} of {len(places)} positions shared; the first by acquisition, then by "
            "Instance Number kept"
        ),
        dropped=tuple(dropped),
    )


def _acquisition_and_number(item: Placed) -> tuple[float, float]:
    plane = item.plane
    return (
        inf if plane.acquisition_number is None else plane.acquisition_number,
        inf if plane.instance_number is None else plane.instance_number,
    )
