"""Which lesions a maximum intensity projection shows, and which it hides behind brighter tissue.

Method, for each view: the volume is turned with linear interpolation and projected, keeping the
depth of each ray's maximum; the lesions are turned with nearest neighbour, each keeping its
number from the volume. A pixel of a projected lesion is verified where that depth lies between
the lesion's first and last sample on the ray. Where enough of its pixels are verified the whole
lesion is kept in this view; otherwise, if wanted, those connected verified parts that are large
enough.

Source: "MIP-Based Tumor Segmentation: A Radiologist-Inspired Approach", Efficient Medical AI
workshop (EMA4MICCAI) at MICCAI 2025. There lesions are found anew in each turned label map; here
they are those of the volume, so that one lesion is the same in every view.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline.geometry import Spacing
from pipeline.kernels.compiled import threads
from pipeline.kernels.rotation import project_rotated
from pipeline.kernels.rotation_grid import RotationGrid, view_angles
from pipeline.kernels.shadow import Box, Shadow, cast_shadow

BoolArray = npt.NDArray[np.bool_]
DepthArray = npt.NDArray[np.int16]
LesionArray = npt.NDArray[np.int32]

_MOST_VIEWS = 720
_FULL_TURN_DEG = 360.0
_MM3_OF_ML = 1000.0


@dataclass(frozen=True, slots=True)
class OcclusionParameters:
    """From where lesions are looked at, and how much of one must be seen.

    Parameters
    ----------
    angles
        Number of views, 1 to 720.
    span_deg
        View k is seen from ``k * span_deg / angles`` degrees, with nine decimals; above 0 and up
        to 360. The second half of a full turn mirrors the first.
    verified_share
        Share of a lesion's projected pixels that must be verified to keep it whole, above 0 and
        up to 1.
    smallest_part_ml
        The least volume of a verified part that is kept of a lesion that is not kept whole: its
        samples on the rays of that part. None keeps no parts.
    background
        The value around the volume, at most the lowest that is to show.
    """

    angles: int = 48
    span_deg: float = 180.0
    verified_share: float = 0.75
    smallest_part_ml: float | None = None
    background: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.angles <= _MOST_VIEWS:
            raise ValueError(
                f"angles is {self.angles!r}; it is a number of views from 1 to {_MOST_VIEWS}"
            )
        if not 0 < self.span_deg <= _FULL_TURN_DEG:
            raise ValueError(f"span_deg is {self.span_deg!r}; it is above 0 and up to 360")
        if not 0 < self.verified_share <= 1:
            raise ValueError(
                f"verified_share is {self.verified_share!r}; it is above 0 and up to 1"
            )
        if self.smallest_part_ml is not None and not self.smallest_part_ml >= 0:
            raise ValueError(f"smallest_part_ml is {self.smallest_part_ml!r}; it is 0 mL or more")


@dataclass(frozen=True, eq=False, slots=True)
class OcclusionCorrection:
    """Lesions in the views of a volume.

    Parameters
    ----------
    views
        (angle, slice, ray) in the type of the voxels: the projected volume.
    depth
        (angle, slice, ray) int16: the sample of the ray that is brightest, counted from the
        viewer, -1 where it is the background.
    plain
        (angle, slice, ray): every lesion projected.
    corrected
        (angle, slice, ray): lesions and parts of lesions that are verified.
    visible_views
        For each lesion number the views in which it, or a part of it, is kept.
    """

    views: npt.NDArray[Any]
    depth: DepthArray
    plain: BoolArray
    corrected: BoolArray
    visible_views: Mapping[int, tuple[int, ...]]

    @property
    def hidden(self) -> tuple[int, ...]:
        """The numbers of the lesions that no view shows."""
        return tuple(number for number, views in self.visible_views.items() if not views)


def connected_lesions(mask: npt.NDArray[Any]) -> LesionArray:
    """Number the lesions of a mask: voxels that touch by a face, an edge or a corner are one.

    Parameters
    ----------
    mask
        (slice, row, column), not 0 in lesions.

    Returns
    -------
    int32 (slice, row, column): 0 outside, else the number from 1, by each lesion's first voxel.
    """
    lesions = np.empty(mask.shape, np.int32)
    ndimage.label(mask, structure=np.ones((3, 3, 3)), output=lesions)
    return lesions


def correct_occlusion(
    voxels: npt.NDArray[Any],
    lesions: npt.NDArray[np.integer[Any]],
    spacing: Spacing,
    parameters: OcclusionParameters,
) -> OcclusionCorrection:
    """Project a volume and its lesions, and keep of these what the projection shows.

    Parameters
    ----------
    voxels
        (slice, row, column): integers of up to 32 bits, float32 or float64, all finite.
    lesions
        (slice, row, column): 0 outside, else a lesion's number, as `connected_lesions` gives it.
    spacing
        Between voxels. Samples and rays lie as far apart as the plane's finer spacing.
    parameters
        How.

    Raises
    ------
    ValueError
        The shapes differ, or ``voxels`` are of another type or not finite.
    """
    if voxels.shape != lesions.shape:
        raise ValueError(f"voxels are {voxels.shape}, lesions {lesions.shape}; they are one grid")
    _, rows, columns = voxels.shape
    grid = RotationGrid(rows, columns, spacing.row_mm, spacing.column_mm)
    angles = view_angles(parameters.angles, parameters.span_deg)
    views, depth = project_rotated(voxels, grid, angles, parameters.background)
    plain, corrected = np.zeros(views.shape, bool), np.zeros(views.shape, bool)
    scene = _Scene(lesions, grid, grid.step_mm**2 * spacing.slice_mm / _MM3_OF_ML, parameters)
    with ThreadPoolExecutor(threads()) as pool:
        shown = list(pool.map(scene.show, angles, depth, plain, corrected))
    visible = {
        number: tuple(view for view, numbers in enumerate(shown) if number in numbers)
        for number in scene.boxes
    }
    return OcclusionCorrection(views, depth, plain, corrected, visible)


class _Scene:
    """The lesions of a volume, to be looked at from several angles."""

    def __init__(
        self,
        lesions: npt.NDArray[np.integer[Any]],
        grid: RotationGrid,
        sample_ml: float,
        parameters: OcclusionParameters,
    ) -> None:
        found = enumerate(ndimage.find_objects(lesions), start=1)
        self.boxes: dict[int, Box] = {number: box for number, box in found if box is not None}
        self._lesions = lesions
        self._grid = grid
        self._sample_ml = sample_ml
        self._parameters = parameters

    def show(
        self, angle_deg: float, depth: DepthArray, plain: BoolArray, corrected: BoolArray
    ) -> set[int]:
        """Draw the lesions into one view (slice, ray) and return the numbers of those it shows."""
        shown = set()
        for number, box in self.boxes.items():
            shadow = cast_shadow(self._lesions, number, box, self._grid, angle_deg)
            part = (shadow.slices, shadow.rays)
            kept = self._kept(shadow, depth[part])
            plain[part] |= shadow.samples > 0
            corrected[part] |= kept
            if kept.any():
                shown.add(number)
        return shown

    def _kept(self, shadow: Shadow, depth: DepthArray) -> BoolArray:
        """The pixels (slice, ray) of a lesion that stay in a view."""
        projected: BoolArray = shadow.samples > 0
        verified = projected & (shadow.first <= depth) & (depth <= shadow.last)
        share = self._parameters.verified_share
        if np.count_nonzero(verified) >= share * np.count_nonzero(projected):
            return projected
        if self._parameters.smallest_part_ml is None:
            return np.zeros_like(projected)
        parts, count = ndimage.label(verified, structure=np.ones((3, 3)))
        samples = np.bincount(parts.ravel(), shadow.samples.ravel(), minlength=count + 1)
        large = samples * self._sample_ml >= self._parameters.smallest_part_ml
        kept: BoolArray = verified & large[parts]
        return kept
