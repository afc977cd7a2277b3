"""The segments of a finding: whether labels fit them, on which slices they are, and their items.

Source: PS3.3 C.8.20.2 (Segmentation Image), C.8.20.4 (Segment Description Macro); PS3.16 CID 7155.
"""

from collections.abc import Sequence

import numpy as np
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset

from pipeline.encode.codes import SEGMENTATION, code_item
from pipeline.encode.context import MANUFACTURER, ResultContext
from pipeline.encode.values import own_text
from pipeline.errors import EncodingError
from pipeline.findings import Code, LabelMap, Segment
from pipeline.volume import Volume

_BACKGROUND = Code("125040", "DCM", "Background")
_BLACK = (0, 0, 0)


def check_label_map(finding: LabelMap, volume: Volume) -> None:
    """Make sure that each label lies on a source voxel and belongs to a segment.

    Raises
    ------
    EncodingError
        The labels are not on the source's grid, or have a value without a segment.
    """
    labels = finding.labels
    if labels.dtype != np.uint8 or labels.shape != volume.voxels.shape:
        raise EncodingError(
            f"Finding {finding.name!r} is {labels.dtype} {labels.shape}; it must be uint8 "
            f"{volume.voxels.shape}, on the source's grid."
        )
    check_segments(finding.name, finding.segments)
    highest = int(labels.max())
    if highest > len(finding.segments):
        raise EncodingError(
            f"Finding {finding.name!r} uses label {highest}, but describes "
            f"{len(finding.segments)} segments."
        )


def check_segments(name: str, segments: Sequence[Segment]) -> None:
    """Make sure that segments are numbered and named as a Segmentation demands.

    Raises
    ------
    EncodingError
        They are not.
    """
    if [segment.number for segment in segments] != list(range(1, len(segments) + 1)):
        raise EncodingError(f"The segments of finding {name!r} are not numbered 1, 2, ...")
    for segment in segments:
        if not own_text(segment.label):
            raise EncodingError(
                f"Segment {segment.number} of finding {name!r} has no label. Name it in the "
                "algorithm: readers list segments by their labels."
            )


def slices_of_segments(finding: LabelMap) -> dict[int, list[int]]:
    """The indices of the slices that have a voxel of each segment, in growing order.

    Found in one pass over the labels, however many segments there are.
    """
    slices: dict[int, list[int]] = {segment.number: [] for segment in finding.segments}
    for index, plane in enumerate(finding.labels):
        occupied = plane[plane.any(axis=1)]
        for number in np.flatnonzero(np.bincount(occupied[occupied != 0])).tolist():
            slices[number].append(index)
    return slices


def segment_items(
    name: str, segments: Sequence[Segment], context: ResultContext
) -> tuple[Dataset, ...]:
    """The items of Segment Sequence (0062,0002) for the segments of a finding.

    A segment is tracked under the name of its finding, in whatever objects that is said.
    """
    return tuple(_segment_item(name, segment, context) for segment in segments)


def background_item(context: ResultContext) -> Dataset:
    """Segment 0 of a label map: what belongs to no other segment."""
    item = _described(0, "Background", _BACKGROUND, _BACKGROUND, context)
    item.RecommendedDisplayCIELabValue = list(CIELabColor.from_rgb(*_BLACK).value)
    return item


def tracking_id(name: str, label: str, context: ResultContext) -> str:
    """Tracking ID (0062,0020) of what is named so in a finding, for people."""
    return own_text(f"{context.algorithm} {name} {label}")


def _segment_item(name: str, segment: Segment, context: ResultContext) -> Dataset:
    item = _described(segment.number, segment.label, segment.category, segment.type, context)
    item.SegmentationAlgorithmIdentificationSequence = [_algorithm_item(context)]
    item.TrackingID = tracking_id(name, segment.label, context)
    item.TrackingUID = context.tracking_uid(name, segment.number)
    item.RecommendedDisplayCIELabValue = list(CIELabColor.from_rgb(*segment.rgb).value)
    if segment.laterality is not None:
        # PS3.3 C.8.20.4.1: modifiers sit inside the item of the property's type.
        (kind,) = item.SegmentedPropertyTypeCodeSequence
        kind.SegmentedPropertyTypeModifierCodeSequence = [code_item(segment.laterality)]
    return item


def _described(
    number: int, label: str, category: Code, kind: Code, context: ResultContext
) -> Dataset:
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = own_text(label)
    item.SegmentedPropertyCategoryCodeSequence = [code_item(category)]
    item.SegmentedPropertyTypeCodeSequence = [code_item(kind)]
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = _algorithm_name(context)
    return item


def _algorithm_item(context: ResultContext) -> Dataset:
    """Which algorithm, in codes (PS3.3 10.17, Algorithm Identification Macro)."""
    item = Dataset()
    item.AlgorithmFamilyCodeSequence = [code_item(SEGMENTATION)]
    item.AlgorithmName = _algorithm_name(context)
    item.AlgorithmVersion = own_text(context.algorithm_version)
    item.AlgorithmSource = MANUFACTURER
    return item


def _algorithm_name(context: ResultContext) -> str:
    return own_text(f"{MANUFACTURER} {context.algorithm}")
