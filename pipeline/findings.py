"""What an algorithm found, before it is said in DICOM."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import EncodingError
from pipeline.geometry import PlaneGeometry

_PROBABILITY_AXES = 4


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 section 8): value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One class of a label map.

    Parameters
    ----------
    number
        Its value in the label array, from 1, without gaps.
    label
        What a viewer shows.
    category, type
        Segmented Property Category and Type.
    laterality
        Modifier of the type, where the structure is paired.
    rgb
        The colour recommended for display, 0 to 255 each.
    """

    number: int
    label: str
    category: Code
    type: Code
    laterality: Code | None
    rgb: tuple[int, int, int]


@dataclass(frozen=True, eq=False, slots=True)
class LabelMap:
    """A segmentation on the voxels of the source volume.

    Parameters
    ----------
    name
        Short and stable within its algorithm; goes into UIDs.
    labels
        uint8 (slice, row, column) on the source's grid: 0 is background, n is segment n.
    segments
        In the order of their numbers.
    description
        A few words for the series list.
    remarks
        What a reader of the result must know; a sentence each.
    """

    name: str
    labels: npt.NDArray[np.uint8]
    segments: tuple[Segment, ...]
    description: str
    remarks: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no voxel belongs to any segment: looked for, and not found."""
        return not self.labels.any()

    def has_voxels_of(self, number: int) -> bool:
        """Whether any voxel belongs to the segment of this number."""
        return any((plane == number).any() for plane in self.labels)


@dataclass(frozen=True, eq=False, slots=True)
class ProbabilityMap:
    """How likely each voxel of the source volume belongs to each segment.

    Parameters
    ----------
    name
        Short and stable within its algorithm; goes into UIDs. Its label map has the same.
    probabilities
        float32 (segment, slice, row, column), 0 to 1, on the source's grid; number n is at n - 1.
    segments
        In the order of their numbers.
    description
        A few words for the series list.
    remarks
        What a reader of the result must know; a sentence each.
    """

    name: str
    probabilities: npt.NDArray[np.float32]
    segments: tuple[Segment, ...]
    description: str
    remarks: tuple[str, ...] = ()

    def label_map(self, threshold: float = 0.5) -> LabelMap:
        """Give each voxel to its most likely segment, where that is likely enough.

        Parameters
        ----------
        threshold
            The least probability of a voxel of a segment. Of equally likely segments the first
            one has it.

        Raises
        ------
        EncodingError
            There are not as many arrays as segments, or one holds what is no probability.
        """
        self._check_shape()
        labels = np.zeros(self.probabilities.shape[1:], np.uint8)
        below = np.nextafter(np.float32(threshold), np.float32(-np.inf))
        for index, plane in enumerate(labels):
            highest = np.full(plane.shape, below)
            for segment, likely in zip(self.segments, self.probabilities[:, index], strict=True):
                check_probabilities(self.name, likely)
                np.copyto(plane, segment.number, where=likely > highest)
                np.maximum(highest, likely, out=highest)
        return LabelMap(self.name, labels, self.segments, self.description, self.remarks)

    def _check_shape(self) -> None:
        shape, count = self.probabilities.shape, len(self.segments)
        if len(shape) != _PROBABILITY_AXES or shape[0] != count:
            raise EncodingError(
                f"Finding {self.name!r} has probabilities of the shape {shape}; the first of their "
                f"{_PROBABILITY_AXES} axes must be its {count} segments."
            )


def check_probabilities(name: str, values: npt.NDArray[Any]) -> None:
    """Make sure that each value is a probability.

    Raises
    ------
    EncodingError
        One of the finding of this name is below 0, above 1 or no number.
    """
    if not (values.min() >= 0 and values.max() <= 1):  # no comparison holds for what is no number
        raise EncodingError(
            f"Finding {name!r} has a probability of {values.min()} or {values.max()}; each must be "
            "a number from 0 to 1."
        )


@dataclass(frozen=True, eq=False, slots=True)
class DerivedVolume:
    """A volume computed from the source, voxel for voxel on its grid.

    Parameters
    ----------
    name
        Short and stable within its algorithm; goes into UIDs.
    voxels
        (slice, row, column) in the unit and type of the source volume's voxels.
    image_type
        What is shown, as a term of Image Type (0008,0008): ``MIP``, ``MASKED``.
    derivation
        Derivation Code Sequence: how the values came about.
    source_slices
        For each image the indices of the source slices that went into it.
    locations_preserved
        Whether each voxel shows the same place as in its source slices. Else it is a projection.
    slab_mm
        Thickness that one image stands for, in mm.
    description
        A few words for the series list.
    axis
        The one that images follow one another on: 0 for the source's own slices, else images lie
        across these.
    padding
        The value of voxels that show nothing of the patient, lower than all others; None where
        the values of the source's own padding, if there are any, mean the same here.
    """

    name: str
    voxels: npt.NDArray[Any]
    image_type: str
    derivation: tuple[Code, ...]
    source_slices: tuple[tuple[int, ...], ...]
    locations_preserved: bool
    slab_mm: float
    description: str
    axis: int = 0
    padding: float | None = None


@dataclass(frozen=True, eq=False, slots=True)
class RotatingProjection:
    """Views of the source from around the patient, each projected through all of it.

    Parameters
    ----------
    name
        Short and stable within its algorithm; goes into UIDs.
    views
        (view, row, column) in the unit and type of the source volume's voxels; the first row is
        nearest to the head.
    planes
        Where each view lies: in the middle of what was projected.
    image_type
        What is shown, as a term of Image Type (0008,0008): ``MIP``.
    derivation
        Derivation Code Sequence: how the values came about.
    depth_mm
        The length of a ray.
    description
        A few words for the series list.
    """

    name: str
    views: npt.NDArray[Any]
    planes: tuple[PlaneGeometry, ...]
    image_type: str
    derivation: tuple[Code, ...]
    depth_mm: float
    description: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number found, with what it means.

    Parameters
    ----------
    name
        What was measured.
    value
        In ``unit``.
    unit
        In UCUM.
    definition
        How it was measured, in one sentence for a reader of the report.
    """

    name: Code
    value: float
    unit: Code
    definition: str


@dataclass(frozen=True, slots=True)
class MeasurementGroup:
    """What was measured of a segment, or of several taken together.

    Parameters
    ----------
    label
        What a reader sees: the segment's label, or a word for the whole.
    label_map
        The name of the `LabelMap` that the segments belong to.
    segments
        Their numbers; several where the measurements are of all of them as one.
    measurements
        In the order of the report.
    """

    label: str
    label_map: str
    segments: tuple[int, ...]
    measurements: tuple[Measurement, ...]


ImageFinding = LabelMap | ProbabilityMap | DerivedVolume | RotatingProjection
Finding = ImageFinding | MeasurementGroup
