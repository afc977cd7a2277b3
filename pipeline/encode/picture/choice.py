"""Which planes and projections a summary picture shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.encode.picture.content import Found
from pipeline.encode.picture.cuts import Cut, View, cut, fullest_planes, views
from pipeline.encode.picture.panels import Outline, Panel
from pipeline.encode.picture.windows import Window, spread, volume_window
from pipeline.findings import DerivedVolume, LabelMap, RotatingProjection
from pipeline.volume import Volume

MOST_PROJECTIONS = 2

_LUNG = ("39607008", "SCT")
_QUARTERS = 4
_FAINTEST = 12


@dataclass(frozen=True, eq=False, slots=True)
class Choice:
    """What is drawn.

    Parameters
    ----------
    planes
        Axial, coronal, sagittal.
    projections
        None, one or two.
    slice_index
        The slice of the volume that is among the planes.
    """

    planes: tuple[Panel, Panel, Panel]
    projections: tuple[Panel, ...]
    slice_index: int


def choose(found: Found, volume: Volume) -> Choice:
    """Choose the planes that show most of the masks, and projections at the same place."""
    geometry, shape = volume.geometry, volume.voxels.shape
    shown = fullest_planes([item.labels for item in found.label_maps], shape)
    looks = views(geometry)
    cuts = [cut(geometry, volume.voxels, look.axis, shown[look.axis]) for look in looks]
    pixels = [item.pixels for item in cuts]
    window = volume_window(volume, pixels, of_lungs=_are_lungs(found.label_maps))
    axial, coronal, sagittal = (
        Panel(_title(look, shown, shape), plane, window, _outlines(look, shown, found, volume))
        for look, plane in zip(looks, cuts, strict=True)
    )
    projections = _projections(found, volume, window, shown)
    return Choice((axial, coronal, sagittal), projections, shown[0])


def _are_lungs(label_maps: Sequence[LabelMap]) -> bool:
    return any(
        (segment.type.value, segment.type.scheme) == _LUNG
        for item in label_maps
        for segment in item.segments
    )


def _title(look: View, shown: Sequence[int], shape: Sequence[int]) -> str:
    return f"{look.title}, plane {shown[look.axis] + 1} of {shape[look.axis]}"


def _outlines(
    look: View, shown: Sequence[int], found: Found, volume: Volume
) -> tuple[Outline, ...]:
    return tuple(
        Outline(
            cut(volume.geometry, item.labels, look.axis, shown[look.axis]).pixels,
            {segment.number: segment.rgb for segment in item.segments},
        )
        for item in found.label_maps
    )


def _projections(
    found: Found, volume: Volume, window: Window, shown: Sequence[int]
) -> tuple[Panel, ...]:
    """A sliding one at the plane shown; a rotating one from front and side, if it is alone."""
    panels: list[Panel] = []
    alone = len(found.projections) == 1
    for finding in found.projections[:MOST_PROJECTIONS]:
        match finding:
            case DerivedVolume():
                panels.append(_slab(finding, volume, window, shown[finding.axis]))
            case RotatingProjection():
                quarter = len(finding.views) // _QUARTERS
                numbers = (0, quarter) if alone and quarter else (0,)
                panels += [_view(finding, number, volume, window) for number in numbers]
    return tuple(panels)


def _slab(finding: DerivedVolume, volume: Volume, window: Window, index: int) -> Panel:
    image = cut(volume.geometry, finding.voxels, finding.axis, index)
    return Panel(finding.description, image, window)


def _view(finding: RotatingProjection, number: int, volume: Volume, window: Window) -> Panel:
    """Maxima through the whole body are brighter than planes; in PET these must stay comparable."""
    pixels = finding.views[number]
    own = window if volume.modality == "PT" else spread([pixels], window.unit)
    pixels = _without_ground(pixels, own)
    title = f"{finding.image_type}, view {number + 1} of {len(finding.views)}"
    return Panel(title, Cut(pixels, finding.planes[number]), own)


def _without_ground(pixels: npt.NDArray[Any], window: Window) -> npt.NDArray[Any]:
    """A view without the columns at its sides that show no more than the ground.

    A view is as wide as the diagonal of a slice, the patient mostly half of it.
    """
    ground = 255 if window.inverted else 0
    shades = window.grey(pixels).astype(np.int16)
    shown = np.flatnonzero((np.abs(shades - ground) > _FAINTEST).any(axis=0))
    return pixels[:, shown[0] : shown[-1] + 1] if shown.size else pixels
