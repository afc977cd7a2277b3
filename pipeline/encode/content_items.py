"""Content items of a structured report.

They are written here and not by highdicom's templates: those refuse headers that hospitals send,
allow one segment in a group, and take a copy of the whole tree.

Source: PS3.3 C.17.3 (SR Document Content), C.18.1 to C.18.8 (content item macros).
"""

from collections.abc import Sequence
from enum import StrEnum
from math import isfinite

from pydicom.dataset import Dataset

from pipeline.encode.codes import code_item
from pipeline.encode.values import decimal_string, own_text
from pipeline.errors import EncodingError
from pipeline.findings import Code


class Relationship(StrEnum):
    """Relationship Type (0040,A010): what an item is to the one that it stands in."""

    CONTAINS = "CONTAINS"
    HAS_CONCEPT_MODIFIER = "HAS CONCEPT MOD"
    HAS_OBSERVATION_CONTEXT = "HAS OBS CONTEXT"
    INFERRED_FROM = "INFERRED FROM"


def container_item(
    name: Code,
    content: Sequence[Dataset],
    *,
    relationship: Relationship | None = Relationship.CONTAINS,
    template: str = "",
) -> Dataset:
    """A heading with what is below it.

    Parameters
    ----------
    relationship
        None for the root of a report.
    template
        The number of the DICOM template that the content follows; empty where that of the item
        above goes on.
    """
    item = _item("CONTAINER", relationship, name, content)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        identification = Dataset()
        identification.MappingResource = "DCMR"
        identification.TemplateIdentifier = template
        item.ContentTemplateSequence = [identification]
    return item


def coded_item(
    relationship: Relationship, name: Code, value: Code, content: Sequence[Dataset] = ()
) -> Dataset:
    """A coded value."""
    item = _item("CODE", relationship, name, content)
    item.ConceptCodeSequence = [code_item(value)]
    return item


def text_item(relationship: Relationship, name: Code, value: str) -> Dataset:
    """Text of ours, in the default repertoire."""
    item = _item("TEXT", relationship, name)
    item.TextValue = own_text(value, limit=len(value))
    return item


def uid_item(relationship: Relationship, name: Code, value: str) -> Dataset:
    """A UID."""
    item = _item("UIDREF", relationship, name)
    item.UID = value
    return item


def number_item(
    relationship: Relationship,
    name: Code,
    value: float,
    unit: Code,
    content: Sequence[Dataset] = (),
) -> Dataset:
    """A number with its unit: as a decimal string, and in full where that cuts it.

    Raises
    ------
    EncodingError
        The value is infinite or no number.
    """
    if not isfinite(value):
        raise EncodingError(f"{name.meaning} is {value}, which no report can hold as a number.")
    measured = Dataset()
    measured.NumericValue = decimal_string(value)
    if float(measured.NumericValue) != value:
        measured.FloatingPointValue = float(value)
    measured.MeasurementUnitsCodeSequence = [code_item(unit)]
    item = _item("NUM", relationship, name, content)
    item.MeasuredValueSequence = [measured]
    return item


def segment_item(
    relationship: Relationship, name: Code, segmentation: Dataset, number: int
) -> Dataset:
    """A reference to one segment of a Segmentation."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = segmentation.SOPClassUID
    reference.ReferencedSOPInstanceUID = segmentation.SOPInstanceUID
    reference.ReferencedSegmentNumber = number
    item = _item("IMAGE", relationship, name)
    item.ReferencedSOPSequence = [reference]
    return item


def _item(
    value_type: str,
    relationship: Relationship | None,
    name: Code,
    content: Sequence[Dataset] = (),
) -> Dataset:
    item = Dataset()
    if relationship is not None:
        item.RelationshipType = relationship.value
    item.ValueType = value_type
    item.ConceptNameCodeSequence = [code_item(name)]
    if content:
        item.ContentSequence = list(content)
    return item
