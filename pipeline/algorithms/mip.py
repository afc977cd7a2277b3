"""Sliding maximum intensity projection: each slice shows the brightest of a slab around it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.algorithms.registry import Algorithm
from pipeline.errors import NotApplicableError
from pipeline.findings import Code, DerivedVolume
from pipeline.volume import Volume

_AXIAL_COSINE = 0.8
_WINDOW_RANGE = (1, 200)
_PROJECTION = Code("113078", "DCM", "Maximum intensity projection")


@dataclass(frozen=True, slots=True)
class SlidingMipParameters:
    """How thick a slab is.

    Parameters
    ----------
    window
        Slices to each side of the middle one, 1 to 200.
    """

    window: int = 10

    def __post_init__(self) -> None:
        low, high = _WINDOW_RANGE
        whole = isinstance(self.window, int) and not isinstance(self.window, bool)
        if not whole or not low <= self.window <= high:
            raise ValueError(
                f"window is {self.window!r}; it is a whole number of slices from {low} to {high}"
            )


def sliding_maximum(voxels: npt.NDArray[Any], window: int, axis: int) -> npt.NDArray[Any]:
    """The maximum over each slice and its neighbours.

    Parameters
    ----------
    voxels
        Three axes, in any order. Not changed.
    window
        Neighbours to each side, 0 or more; fewer where the volume ends.
    axis
        The axis that slices follow one another on.

    Returns
    -------
    Shape and type of ``voxels``; along ``axis``, element i is the maximum of the elements
    ``max(0, i - window)`` to ``min(n - 1, i + window)``.

    Source: nidataset 0.9.1, ``mip``, whose values these are.
    """
    projected = np.empty_like(voxels)
    source, target = np.moveaxis(voxels, axis, 0), np.moveaxis(projected, axis, 0)
    reach = min(window, len(source) - 1)
    # A plane at a time: it stays in the processor's cache for all the passes over it.
    for index in range(source.shape[1]):
        plane = source[:, index].copy()
        for line in (plane, plane[::-1]):
            _look_ahead(line, reach)
        target[:, index] = plane
    return projected


def _look_ahead(line: npt.NDArray[Any], reach: int) -> None:
    """Replace each element by the maximum of itself and the ``reach`` next ones, by doubling."""
    covered = 0
    while covered < reach:
        step = min(covered + 1, reach - covered)
        np.maximum(line[:-step], line[step:], out=line[:-step])
        covered += step


def analyse(volume: Volume, parameters: SlidingMipParameters) -> tuple[DerivedVolume, ...]:
    """Project along the slices of an axial volume.

    Raises
    ------
    NotApplicableError
        The slices are not axial.
    """
    geometry, window = volume.geometry, parameters.window
    if abs(geometry.slice_direction[2]) < _AXIAL_COSINE:
        raise NotApplicableError(
            f"An axial MIP is made of axial slices; those of series {volume.series_instance_uid} "
            "are not axial. Route the axial series."
        )
    slices = len(volume.voxels)
    source_slices = tuple(
        tuple(range(max(0, index - window), min(slices, index + window + 1)))
        for index in range(slices)
    )
    thickest = max(len(sources) for sources in source_slices)
    return (
        DerivedVolume(
            name="axial-mip",
            voxels=sliding_maximum(volume.voxels, window, axis=0),
            image_type=("AXIAL", "MIP"),
            derivation=(_PROJECTION,),
            source_slices=source_slices,
            locations_preserved=False,
            slab_mm=thickest * geometry.spacing.slice_mm,
            description=f"MIP axial, {thickest} slices",
        ),
    )


SLIDING_MIP = Algorithm(
    name="sliding-mip",
    version="1",
    title="Sliding maximum intensity projection of axial slices",
    modalities=frozenset({"CT"}),
    parameters=SlidingMipParameters,
    analyse=analyse,
)
