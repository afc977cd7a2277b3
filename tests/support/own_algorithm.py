"""An algorithm of a site's own that finds something of every kind on any volume, at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from pipeline.algorithms import registry
from pipeline.algorithms.measure import MILLILITER, VOLUME
from pipeline.algorithms.registry import Algorithm
from pipeline.findings import (
    Code,
    DerivedVolume,
    Finding,
    LabelMap,
    Measurement,
    MeasurementGroup,
    ProbabilityMap,
    Segment,
)
from pipeline.volume import Volume

_ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
_LUNG = Code("39607008", "SCT", "Lung")
_MASKING = (Code("113076", "DCM", "Segmentation"), Code("113047", "DCM", "Pixel by pixel mask"))
SEGMENTS = (
    Segment(1, "Right lung", _ANATOMY, _LUNG, Code("24028007", "SCT", "Right"), (200, 60, 60)),
    Segment(2, "Left lung", _ANATOMY, _LUNG, Code("7771000", "SCT", "Left"), (60, 60, 200)),
)


@dataclass(frozen=True, slots=True)
class ShapesParameters:
    """From which value on a voxel is of the first segment, and from which of the second."""

    first: float = 900.0
    second: float = 1500.0


def analyse(volume: Volume, parameters: ShapesParameters) -> tuple[Finding, ...]:
    """Masks with voxels, with those of one segment, and with none; probabilities; an image."""
    labels = (volume.voxels >= parameters.first).astype(np.uint8)
    labels += volume.voxels >= parameters.second
    shapes = _mask("shapes", labels)
    return (
        shapes,
        _mask("one", np.where(labels == 1, labels, 0).astype(np.uint8)),
        _mask("nothing", np.zeros_like(labels)),
        _likely(labels),
        _masked(volume, labels),
        *_measured(shapes, volume),
    )


def _mask(name: str, labels: npt.NDArray[np.uint8]) -> LabelMap:
    return LabelMap(name, labels, SEGMENTS, name.capitalize())


def _likely(labels: npt.NDArray[np.uint8]) -> ProbabilityMap:
    likely = np.stack([np.where(labels == item.number, 0.9, 0.2) for item in SEGMENTS])
    return ProbabilityMap("likely", likely.astype(np.float32), SEGMENTS, "Likely")


def _masked(volume: Volume, labels: npt.NDArray[np.uint8]) -> DerivedVolume:
    return DerivedVolume(
        name="masked",
        voxels=np.where(labels, volume.voxels, volume.voxels.min()),
        image_type="MASKED",
        derivation=_MASKING,
        source_slices=tuple((index,) for index in range(len(labels))),
        locations_preserved=True,
        slab_mm=volume.geometry.spacing.slice_mm,
        description="Masked",
    )


def _measured(label_map: LabelMap, volume: Volume) -> Iterator[MeasurementGroup]:
    """The volume of each segment and of both."""
    voxel_ml = volume.geometry.spacing.voxel_volume_mm3 / 1000
    for label, numbers in (("Right lung", (1,)), ("Left lung", (2,)), ("Both lungs", (1, 2))):
        count = int(np.isin(label_map.labels, numbers).sum())
        volume_ml = Measurement(VOLUME, count * voxel_ml, MILLILITER, "Voxels times their volume")
        yield MeasurementGroup(label, label_map.name, numbers, (volume_ml,))


SHAPES = Algorithm(
    name="shapes",
    version="1",
    title="Bright shapes",
    modalities=frozenset({"CT", "MR", "PT"}),
    parameters=ShapesParameters,
    analyse=analyse,
)


@contextmanager
def installed_with(algorithm: Algorithm) -> Iterator[None]:
    """As if a package with this algorithm were installed beside ours."""
    there = registry.installed() | {algorithm.name: algorithm}
    with patch.object(registry, "installed", lambda: there):
        yield
