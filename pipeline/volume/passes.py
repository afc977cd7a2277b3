"""Planes that share positions: one of each for every volume, by the reference's rule or a sounder.

The reference counts how often the first position occurs, m times say, and keeps the first
``len / m`` instances by Instance Number. Where that is sound, the first volume made here is the
same.

Source: seed 003, ``load_scan``.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from pipeline.errors import SeriesGeometryError
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
    """

    placed: tuple[Placed, ...]
    rule: str
    attributes: tuple[tuple[str, str], ...] = ()
    dropped: tuple[Dropped, ...] = ()


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
        Positions are shared and nothing tells which planes belong together.
    """
    indices = position_indices(placed)
    if len(set(indices)) == len(placed):
        return [Pass(tuple(placed), "every position once")]
    planes = [item.plane for item in placed]
    groups = split_by_attribute(planes, indices)
    full = [group for group in groups if len(group.planes) == len(set(indices))]
    if full:
        return _full_passes(full, groups, placed)
    if groups and not groups[0].repeats:
        raise SeriesGeometryError(series, _why_mixed(groups, len(set(indices))))
    chunks = _by_instance_number(placed, indices)
    ordered = [] if groups else split_by_order(planes, indices)
    if ordered and (not chunks or _same_sets(ordered, chunks)):
        return [_pass_of(group, placed) for group in ordered]
    if chunks:
        return [_first_chunk(chunks)]
    return [_first_of_each(series, placed, indices)]


def position_indices(placed: Sequence[Placed]) -> list[int]:
    """For each of the placed planes, in order, the number of its position from 0."""
    indices = [0]
    for one, other in pairwise(placed):
        apart = other.position_mm - one.position_mm > _SAME_POSITION_MM
        indices.append(indices[-1] + int(apart))
    return indices


def _full_passes(
    full: Sequence[Group], groups: Sequence[Group], placed: Sequence[Placed]
) -> list[Pass]:
    """A pass for each group that covers all positions; the others are dropped, named."""
    dropped = tuple(
        Dropped(plane.frame.name, f"of {_described(group)}, which does not cover all positions")
        for group in groups
        if group not in full
        for plane in group.planes
    )
    return [_pass_of(group, placed, dropped) for group in full]


def _pass_of(group: Group, placed: Sequence[Placed], dropped: tuple[Dropped, ...] = ()) -> Pass:
    members = {id(plane) for plane in group.planes}
    return Pass(
        placed=tuple(item for item in placed if id(item.plane) in members),
        rule=f"split by {' and '.join(keyword for keyword, _ in group.attributes)}",
        attributes=group.attributes,
        dropped=dropped,
    )


def _described(group: Group) -> str:
    return ", ".join(f"{keyword} {value}" for keyword, value in group.attributes)


def _why_mixed(groups: Sequence[Group], positions: int) -> str:
    described = "; ".join(f"{_described(group)}: {len(group.planes)}" for group in groups[:5])
    return (
        f"it holds {len(groups)} volumes over {positions} positions, and none of them covers all "
        f"({described}). Slices of each are missing; send the whole series again."
    )


def _by_instance_number(placed: Sequence[Placed], indices: Sequence[int]) -> list[list[Placed]]:
    """The reference's passes: as many, by Instance Number, as the first position has planes.

    Returns
    -------
    Empty where that leaves a position out of a pass or doubles it there.
    """
    count = indices.count(0)
    length = len(set(indices))
    numbers = [item.plane.instance_number for item in placed]
    if len(placed) != count * length or None in numbers or len(set(numbers)) < len(numbers):
        return []
    order = sorted(range(len(placed)), key=lambda index: numbers[index] or 0.0)
    chunks = [sorted(order[start : start + length]) for start in range(0, len(order), length)]
    if any(len({indices[index] for index in chunk}) != length for chunk in chunks):
        return []
    return [[placed[index] for index in chunk] for chunk in chunks]


def _same_sets(groups: Sequence[Group], chunks: Sequence[Sequence[Placed]]) -> bool:
    by_group = {frozenset(id(plane) for plane in group.planes) for group in groups}
    by_chunk = {frozenset(id(item.plane) for item in chunk) for chunk in chunks}
    return by_group == by_chunk


def _first_chunk(chunks: Sequence[Sequence[Placed]]) -> Pass:
    return Pass(
        placed=tuple(chunks[0]),
        rule=(
            f"every position {len(chunks)} times; the first {len(chunks[0])} by Instance Number "
            "kept"
        ),
        dropped=tuple(
            Dropped(item.plane.frame.name, "a later pass over the same positions")
            for chunk in chunks[1:]
            for item in chunk
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
