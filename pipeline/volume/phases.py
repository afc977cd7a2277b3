"""Several volumes in one series: which attribute tells them apart, and which frames share one.

Phases, echoes, b-values and time points repeat the same positions. They belong to different
volumes where one attribute, or a few together, take each position once for each of their values.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import inf

from pipeline.volume.mixing import numbered_from_start
from pipeline.volume.plane import Plane
from pipeline.volume.telling import ORDERING, REPEATING, TELLING, time_of, value_of, values_of

_MOST_TOGETHER = 3

Codes = tuple[Hashable, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """The planes of a series that share the values of some attributes.

    Parameters
    ----------
    planes
        At most one for each position.
    attributes
        Keyword and value of what they share.
    """

    planes: tuple[Plane, ...]
    attributes: tuple[tuple[str, str], ...]

    @property
    def repeats(self) -> bool:
        """Whether another group of the series shows the same again, and no other contrast."""
        return all(keyword in REPEATING for keyword, _ in self.attributes)


def split_by_attribute(planes: Sequence[Plane], positions: Sequence[int]) -> list[Group]:
    """The groups into which an attribute, or a few together, divide planes.

    Parameters
    ----------
    planes
        Of one grid.
    positions
        For each plane the index of its position.

    Returns
    -------
    As many groups as the fullest position has planes, none with a position twice, in the order of
    their lowest Instance Number; empty where nothing tells the planes apart so. A division whose
    groups cover all positions is preferred.
    """
    count = max(Counter(positions).values())
    incomplete: list[Group] = []
    for keywords, codes in _divisions(planes, count):
        groups = _grouped(planes, codes)
        if len(groups) != count or not _positions_once(groups, planes, positions):
            continue
        named = [Group(tuple(members), _shared(keywords, members[0])) for members in groups]
        if len(planes) == count * len(set(positions)):
            return _in_order(named)
        incomplete = incomplete or _in_order(named)
    return incomplete


def split_by_order(planes: Sequence[Plane], positions: Sequence[int]) -> list[Group]:
    """The groups that the order of a time at each position makes, where each position has as many.

    Where planes are missing, the second of one position may belong with the third of another. So
    times must fall into windows far apart, or no Instance Number be missing.

    Returns
    -------
    In the order of their lowest Instance Number; empty where times are missing, equal or no proof.
    """
    at_position: dict[int, list[Plane]] = defaultdict(list)
    for plane, position in zip(planes, positions, strict=True):
        at_position[position].append(plane)
    places = list(at_position.values())
    count = len(places[0])
    if any(len(members) != count for members in places):
        return []
    nothing_missing = numbered_from_start(planes)
    for keyword in ORDERING:
        groups = _ranked(keyword, places, count)
        if groups and (nothing_missing or _far_apart(groups, keyword)):
            return _in_order(groups)
    return []


def _ranked(keyword: str, places: Sequence[Sequence[Plane]], count: int) -> list[Group]:
    """The k-th plane in time of every position, for each k."""
    ranks: list[list[Plane]] = [[] for _ in range(count)]
    for members in places:
        times = [time_of(plane, keyword) for plane in members]
        if None in times or len(set(times)) < count:
            return []
        order = sorted(range(count), key=lambda index: times[index] or 0.0)
        for rank, index in enumerate(order):
            ranks[rank].append(members[index])
    return [
        Group(tuple(members), ((keyword, f"in order {rank}"),))
        for rank, members in enumerate(ranks, start=1)
    ]


def _far_apart(groups: Sequence[Group], keyword: str) -> bool:
    """Whether the times of each group lie closer together than half the way to the next group."""
    times = [[time_of(plane, keyword) or 0.0 for plane in group.planes] for group in groups]
    widest = max(max(members) - min(members) for members in times)
    return all(2 * widest < min(later) - max(earlier) for earlier, later in pairwise(times))


def _divisions(planes: Sequence[Plane], count: int) -> Iterator[tuple[tuple[str, ...], Codes]]:
    """Every single attribute with at most ``count`` values, then pairs and triples of them."""
    varying: dict[str, Codes] = {}
    for keyword in TELLING:
        codes = tuple(values_of(planes, keyword))
        if 1 < len(set(codes)) <= count:
            varying[keyword] = codes
    for together in range(1, _MOST_TOGETHER + 1):
        for keywords in combinations(varying, together):
            columns = [varying[keyword] for keyword in keywords]
            yield keywords, tuple(zip(*columns, strict=True))


def _grouped(planes: Sequence[Plane], codes: Codes) -> list[list[Plane]]:
    groups: dict[Hashable, list[Plane]] = defaultdict(list)
    for plane, code in zip(planes, codes, strict=True):
        groups[code].append(plane)
    return list(groups.values())


def _positions_once(
    groups: Sequence[Sequence[Plane]], planes: Sequence[Plane], positions: Sequence[int]
) -> bool:
    place = {id(plane): position for plane, position in zip(planes, positions, strict=True)}
    return all(len({place[id(item)] for item in group}) == len(group) for group in groups)


def _shared(keywords: Sequence[str], plane: Plane) -> tuple[tuple[str, str], ...]:
    return tuple((keyword, value_of(plane, keyword)) for keyword in keywords)


def _in_order(groups: list[Group]) -> list[Group]:
    """By lowest Instance Number, then by value: the same whatever order files came in."""

    def key(group: Group) -> tuple[float, list[tuple[float, str]]]:
        numbers = [plane.instance_number for plane in group.planes]
        first = min(inf if number is None else number for number in numbers)
        return first, [(_leading_number(value), value) for _, value in group.attributes]

    return sorted(groups, key=key)


def _leading_number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return inf
