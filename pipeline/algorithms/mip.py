"""Sliding projections: each slice shows the brightest, darkest or mean of a slab around it."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.algorithms.registry import Algorithm
from pipeline.errors import NotApplicableError
from pipeline.findings import Code, DerivedVolume
from pipeline.kernels.sliding import FLOAT_MEAN, INTEGER_MEAN, MAXIMUM, MINIMUM, slide
from pipeline.volume import Volume
from pipeline.volume.padding import BoolArray, lowest_padding, padding_of_voxels

Projection = Literal["maximum", "minimum", "mean"]
View = Literal["axial", "coronal", "sagittal"]

# The axis of the patient that images of a view follow one another on: (left, back, head).
_VIEWED_ALONG: dict[View, int] = {"sagittal": 0, "coronal": 1, "axial": 2}
_ALONG_COSINE = 0.8
_REFORMATTED = Code("113072", "DCM", "Multiplanar reformatting")
_WINDOW_RANGE = (1, 200)
_THICKEST_SLAB_MM = 1000.0
# Spacings are differences of rounded positions: 25 slices of 0.6 mm are a slab of 15 mm.
_SLAB_TOLERANCE = 1e-6
_EXACT_MEAN_BYTES = 4


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a projection is named in its series."""

    title: str
    derivation: Code

    @property
    def term(self) -> str:
        """As a value of Image Type (0008,0008)."""
        return self.title.upper()


_KINDS: dict[Projection, _Kind] = {
    "maximum": _Kind("MIP", Code("113078", "DCM", "Maximum intensity projection")),
    "minimum": _Kind("MinIP", Code("113079", "DCM", "Minimum intensity projection")),
    "mean": _Kind("Mean", Code("113049", "DCM", "Pixel by pixel mean")),
}


@dataclass(frozen=True, slots=True)
class SlidingMipParameters:
    """What a slab shows and how thick it is.

    Parameters
    ----------
    projection
        The brightest, the darkest or the mean value of the slab.
    window
        Slices to each side of the middle one, 1 to 200.
    window_mm
        Thickness of the whole slab in mm, above 0 and up to 1000, in place of ``window``: the
        most slices that are not thicker, at least the middle one.
    view
        The plane that images lie in. Slices of a coronal or sagittal view of axial slices are
        their rows or columns.
    """

    window: int = 10
    projection: Projection = "maximum"
    window_mm: float | None = None
    view: View = "axial"

    def __post_init__(self) -> None:
        low, high = _WINDOW_RANGE
        whole = isinstance(self.window, int) and not isinstance(self.window, bool)
        if not whole or not low <= self.window <= high:
            raise ValueError(
                f"window is {self.window!r}; it is a whole number of slices from {low} to {high}"
            )
        if self.projection not in _KINDS:
            raise ValueError(f"projection is {self.projection!r}; it is one of {', '.join(_KINDS)}")
        if self.view not in _VIEWED_ALONG:
            raise ValueError(f"view is {self.view!r}; it is one of {', '.join(_VIEWED_ALONG)}")
        if self.window_mm is not None and not _is_thickness(self.window_mm):
            raise ValueError(
                f"window_mm is {self.window_mm!r}; it is a thickness above 0 and up to "
                f"{_THICKEST_SLAB_MM:.0f} mm"
            )

    def neighbours(self, slice_mm: float) -> int:
        """Slices to each side of the middle one, where slices are ``slice_mm`` apart."""
        if self.window_mm is None:
            return self.window
        return neighbours_within(self.window_mm, slice_mm)


