"""What a report says in words: what its reader must know, and what was looked for in vain.

Source: PS3.16 TID 1500 (Qualitative Evaluations).
"""

from collections.abc import Iterator, Sequence
from math import isfinite

from pydicom.dataset import Dataset

from pipeline.encode import report_codes as codes
from pipeline.encode.content_items import Relationship, container_item, text_item
from pipeline.encode.context import ResultContext
from pipeline.encode.report_groups import EncodedLabelMap, Subject
from pipeline.encode.values import decimal_string
from pipeline.findings import LabelMap, MeasurementGroup

_CONTAINS = Relationship.CONTAINS


def comments(
    label_maps: Sequence[EncodedLabelMap], in_words: Sequence[Subject], context: ResultContext
) -> Iterator[Dataset]:
    """The container of all comments; none where there is nothing to say.

    Parameters
    ----------
    label_maps
        Those of the step.
    in_words
        Groups of measurements of label maps without a voxel.
    """
    findings = [item.finding for item in label_maps]
    texts = [
        *(context.receipt.warnings if context.receipt else ()),
        *(_nothing_found(finding) for finding in findings if finding.is_empty),
        *(_measured(subject.group) for subject in in_words),
        *(remark for finding in findings for remark in finding.remarks),
    ]
    if texts:
        items = [text_item(_CONTAINS, codes.COMMENT, text) for text in texts]
        yield container_item(codes.QUALITATIVE_EVALUATIONS, items)


def _nothing_found(finding: LabelMap) -> str:
    segments = ", ".join(segment.label for segment in finding.segments)
    return (
        f"{finding.description}: nothing was found. No voxel belongs to the label map "
        f"{finding.name!r} ({segments}), so no segmentation of it is stored."
    )


def _measured(group: MeasurementGroup) -> str:
    """The numbers of a group in words; a mean of nothing is none and left out."""
    numbers = [
        f"{item.name.meaning} {decimal_string(item.value)} {item.unit.value}"
        for item in group.measurements
        if isfinite(item.value)
    ]
    return f"{group.label}: {'; '.join(numbers) or 'nothing to measure'}."
