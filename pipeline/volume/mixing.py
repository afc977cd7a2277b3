"""Whether planes chosen for one volume belong together: no two echoes, phases or passes in it.

Where slices were lost, what is left at each position may look like a whole volume and be made of
two. Such a volume is refused rather than shown.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations, pairwise

from pipeline.errors import SeriesGeometryError
from pipeline.volume.plane import Plane
from pipeline.volume.telling import OF_ONE_VOLUME, REPEATING, TELLING, values_of

_WAY_OUT = "Slices of each are missing; send the whole series again."
_MOST_SHARED = 0.5


def check_one_contrast(series: str, planes: Sequence[Plane]) -> None:
    """Raise where planes of one volume differ in what no volume has two values of.

    Raises
    ------
    SeriesGeometryError
        They do; the message names the attribute and its values.
    """
    for keyword in OF_ONE_VOLUME:
        values = sorted(set(values_of(planes, keyword)))
        if len(values) > 1:
            described = ", ".join(value or "none" for value in values[:5])
            raise SeriesGeometryError(
                series,
                f"slices that would make one volume differ in {keyword} ({described}): they are of "
                f"{len(values)} volumes, and none of them is there for all positions. {_WAY_OUT}",
            )


def check_not_patched(
    series: str, kept: Sequence[Plane], planes: Sequence[Plane], positions: Sequence[int]
) -> None:
    """Raise where two values of an attribute are both kept, though they share positions.

    They are of two volumes then, and one was patched with the other. A scan that was taken up
    again is none of that: its acquisitions share a few positions where one ends and the other
    begins.

    Parameters
    ----------
    kept
        One plane for each position, in order of position.
    planes, positions
        All planes of the series, and the index of each one's position.

    Raises
    ------
    SeriesGeometryError
        The attribute is named.
    """
    for keyword in TELLING:
        places = _places(values_of(kept, keyword))
        if len(places) == 1:
            continue
        shared = _positions_shared(values_of(planes, keyword), positions)
        for pair, count in shared.items():
            both_kept = pair[0] in places and pair[1] in places
            taken_up_again = keyword in REPEATING and _follow(places, pair, count, len(kept))
            if both_kept and not taken_up_again:
                raise SeriesGeometryError(
                    series,
                    f"it holds several volumes that differ in {keyword}, and none covers all "
                    f"positions. {_WAY_OUT}",
                )


def _positions_shared(
    values: Sequence[str], positions: Sequence[int]
) -> dict[tuple[str, str], int]:
    """At how many positions two values occur together."""
    at_position: dict[int, set[str]] = defaultdict(set)
    for value, position in zip(values, positions, strict=True):
        at_position[position].add(value)
    shared: dict[tuple[str, str], int] = defaultdict(int)
    for together in at_position.values():
        for pair in combinations(sorted(together), 2):
            shared[pair] += 1
    return shared


def _places(values: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, value in enumerate(values):
        places[value].append(place)
    return places


def _follow(
    places: dict[str, list[int]], pair: tuple[str, str], shared: int, positions: int
) -> bool:
    """Whether of two acquisitions one begins about where the other ends."""
    one, other = sorted((places.get(pair[0], []), places.get(pair[1], [])))
    apart = not one or not other or one[-1] < other[0]
    return apart and shared <= _MOST_SHARED * positions


def in_one_run(kept: Sequence[Plane], planes: Sequence[Plane], positions: Sequence[int]) -> bool:
    """Whether Instance Numbers tell the kept planes of a position from the others there.

    They do where the kept ones are numbered before all others, or where numbers run along the
    stack. Else what is kept may be of one pass here and of another there.
    """
    chosen = {id(plane) for plane in kept}
    numbered = sorted(
        (plane.instance_number, position, id(plane) in chosen)
        for plane, position in zip(planes, positions, strict=True)
        if plane.instance_number is not None
    )
    last_kept = max((number for number, _, is_kept in numbered if is_kept), default=0.0)
    first_other = min((number for number, _, is_kept in numbered if not is_kept), default=0.0)
    along = [position for _, position, _ in numbered]
    rising = all(one <= other for one, other in pairwise(along))
    falling = all(one >= other for one, other in pairwise(along))
    return last_kept < first_other or rising or falling
