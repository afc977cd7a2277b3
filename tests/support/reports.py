"""Reading structured reports, as tests do."""

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from pipeline.findings import LabelMap
from pipeline.volume import Volume


def items(parent: Dataset, meaning: str) -> list[Dataset]:
    """The items right below another whose concept name means this."""
    return [
        item
        for item in parent.get("ContentSequence", [])
        if item.ConceptNameCodeSequence[0].CodeMeaning == meaning
    ]


def only(parent: Dataset, meaning: str) -> Dataset:
    """The one such item."""
    (item,) = items(parent, meaning)
    return item


def value(item: Dataset) -> str:
    """The code value of a CODE item."""
    return str(item.ConceptCodeSequence[0].CodeValue)


def groups_of(report: Dataset) -> list[Dataset]:
    """The measurement groups."""
    return items(only(report, "Imaging Measurements"), "Measurement Group")


def everything(parent: Dataset) -> Iterator[Dataset]:
    """All items below another."""
    for item in parent.get("ContentSequence", []):
        yield item
        yield from everything(item)


def number(item: Dataset) -> float:
    """The value of a NUM item, in full."""
    measured = item.MeasuredValueSequence[0]
    return float(measured.get("FloatingPointValue", measured.NumericValue))


def expected_ml(label_map: LabelMap, volume: Volume) -> list[float]:
    """Voxel count times voxel volume: right, left, both."""
    counts = np.bincount(label_map.labels.ravel())[1:3]
    voxel_ml = volume.geometry.spacing.voxel_volume_mm3 / 1000
    return [count * voxel_ml for count in (*counts, counts.sum())]
