"""Tubes of the chest phantom: airways, great vessels and the vessel trees of the lungs."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.geometry import Spacing, Vector

Hounsfield = npt.NDArray[np.int16]
Points = npt.NDArray[np.float64]
InLung = Callable[[Points], npt.NDArray[np.bool_]]

_TWIG_RADIUS_MM = 0.9
_MARGIN_MM = 7.0
_BRANCHES = 260
_CANDIDATES = 6000
_HALF_EXTENT_MM = (140.0, 100.0, 150.0)
# How much of the way back to the root counts when a branch chooses where to leave the tree: at 0
# vessels meander, at 1 each runs straight from the root.
_DIRECTNESS = 0.55


@dataclass(frozen=True, slots=True)
class Tube:
    """A straight round tube with round ends.

    Parameters
    ----------
    start_mm, end_mm
        The ends of its axis in (x, y, z), LPS.
    radius_mm
        Its radius.
    """

    start_mm: Vector
    end_mm: Vector
    radius_mm: float


def chain(radius_mm: float, *points_mm: Vector) -> tuple[Tube, ...]:
    """Tubes of one radius from point to point."""
    return tuple(Tube(start, end, radius_mm) for start, end in pairwise(points_mm))


def draw(voxels_hu: Hounsfield, tube: Tube, spacing: Spacing, origin_mm: Vector, hu: int) -> None:
    """Draw a tube into a volume, mixed with what is there where it fills a voxel in part.

    Parameters
    ----------
    voxels_hu
        (slice, row, column); changed.
    tube
        What to draw.
    spacing, origin_mm
        The grid: axial, centre of voxel (0, 0, 0) in (x, y, z), LPS.
    hu
        The value inside the tube.
    """
    steps = (spacing.slice_mm, spacing.row_mm, spacing.column_mm)
    ends = np.array([tube.start_mm, tube.end_mm])[:, ::-1] - np.array(origin_mm)[::-1]
    reach_mm = tube.radius_mm + spacing.column_mm
    low = np.maximum(np.ceil((ends.min(axis=0) - reach_mm) / steps), 0).astype(int)
    high = np.maximum(np.floor((ends.max(axis=0) + reach_mm) / steps) + 1, 0).astype(int)
    box = tuple(slice(first, last) for first, last in zip(low, high, strict=True))
    region = voxels_hu[box]
    coordinates = np.ogrid[
        tuple(slice(n, n + size) for n, size in zip(low, region.shape, strict=True))
    ]
    offsets = [
        axis * step - end for axis, step, end in zip(coordinates, steps, ends[0], strict=True)
    ]
    depth_mm = tube.radius_mm - _distance_mm(offsets, ends[1] - ends[0])
    share = np.clip(depth_mm / spacing.column_mm + 0.5, 0.0, 1.0)
    region += np.rint(share * (hu - region)).astype(np.int16)


def _distance_mm(offsets: list[Points], axis: Points) -> Points:
    """From points, given from the start of a tube's axis, to that axis."""
    length = float((axis * axis).sum())
    along: Any = sum(offset * part for offset, part in zip(offsets, axis, strict=True))
    along = np.clip(along / max(length, 1e-9), 0.0, 1.0)
    apart = [offset - along * part for offset, part in zip(offsets, axis, strict=True)]
    distance: Points = np.sqrt(sum(part * part for part in apart))
    return distance


def vessel_tree(root_mm: Vector, in_lung: InLung, seed: int) -> tuple[Tube, ...]:
    """Grow a tree of vessels from the root of a lung to points all over it.

    Each point joins the tree where the way to the root is short; a vessel carries what its
    branches carry (Murray's law: the cube of its radius is the sum of theirs).

    Parameters
    ----------
    root_mm
        Where the tree starts, (x, y, z) in LPS mm.
    in_lung
        For points (n, 3) whether they lie in the lung.
    seed
        Of the random points.
    """
    nodes, parents = _grow(np.array(root_mm), _targets(in_lung, seed))
    cubes = np.zeros(len(nodes))
    for node in range(len(nodes) - 1, 0, -1):
        cubes[node] = max(cubes[node], _TWIG_RADIUS_MM**3)
        cubes[parents[node]] += cubes[node]
    # A cube root may differ in its last digits from machine to machine; microns do not.
    radii_mm = np.round(np.cbrt(cubes), 3)
    return tuple(
        Tube(_vector(nodes[parents[node]]), _vector(nodes[node]), float(radii_mm[node]))
        for node in range(1, len(nodes))
    )


def _targets(in_lung: InLung, seed: int) -> Points:
    """(n, 3): random points of the lung, not too close to its surface."""
    # The raw stream is guaranteed to stay; the floating point numbers made of it are not.
    raw = np.random.PCG64(seed).random_raw((_CANDIDATES, 3))
    unit = (raw >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1.0
    points = unit * _HALF_EXTENT_MM
    steps = _MARGIN_MM * np.concatenate((np.eye(3), -np.eye(3)))
    inside = np.all([in_lung(points + step) for step in steps], axis=0)
    return points[inside][:_BRANCHES]


def _grow(root: Points, targets: Points) -> tuple[Points, list[int]]:
    """Nodes (n, 3) of the tree, each after its parent, and the parent of each."""
    nodes, parents, way = [root], [0], [0.0]
    nearest_first = np.argsort(((targets - root) ** 2).sum(axis=1), kind="stable")
    for target in targets[nearest_first]:
        steps = np.sqrt(((np.array(nodes) - target) ** 2).sum(axis=1))
        parent = int(np.argmin(steps + _DIRECTNESS * np.array(way)))
        middle, half = (nodes[parent] + target) / 2, float(steps[parent]) / 2
        way += [way[parent] + half, way[parent] + 2 * half]
        parents += [parent, len(nodes)]
        nodes += [middle, target]
    return np.array(nodes), parents


def _vector(point: Points) -> Vector:
    x, y, z = (float(value) for value in point)
    return x, y, z
