"""The brain on CT or MR, by a range of values and the shape of what lies in it.

Voxels in the range are taken, holes filled, gaps closed, and the largest connected part kept. The
mask is nidataset's, voxel for voxel, as its version 0.9.1 gives it with scikit-image 0.26 and
scipy 1.17.

Source: seed 002, nidataset's ``generate_brain_mask``.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.algorithms.brain_threshold import otsu_range
from pipeline.algorithms.measure import measure_brain
from pipeline.algorithms.registry import Algorithm
from pipeline.errors import NotApplicableError, NothingFoundError
from pipeline.findings import Code, DerivedVolume, Finding, LabelMap, Segment
from pipeline.kernels.ball import close_by_ball
from pipeline.kernels.components import Connectivity, label
from pipeline.kernels.holes import fill_holes
from pipeline.kernels.intensity import within
from pipeline.kernels.runs import encode
from pipeline.volume import Volume

BoolArray = npt.NDArray[np.bool_]

_AUTO, _OTSU = "auto", "otsu"
_HIGHEST_RADIUS = 20
_BRAIN = Segment(
    number=1,
    label="Brain",
    category=Code("123037004", "SCT", "Anatomical Structure"),
    type=Code("12738006", "SCT", "Brain"),
    laterality=None,
    rgb=(230, 150, 140),
)
_STRIPPING = (Code("113076", "DCM", "Segmentation"), Code("113047", "DCM", "Pixel by pixel mask"))


class _Preset(NamedTuple):
    """A range of values that suits one modality: HU, or what MR scanners typically give."""

    modality: str
    low: float
    high: float


_PRESETS = {
    "ct-plain": _Preset("CT", 20, 100),
    "ct-contrast": _Preset("CT", 50, 300),
    "mr-t1": _Preset("MR", 50, 200),
    "mr-t2": _Preset("MR", 100, 500),
}


@dataclass(frozen=True, slots=True)
class BrainParameters:
    """Which values may be brain, and what is made of the mask.

    Parameters
    ----------
    preset
        A range by name: ``ct-plain`` (20 to 100 HU), ``ct-contrast`` (50 to 300 HU), ``mr-t1``
        (50 to 200), ``mr-t2`` (100 to 500); ``otsu``, from the volume's own histogram; ``auto``,
        which is ``ct-plain`` for CT and ``otsu`` for MR.
    low, high
        A range of one's own, both ends included, instead of a preset.
    closing_radius
        Of the ball that gaps are closed with, 0 to 20 voxels.
    skull_stripped
        Also make a series that shows the brain alone.
    """

    preset: str = _AUTO
    low: float | None = None
    high: float | None = None
    closing_radius: int = 3
    skull_stripped: bool = False

    def __post_init__(self) -> None:
        allowed = (_AUTO, *_PRESETS, _OTSU)
        if self.preset not in allowed:
            raise ValueError(f"preset is {self.preset!r}; it is one of {', '.join(allowed)}")
        _check_range(self.preset, self.low, self.high)
        radius = self.closing_radius
        whole = isinstance(radius, int) and not isinstance(radius, bool)
        if not whole or not 0 <= radius <= _HIGHEST_RADIUS:
            raise ValueError(
                f"closing_radius is {radius!r}; it is a whole number of voxels from 0 to "
                f"{_HIGHEST_RADIUS}"
            )


def _check_range(preset: str, low: float | None, high: float | None) -> None:
    if low is None and high is None:
        return
    if low is None or high is None or not (isfinite(low) and isfinite(high) and low <= high):
        raise ValueError(
            f"low is {low!r} and high is {high!r}; give both, two numbers of which low is not the "
            "larger, or neither"
        )
    if preset != _AUTO:
        raise ValueError(
            f"low and high are given beside preset {preset!r}; give the one or the other"
        )


def brain_mask(
    voxels: npt.NDArray[Any],
    threshold: tuple[float, float] | None = None,
    closing_radius: int = 3,
) -> BoolArray:
    """Find the brain: the largest part within a range of values, without holes or gaps.

    Parameters
    ----------
    voxels
        (slice, row, column), integers or floats, every axis at least 1 long. Not changed. Any
        other order of axes gives the same voxels, but where the largest parts are equally large:
        the one whose first voxel comes first in the order of the array is kept.
    threshold
        Lowest and highest value, both included; by default half to twice Otsu's threshold of the
        values above 0. That range is bone on CT: give one for CT.
    closing_radius
        Of the ball for the closing, in voxels, 0 or more.

    Returns
    -------
    Shape of ``voxels``.

    Raises
    ------
    NothingFoundError
        No value lies in the range, or none is above 0 to choose it from.
    NotApplicableError
        A value is infinite and a range is to be chosen.
    ValueError
        The radius is negative.

    Source: nidataset 0.9.1, ``generate_brain_mask``, whose voxels these are.
    """
    low, high = otsu_range(voxels) if threshold is None else threshold
    runs = encode(within(voxels, low, high))
    parts = label(close_by_ball(fill_holes(runs), closing_radius), Connectivity.SIX)
    if not parts.count:
        raise NothingFoundError(
            f"No voxel has a value from {low:g} to {high:g}, the range of the brain. Choose "
            "another preset or range for such series."
        )
    kept = np.zeros(parts.count + 1, dtype=bool)
    kept[parts.voxels().argmax()] = True
    return parts.mask(kept)


def analyse(volume: Volume, parameters: BrainParameters) -> tuple[Finding, ...]:
    """Label and measure the brain and, if asked to, show it alone.

    Raises
    ------
    NotApplicableError
        The preset is meant for the other modality, or a value is infinite.
    NothingFoundError
        No value lies in the range.
    """
    low, high = _range(volume, parameters)
    mask = brain_mask(volume.voxels, (low, high), parameters.closing_radius)
    remarks = (_bone_remark(low, high),) if _takes_bone(volume, parameters) else ()
    label_map = LabelMap("brain", mask.view(np.uint8), (_BRAIN,), "Brain", remarks)
    stripped = (_stripped(volume, mask),) if parameters.skull_stripped else ()
    measured = measure_brain(label_map, volume.voxels, volume.geometry.spacing, volume.modality)
    return (label_map, *stripped, measured)


def _range(volume: Volume, parameters: BrainParameters) -> tuple[float, float]:
    """The lowest and the highest value that may be brain.

    Raises
    ------
    NotApplicableError
        The preset is meant for the other modality, or a value is infinite.
    NothingFoundError
        No value is above 0 to choose a range from.
    """
    if parameters.low is not None and parameters.high is not None:
        return parameters.low, parameters.high
    name = parameters.preset
    if name == _AUTO:
        name = "ct-plain" if volume.modality == "CT" else _OTSU
    if name == _OTSU:
        return otsu_range(volume.voxels)
    preset = _PRESETS[name]
    if volume.modality != preset.modality:
        raise NotApplicableError(
            f"Preset {name!r} is a range of {preset.modality} values; series "
            f"{volume.series_instance_uid} is {volume.modality}. Choose a preset for it, or 'auto'."
        )
    return preset.low, preset.high


def _takes_bone(volume: Volume, parameters: BrainParameters) -> bool:
    """Whether Otsu's method is asked of a CT, where it parts bone from all the rest."""
    return parameters.preset == _OTSU and volume.modality == "CT"


def _bone_remark(low: float, high: float) -> str:
    return (
        f"The range of {low:.0f} to {high:.0f} HU was chosen by Otsu's method, which on CT tells "
        "bone from soft tissue: the mask shows bone rather than brain."
    )


def _stripped(volume: Volume, mask: BoolArray) -> DerivedVolume:
    """The source's values in the brain, and its lowest one all around."""
    voxels = volume.voxels
    return DerivedVolume(
        name="skull-stripped",
        voxels=np.where(mask, voxels, voxels.min()),
        image_type="MASKED",
        derivation=_STRIPPING,
        source_slices=tuple((index,) for index in range(len(voxels))),
        locations_preserved=True,
        slab_mm=volume.geometry.spacing.slice_mm,
        description="Brain, skull stripped",
    )


BRAIN = Algorithm(
    name="brain",
    version="1",
    title="Brain on head CT or MR (nidataset)",
    modalities=frozenset({"CT", "MR"}),
    parameters=BrainParameters,
    analyse=analyse,
    series_number_offset=200,
)