def _is_thickness(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value <= _THICKEST_SLAB_MM


def neighbours_within(slab_mm: float, slice_mm: float) -> int:
    """How many slices to each side make the thickest slab that is not thicker than asked for.

    Parameters
    ----------
    slab_mm
        Thickness of the slab: ``2 n + 1`` slices are ``(2 n + 1) * slice_mm`` thick.
    slice_mm
        From slice to slice, above 0.

    Returns
    -------
    0 or more: the middle slice is always in the slab, even where it alone is thicker.
    """
    slices = slab_mm / slice_mm * (1 + _SLAB_TOLERANCE)
    return max(0, math.floor((slices - 1) / 2))


def sliding_projection(
    voxels: npt.NDArray[Any], projection: Projection, window: int, axis: int
) -> npt.NDArray[Any]:
    """The maximum, minimum or mean over each slice and its neighbours.

    Parameters
    ----------
    voxels
        Three axes, in any order; integers, float32 or float64. Not changed.
    projection
        Which value of the neighbours.
    window
        Neighbours to each side, 0 or more; fewer where the volume ends.
    axis
        The axis that slices follow one another on.

    Returns
    -------
    Shape, type and memory order of ``voxels``; along ``axis``, element i is made of the elements
    ``max(0, i - window)`` to ``min(n - 1, i + window)``. Extremes are NaN where one of these is.
    The mean of integers is exact, then rounded to the nearest integer, halves to even; that of
    floating point is the float64 sum in their order, divided, then rounded to their type.

    Raises
    ------
    ValueError
        ``voxels`` are of another type, or 64-bit integers to be averaged; ``window`` is negative.

    Source: nidataset 0.9.1, ``mip``, for the maximum, whose values these are.
    """
    native = voxels.dtype.newbyteorder("=")
    if native.kind not in "iu" and native not in (np.float32, np.float64):
        raise ValueError(f"voxels are {native}; they are integers, float32 or float64")
    if window < 0:
        raise ValueError(f"window is {window}; it is 0 or more neighbours")
    return slide(voxels.astype(native, copy=False), _operation(native, projection), window, axis)


def _operation(dtype: np.dtype[Any], projection: Projection) -> int:
    """What the kernel is asked for."""
    match projection:
        case "maximum":
            return MAXIMUM
        case "minimum":
            return MINIMUM
        case "mean" if dtype.kind == "f":
            return FLOAT_MEAN
    if dtype.itemsize > _EXACT_MEAN_BYTES:
        raise ValueError(f"voxels are {dtype}; a mean of integers is made of up to 32 bits")
    return INTEGER_MEAN


def sliding_maximum(voxels: npt.NDArray[Any], window: int, axis: int) -> npt.NDArray[Any]:
    """The maximum over each slice and its neighbours: see `sliding_projection`."""
    return sliding_projection(voxels, "maximum", window, axis)


def sliding_minimum(voxels: npt.NDArray[Any], window: int, axis: int) -> npt.NDArray[Any]:
    """The minimum over each slice and its neighbours: see `sliding_projection`."""
    return sliding_projection(voxels, "minimum", window, axis)


def sliding_mean(voxels: npt.NDArray[Any], window: int, axis: int) -> npt.NDArray[Any]:
    """The mean over each slice and its neighbours: see `sliding_projection`."""
    return sliding_projection(voxels, "mean", window, axis)


def analyse(volume: Volume, parameters: SlidingMipParameters) -> tuple[DerivedVolume, ...]:
    """Project along an axis of a volume, slab by slab.

    Raises
    ------
    NotApplicableError
        The slices are not axial, or no axis of the volume is that of the view.
    """
    kind, axis = _KINDS[parameters.projection], _axis(volume, parameters)
    slice_mm = volume.geometry.spacing.in_order[axis]
    window, count = parameters.neighbours(slice_mm), volume.voxels.shape[axis]
    thickest = min(2 * window + 1, count)
    voxels, padding = _project(volume, parameters.projection, window, axis)
    return (
        DerivedVolume(
            name=f"{parameters.view}-{kind.title.lower()}",
            voxels=voxels,
            image_type=kind.term,
            derivation=(kind.derivation, _REFORMATTED) if axis else (kind.derivation,),
            source_slices=_sources(len(volume.voxels), count, window, axis),
            locations_preserved=False,
            slab_mm=thickest * slice_mm,
            description=f"{kind.title} {parameters.view}, {thickest} slices",
            axis=axis,
            padding=padding,
        ),
    )


def _project(
    volume: Volume, projection: Projection, window: int, axis: int
) -> tuple[npt.NDArray[Any], float | None]:
    """The projection of a volume, and its value where a slab holds nothing but padding."""
    lowest = lowest_padding(volume) if projection == "maximum" else None
    padded = None if lowest is not None else padding_of_voxels(volume)
    if padded is None:
        return sliding_projection(volume.voxels, projection, window, axis), lowest
    return project_shown(volume.voxels, padded, projection, window, axis)


def project_shown(
    voxels: npt.NDArray[Any], padded: BoolArray, projection: Projection, window: int, axis: int
) -> tuple[npt.NDArray[Any], float | None]:
    """The projection of the voxels that are no padding: see `sliding_projection`.

    Parameters
    ----------
    padded
        Which voxels are padding: some, not all.

    Returns
    -------
    The projection, and the value that it has where no neighbour shows the patient: lower than all
    others, for which integers may take a wider type; None where there is no such place.
    """
    marks = padded.astype(voxels.dtype)
    only = sliding_minimum(marks, window, axis) != 0
    if projection == "mean":
        projected = sliding_mean(voxels, window, axis)
        some = (sliding_maximum(marks, window, axis) != 0) & ~only
        lines, shown, mixed = (np.moveaxis(item, axis, 0) for item in (voxels, ~padded, some))
        places = np.nonzero(mixed)
        np.moveaxis(projected, axis, 0)[places] = _shown_means(lines, shown, places, window)
    else:
        taken = voxels.max() if projection == "minimum" else voxels.min()
        filled = np.where(padded, taken, voxels)
        projected = sliding_projection(filled, projection, window, axis)
    return _blanked(projected, only)


def _shown_means(
    lines: npt.NDArray[Any],
    shown: BoolArray,
    places: tuple[npt.NDArray[np.intp], ...],
    window: int,
) -> npt.NDArray[np.float64]:
    """The mean of the shown neighbours along axis 0, at places that have some."""
    reach = min(window, len(lines) - 1)
    beyond = ((reach, reach), (0, 0), (0, 0))
    # nothing is added by padding, nor beyond the ends
    values = np.ascontiguousarray(np.pad(np.where(shown, lines, 0), beyond))
    counted = np.ascontiguousarray(np.pad(shown, beyond))
    total, count = np.zeros(len(places[0])), np.zeros(len(places[0]), np.int32)
    index = np.ravel_multi_index(places, values.shape)
    for _ in range(2 * reach + 1):
        total += values.take(index)
        count += counted.take(index)
        index += values[0].size
    means = total / count
    return np.rint(means) if lines.dtype.kind in "iu" else means


def _blanked(projected: npt.NDArray[Any], only: BoolArray) -> tuple[npt.NDArray[Any], float | None]:
    """The projection with one value, lower than all others, where there is only padding."""
    if not only.any():
        return projected, None
    lowest = projected.min(where=~only, initial=projected.max())
    if projected.dtype.kind == "f":
        blank = lowest - max(abs(lowest), 1)
    else:
        blank = int(lowest) - 1
        if blank < np.iinfo(projected.dtype).min:
            wider = np.promote_types(projected.dtype, np.min_scalar_type(blank))
            projected = projected.astype(wider)
    projected[only] = blank
    return projected, float(blank)


def _axis(volume: Volume, parameters: SlidingMipParameters) -> int:
    """The axis of the volume that images of the view follow one another on."""
    along = _VIEWED_ALONG[parameters.view]
    cosines = [abs(direction[along]) for direction in volume.geometry.directions]
    axis = int(np.argmax(cosines))
    oblique = cosines[axis] < _ALONG_COSINE
    if parameters.view == "axial" and (axis or oblique):
        raise NotApplicableError(
            f"An axial {_KINDS[parameters.projection].title} is made of axial slices; those of "
            f"series {volume.series_instance_uid} are not axial. Route the axial series."
        )
    if oblique:
        raise NotApplicableError(
            f"Series {volume.series_instance_uid} lies too oblique in the patient for a "
            f"{parameters.view} view. Route the axial series."
        )
    return axis


def _sources(slices: int, images: int, window: int, axis: int) -> tuple[tuple[int, ...], ...]:
    """For each image the slices that it is made of: a slab of them, or all where it cuts them."""
    if axis:
        return (tuple(range(slices)),) * images
    return tuple(
        tuple(range(max(0, index - window), min(slices, index + window + 1)))
        for index in range(slices)
    )


SLIDING_MIP = Algorithm(
    name="sliding-mip",
    version="1",
    title="Sliding maximum intensity projection, axial, coronal or sagittal",
    modalities=frozenset({"CT", "MR", "PT"}),
    parameters=SlidingMipParameters,
    analyse=analyse,
    series_number_offset=300,
)
