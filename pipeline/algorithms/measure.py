"""What is measured of segments on CT: volume, mean and spread of HU, emphysema index.

Concepts are coded in SNOMED CT as PS3.16 lists them (CID 7464, 7469), units in UCUM as DICOM
spells them. The emphysema index has no code in DICOM, SNOMED CT or LOINC; ours is in the private
scheme 99HOUNSFIELD.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.findings import Code, LabelMap, Measurement, MeasurementGroup
from pipeline.geometry import Spacing
from pipeline.kernels.label_sums import sum_labels

EMPHYSEMA_BELOW_HU = -950

VOLUME = Code("118565006", "SCT", "Volume")
MEAN = Code("373098007", "SCT", "Mean")
STANDARD_DEVIATION = Code("386136009", "SCT", "Standard Deviation")
EMPHYSEMA_INDEX = Code("LAA950", "99HOUNSFIELD", "Emphysema index, share below -950 HU")
MILLILITER = Code("ml", "UCUM", "milliliter")
HOUNSFIELD_UNIT = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
PERCENT = Code("%", "UCUM", "Percent")

_MM3_OF_ML = 1000.0
_MOST_BYTES = 2


@dataclass(frozen=True, slots=True)
class HuSums:
    """Exact sums over the voxels of one segment or of several, which add up.

    Parameters
    ----------
    voxels
        Their number.
    hu
        The sum of their values.
    hu_squared
        The sum of their squared values.
    emphysematous
        How many are below -950 HU.
    """

    voxels: int
    hu: int
    hu_squared: int
    emphysematous: int

    def __add__(self, other: "HuSums") -> "HuSums":
        return HuSums(
            self.voxels + other.voxels,
            self.hu + other.hu,
            self.hu_squared + other.hu_squared,
            self.emphysematous + other.emphysematous,
        )


def sum_segments(
    labels: npt.NDArray[np.uint8], voxels_hu: npt.NDArray[np.integer[Any]], segments: int
) -> tuple[HuSums, ...]:
    """Sum up the voxels of each segment.

    Parameters
    ----------
    labels
        (slice, row, column): n in segment n, 0 in none.
    voxels_hu
        The same shape, integers of up to 16 bits.
    segments
        How many there are.

    Returns
    -------
    For segments 1 to ``segments``, in this order.

    Raises
    ------
    ValueError
        The shapes differ, or the voxels are not such integers.
    """
    if labels.shape != voxels_hu.shape:
        raise ValueError(f"labels are {labels.shape}, voxels {voxels_hu.shape}; they are one grid")
    if voxels_hu.dtype.kind not in "iu" or voxels_hu.dtype.itemsize > _MOST_BYTES:
        raise ValueError(f"voxels are {voxels_hu.dtype}; HU are integers of up to 16 bits")
    sums = sum_labels(labels, voxels_hu, EMPHYSEMA_BELOW_HU)
    return tuple(HuSums(*row) for row in sums[1 : segments + 1].tolist())


def volume(sums: HuSums, spacing: Spacing) -> Measurement:
    """Volume in mL: number of voxels times the volume of one."""
    return Measurement(
        VOLUME,
        sums.voxels * spacing.voxel_volume_mm3 / _MM3_OF_ML,
        MILLILITER,
        "Number of voxels times the volume of one voxel",
    )


def mean_hu(sums: HuSums) -> Measurement:
    """Mean of the voxels in HU.

    Raises
    ------
    ValueError
        There is no voxel.
    """
    _require_voxels(sums)
    return Measurement(
        MEAN, sums.hu / sums.voxels, HOUNSFIELD_UNIT, "Mean of the Hounsfield Units of all voxels"
    )


def standard_deviation_hu(sums: HuSums) -> Measurement:
    """Standard deviation of the voxels in HU, as of a whole population: divided by their number.

    Raises
    ------
    ValueError
        There is no voxel.
    """
    _require_voxels(sums)
    squared = (sums.voxels * sums.hu_squared - sums.hu**2) / sums.voxels**2
    return Measurement(
        STANDARD_DEVIATION,
        math.sqrt(squared),
        HOUNSFIELD_UNIT,
        "Standard deviation of the Hounsfield Units of all voxels, divided by their number",
    )


def emphysema_index(sums: HuSums) -> Measurement:
    """Share of the voxels below -950 HU in per cent.

    Raises
    ------
    ValueError
        There is no voxel.

    Source: P. A. Gevenois et al., American Journal of Respiratory and Critical Care Medicine 154
    (1996) 187-192, for the threshold.
    """
    _require_voxels(sums)
    return Measurement(
        EMPHYSEMA_INDEX,
        100 * sums.emphysematous / sums.voxels,
        PERCENT,
        f"Share of the voxels below {EMPHYSEMA_BELOW_HU} Hounsfield Units",
    )


def _require_voxels(sums: HuSums) -> None:
    if sums.voxels == 0:
        raise ValueError("a segment without voxels has no Hounsfield Units to measure")


def measure_lungs(
    label_map: LabelMap,
    voxels_hu: npt.NDArray[np.integer[Any]],
    spacing: Spacing,
    *,
    total: str = "Both lungs",
) -> tuple[MeasurementGroup, ...]:
    """Measure each lung, and all of them as one where there are several.

    Parameters
    ----------
    label_map
        One segment for each lung.
    voxels_hu
        (slice, row, column) on the label map's grid, integers of up to 16 bits.
    spacing
        Between voxels.
    total
        The label of the group of all lungs.

    Returns
    -------
    A group for each segment in order, then the total. A segment without voxels has a volume of 0
    and nothing else.
    """
    segments = label_map.segments
    sums = sum_segments(label_map.labels, voxels_hu, len(segments))
    groups = [
        MeasurementGroup(
            segment.label, label_map.name, (segment.number,), _measure_lung(part, spacing)
        )
        for segment, part in zip(segments, sums, strict=True)
    ]
    if len(segments) > 1:
        numbers = tuple(segment.number for segment in segments)
        whole = sum(sums, start=HuSums(0, 0, 0, 0))
        groups.append(
            MeasurementGroup(total, label_map.name, numbers, _measure_lung(whole, spacing))
        )
    return tuple(groups)


def _measure_lung(sums: HuSums, spacing: Spacing) -> tuple[Measurement, ...]:
    if sums.voxels == 0:
        return (volume(sums, spacing),)
    return (
        volume(sums, spacing),
        mean_hu(sums),
        standard_deviation_hu(sums),
        emphysema_index(sums),
    )


def measure_brain(
    label_map: LabelMap, voxels: npt.NDArray[Any], spacing: Spacing, modality: str
) -> MeasurementGroup:
    """Measure the brain: its volume and, on CT and where there is any, mean and spread of HU.

    Parameters
    ----------
    label_map
        Its first segment is the brain.
    voxels
        (slice, row, column) on the label map's grid; on CT in HU, integers of up to 16 bits.
    spacing
        Between voxels.
    modality
        Modality (0008,0060) of the series.
    """
    (segment, *_) = label_map.segments
    labels = label_map.labels
    if modality != "CT":
        count = int(np.count_nonzero(labels == segment.number))
        measurements: tuple[Measurement, ...] = (volume(HuSums(count, 0, 0, 0), spacing),)
    else:
        (sums,) = sum_segments(labels, voxels, 1)
        measurements = (volume(sums, spacing),)
        if sums.voxels:
            measurements += (mean_hu(sums), standard_deviation_hu(sums))
    return MeasurementGroup(segment.label, label_map.name, (segment.number,), measurements)
