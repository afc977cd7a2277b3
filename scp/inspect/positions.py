"""Where the images of a series lie along their normals, whether they make a volume or not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from pipeline.errors import PipelineError
from pipeline.geometry import Vector, slice_normal
from pipeline.instance import Instance
from pipeline.volume import RebuildPolicy
from pipeline.volume.multiframe import frames_of
from pipeline.volume.passes import Placed, position_indices
from pipeline.volume.plane import Plane, planes_of
from scp.inspect.orientation import orientation_name

_SAME_DIRECTION = 1e-3
_GAP = 1.5


@dataclass(frozen=True, slots=True)
class Position:
    """A place along the normal of slices.

    Parameters
    ----------
    mm
        Its distance from the origin of the patient coordinate system, along the normal.
    names
        The images there: SOP Instance UIDs, with ``#`` and the frame number.
    """

    mm: float
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """The images of one orientation.

    Parameters
    ----------
    normal
        Unit normal of the images, LPS; its largest part points up its axis.
    positions
        Ascending.
    typical_mm
        The commonest distance (median) between neighbouring positions; None where there is one.
    gaps
        Indices of the positions after which slices seem to be missing.
    uneven
        Indices of those after which the distance is another, but for gaps.
    """

    normal: Vector
    positions: tuple[Position, ...]
    typical_mm: float | None
    gaps: tuple[int, ...]
    uneven: tuple[int, ...]

    @property
    def orientation(self) -> str:
        """Axial, coronal or sagittal, and how oblique."""
        return orientation_name(self.normal)

    @property
    def images(self) -> int:
        """How many lie here."""
        return sum(len(position.names) for position in self.positions)

    @property
    def shared(self) -> int:
        """How many positions hold more than one image."""
        return sum(len(position.names) > 1 for position in self.positions)

    def distance_after(self, index: int) -> float:
        """The distance, in mm, from a position to the next."""
        return self.positions[index + 1].mm - self.positions[index].mm


@dataclass(frozen=True, slots=True)
class Layout:
    """Where all images of a series lie.

    Parameters
    ----------
    lanes
        One for each orientation, the fullest first.
    unplaced
        How many images do not say where they lie.
    thickness_mm
        Every Slice Thickness (0018,0050) there is, ascending.
    """

    lanes: tuple[Lane, ...] = ()
    unplaced: int = 0
    thickness_mm: tuple[float, ...] = ()


def layout_of(instances: Sequence[Instance], policy: RebuildPolicy) -> Layout:
    """Place every image of a series that says where it lies.

    Parameters
    ----------
    instances
        Of one series.
    policy
        How even distances have to be.
    """
    planes, unplaced = [], 0
    for plane in _planes(instances):
        if plane is None:
            unplaced += 1
        else:
            planes.append(plane)
    lanes = [_lane(members, policy) for members in _by_normal(planes)]
    return Layout(
        tuple(sorted(lanes, key=lambda lane: -lane.images)), unplaced, _thicknesses(planes)
    )


def _thicknesses(planes: Sequence[Plane]) -> tuple[float, ...]:
    values = (plane.frame.number_of("SliceThickness") for plane in planes)
    return tuple(sorted({value for value in values if value is not None}))


def _planes(instances: Sequence[Instance]) -> Iterator[Plane | None]:
    """The plane of every image; None for one that has none."""
    for instance in instances:
        if not instance.has_pixels:
            continue
        try:
            frames = frames_of(instance)
        except PipelineError:
            yield None
            continue
        for frame in frames:
            try:
                yield planes_of(instance.series_instance_uid, [frame])[0]
            except PipelineError:
                yield None


def _by_normal(planes: Sequence[Plane]) -> list[list[Placed]]:
    """The planes of each direction, placed along their normal."""
    lanes: list[tuple[Vector, list[Placed]]] = []
    for plane in planes:
        normal = _normal(plane)
        for known, members in lanes:
            if np.allclose(known, normal, rtol=0, atol=_SAME_DIRECTION):
                members.append(_placed(plane, known))
                break
        else:
            lanes.append((normal, [_placed(plane, normal)]))
    return [members for _, members in lanes]


def _normal(plane: Plane) -> Vector:
    """The normal of a plane, its largest part up its axis, as the rebuild takes it."""
    a, b, c, d, e, f = plane.orientation
    x, y, z = slice_normal((a, b, c), (d, e, f))
    return (-x, -y, -z) if max((x, y, z), key=abs) < 0 else (x, y, z)


def _placed(plane: Plane, normal: Vector) -> Placed:
    return Placed(plane, float(np.dot(plane.position_mm, normal)))


def _lane(members: Sequence[Placed], policy: RebuildPolicy) -> Lane:
    placed = sorted(members, key=lambda item: item.position_mm)
    numbered = zip(position_indices(placed), placed, strict=True)
    positions = []
    for _, group in groupby(numbered, key=lambda item: item[0]):
        here = [item for _, item in group]
        names = tuple(item.plane.frame.name for item in here)
        positions.append(Position(here[0].position_mm, names))
    normal = _normal(members[0].plane)
    distances = np.diff([position.mm for position in positions])
    if not distances.size:
        return Lane(normal, tuple(positions), None, (), ())
    typical = float(np.quantile(distances, 0.5, method="lower"))
    is_gap = distances > _GAP * typical
    is_uneven = np.abs(distances - typical) > policy.tolerance_for(typical)
    return Lane(
        normal=normal,
        positions=tuple(positions),
        typical_mm=typical,
        gaps=tuple(np.flatnonzero(is_gap).tolist()),
        uneven=tuple(np.flatnonzero(is_uneven & ~is_gap).tolist()),
    )
