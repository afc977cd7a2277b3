"""What a summary picture shows, sorted by kind."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.encode.picture.sheet import Colour
from pipeline.errors import EncodingError
from pipeline.findings import (
    DerivedVolume,
    Finding,
    LabelMap,
    MeasurementGroup,
    ProbabilityMap,
    RotatingProjection,
    Segment,
)
from pipeline.volume import Volume

_PREVIEW = 4

Projection = DerivedVolume | RotatingProjection


@dataclass(frozen=True, eq=False, slots=True)
class PictureContent:
    """All that was found on one volume.

    Parameters
    ----------
    algorithms
        Name and version of each, as people read them.
    findings
        Of all algorithms, in their order.
    """

    algorithms: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """Findings by kind.

    Parameters
    ----------
    label_maps
        The masks; of probabilities those of the likeliest segments.
    measurements
        What was measured.
    projections
        What was projected. Volumes that show places of the source as they were do not count.
    """

    label_maps: tuple[LabelMap, ...]
    measurements: tuple[MeasurementGroup, ...]
    projections: tuple[Projection, ...]

    @property
    def colours(self) -> dict[tuple[str, int], Colour]:
        """The colour of a segment, by label map and number."""
        return {
            (item.name, segment.number): segment.rgb
            for item in self.label_maps
            for segment in item.segments
        }

    @property
    def missing(self) -> list[Segment]:
        """The segments that no voxel belongs to."""
        return [segment for item in self.label_maps for segment in _missing(item)]


def found_on(volume: Volume, content: PictureContent) -> Found:
    """Sort what was found on a volume.

    Raises
    ------
    EncodingError
        A mask or projection is not on the volume's grid.
    """
    label_maps: list[LabelMap] = []
    measurements: list[MeasurementGroup] = []
    projections: list[Projection] = []
    for finding in content.findings:
        match finding:
            case LabelMap():
                label_maps.append(finding)
            case ProbabilityMap():
                label_maps.append(finding.label_map())
            case MeasurementGroup():
                measurements.append(finding)
            case RotatingProjection():
                projections.append(finding)
            case DerivedVolume() if not finding.locations_preserved:
                projections.append(finding)
    _check_grids(volume, label_maps, projections)
    return Found(tuple(label_maps), tuple(measurements), tuple(projections))


def _check_grids(volume: Volume, label_maps: list[LabelMap], projections: list[Projection]) -> None:
    shapes = {item.name: item.labels.shape for item in label_maps}
    shapes |= {
        item.name: item.voxels.shape for item in projections if isinstance(item, DerivedVolume)
    }
    for name, shape in shapes.items():
        if shape != volume.voxels.shape:
            raise EncodingError(
                f"Finding {name!r} is {shape}; to be drawn it must be {volume.voxels.shape}, on "
                "the source's grid."
            )


def _missing(label_map: LabelMap) -> Iterator[Segment]:
    labels = label_map.labels
    seen = set(np.unique(labels[::_PREVIEW, ::_PREVIEW, ::_PREVIEW]).tolist())
    for segment in label_map.segments:
        if segment.number not in seen and not _occurs(labels, segment.number):
            yield segment


def _occurs(labels: npt.NDArray[np.uint8], number: int) -> bool:
    return any(bool((plane == number).any()) for plane in labels)
