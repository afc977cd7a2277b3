"""Which rays meet a labelled object, and between which samples."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel
from pipeline.kernels.rotation_grid import RotationGrid, half_turn

LabelArray = npt.NDArray[np.integer[Any]]
DepthArray = npt.NDArray[np.int16]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False, slots=True)
class Shadow:
    """The rays that may meet an object, from one angle.

    Parameters
    ----------
    slices, rays
        The part of the view that the other arrays cover.
    first, last
        (slice, ray): the first and the last sample of the ray within the object.
    samples
        (slice, ray): how many samples lie within it, 0 where the ray misses it.
    """

    slices: slice
    rays: slice
    first: DepthArray
    last: DepthArray
    samples: DepthArray


def cast_shadow(
    labels: LabelArray, number: int, box: Box, grid: RotationGrid, angle_deg: float
) -> Shadow:
    """Project an object of a label array, each sample taking its nearest voxel's label.

    Parameters
    ----------
    labels
        (slice, row, column).
    number
        The object's value.
    box
        (slice, row, column) bounds of the object.
    grid
        The rays through each slice.
    angle_deg
        From 180 degrees on, the mirror image of half a turn earlier, as the brightest sample is.

    Source: the samples are those of ``scipy.ndimage.rotate`` (scipy 1.17) of order 0.
    """
    angle, mirrored = half_turn(angle_deg)
    mapping = grid.mapping(angle)
    samples, rays = _window(box, grid, mapping)
    shape = (box[0].stop - box[0].start, rays.stop - rays.start)
    first, last, count = (np.zeros(shape, np.int16) for _ in range(3))
    _cast(
        labels[box] == number,
        (box[1].start, box[2].start),
        (grid.rows, grid.columns),
        mapping,
        grid.first,
        (samples.start, samples.stop, rays.start),
        (first, last, count),
    )
    if not mirrored:
        return Shadow(box[0], rays, first, last, count)
    return Shadow(
        slices=box[0],
        rays=slice(grid.width - rays.stop, grid.width - rays.start),
        first=grid.depth - 1 - last[:, ::-1],
        last=grid.depth - 1 - first[:, ::-1],
        samples=count[:, ::-1],
    )


def _window(box: Box, grid: RotationGrid, mapping: npt.NDArray[np.float64]) -> tuple[slice, slice]:
    """The samples and the rays among which all of the box's lie."""
    edges = [(bound.start - 1, bound.stop) for bound in box[1:]]
    corners = np.array(list(itertools.product(*edges))).T - mapping[:, 2:]
    reached = np.linalg.solve(mapping[:, :2], corners) - np.array([grid.first]).T
    lowest = np.maximum(np.floor(reached.min(axis=1)), 0).astype(int)
    highest = np.minimum(np.ceil(reached.max(axis=1)) + 1, (grid.depth, grid.width)).astype(int)
    return slice(lowest[0], highest[0]), slice(lowest[1], highest[1])


@kernel
def _cast(  # noqa: PLR0917 - compiled functions take no keywords
    inside: npt.NDArray[np.bool_],
    corner: tuple[int, int],
    plane: tuple[int, int],
    mapping: npt.NDArray[np.float64],
    origin: tuple[int, int],
    window: tuple[int, int, int],
    found: tuple[DepthArray, DepthArray, DepthArray],
) -> None:
    """Fill the first and last sample and their number, (slice, ray) each."""
    slices, rows, columns = inside.shape
    first, last, count = found
    for ray in range(first.shape[1]):
        across = float(ray + window[2] + origin[1])
        for sample in range(window[0], window[1]):
            along = float(sample + origin[0])
            y = along * mapping[0, 0] + across * mapping[0, 1] + mapping[0, 2]
            x = along * mapping[1, 0] + across * mapping[1, 1] + mapping[1, 2]
            if not (0.0 <= y <= plane[0] - 1 and 0.0 <= x <= plane[1] - 1):
                continue
            row, column = int(y + 0.5) - corner[0], int(x + 0.5) - corner[1]
            if not (0 <= row < rows and 0 <= column < columns):
                continue
            for i in range(slices):
                if inside[i, row, column]:
                    if count[i, ray] == 0:
                        first[i, ray] = sample
                    last[i, ray] = sample
                    count[i, ray] += 1
