"""Whether planes chosen for one volume belong together: no two echoes, phases or passes in it.

Where slices were lost, what is left at each position may look like a whole volume and be made of
two. Such a volume is refused rather than shown.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations, pairwise
from math import inf

from pipeline.errors import SeriesGeometryError
from pipeline.volume.plane import Plane
from pipeline.volume.telling import OF_ONE_VOLUME, REPEATING, TELLING, is_uniform, values_of

_WAY_OUT = "Slices of each are missing; send the whole series again."
_MOST_SHARED = 0.25
_TWO = 2


def check_one_contrast(series: str, planes: Sequence[Plane]) -> None:
    """Raise where planes of one volume differ in what no volume has two values of.

    Raises
    ------
    SeriesGeometryError
        They do; the message names the attribute and its values.
    """
    for keyword in OF_ONE_VOLUME:
        if not is_uniform(planes, keyword):
            values = sorted(set(values_of(planes, keyword)))
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
        present = set(values_of(kept, keyword))
        if len(present) == 1:
            continue
        places = _places(values_of(planes, keyword), positions)
        for one, other in combinations(sorted(present), 2):
            shared = places[one] & places[other]
            taken_up_again = keyword in REPEATING and _follow(places[one], places[other], len(kept))
            if shared and not taken_up_again:
                raise SeriesGeometryError(
                    series,
                    f"it holds several volumes that differ in {keyword}, and none covers all "
                    f"positions. {_WAY_OUT}",
                )


def _places(values: Sequence[str], positions: Sequence[int]) -> dict[str, set[int]]:
    """The positions at which each value occurs."""
    places: dict[str, set[int]] = defaultdict(set)
    for value, position in zip(values, positions, strict=True):
        places[value].add(position)
    return places


def _follow(one: set[int], other: set[int], positions: int) -> bool:
    """Whether of two acquisitions one begins about where the other ends."""
    runs = all(max(places) - min(places) + 1 == len(places) for places in (one, other))
    return runs and len(one & other) <= _MOST_SHARED * positions


def numbered_from_start(planes: Sequence[Plane]) -> bool:
    """Whether Instance Numbers run from 0 or 1 without a gap: at most the last were lost."""
    numbers = {plane.instance_number for plane in planes}
    first = min((number for number in numbers if number is not None), default=None)
    return first in (0, 1) and numbers == {first + count for count in range(len(planes))}


def numbered_as_one_pass(kept: Sequence[Plane], planes: Sequence[Plane]) -> bool:
    """Whether planes that are numbered before all others are of one pass.

    Their numbers follow one another along the stack; in another order that is known only where no
    number is missing, and so it is of two slices.

    Parameters
    ----------
    kept
        In order of position.
    planes
        All planes of the series.
    """
    numbers = [plane.instance_number for plane in kept]
    present = [number for number in numbers if number is not None]
    steps = {later - earlier for earlier, later in pairwise(present)}
    in_order = len(present) == len(numbers) > _TWO and steps in ({1.0}, {-1.0})
    return in_order or numbered_from_start(planes)


def numbered_apart(
    kept: Sequence[Plane], planes: Sequence[Plane], positions: Sequence[int]
) -> bool:
    """Whether Instance Numbers tell the first plane of a position from the others there.

    They do where the kept ones are numbered before all others, or where numbers run along the
    stack, each position's one after the other, and none is missing. Else what is kept may be of
    one pass here and of another there.
    """
    chosen = {id(plane) for plane in kept}
    numbered = [
        (plane.instance_number, position, id(plane) in chosen)
        for plane, position in zip(planes, positions, strict=True)
        if plane.instance_number is not None
    ]
    last_kept = max((number for number, _, is_kept in numbered if is_kept), default=inf)
    first_other = min((number for number, _, is_kept in numbered if not is_kept), default=-inf)
    if last_kept < first_other:
        return numbered_as_one_pass(kept, planes)
    along = [position for _, position, _ in sorted(numbered)]
    return numbered_from_start(planes) and along in (sorted(along), sorted(along, reverse=True))
