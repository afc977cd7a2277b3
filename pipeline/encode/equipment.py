"""Which equipment contributed to a result: the source's, the scanner, and this software."""

from datetime import UTC

from pydicom.dataset import Dataset

from pipeline.encode.codes import ACQUISITION_EQUIPMENT, PROCESSING_EQUIPMENT, code_item
from pipeline.encode.context import MANUFACTURER, ResultContext
from pipeline.encode.values import own_text, taken, value_of
from pipeline.findings import Code

_SCANNER = (
    "Manufacturer",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "InstitutionalDepartmentName",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
)


def contributing_equipment(source: Dataset, context: ResultContext) -> list[Dataset]:
    """The items of Contributing Equipment Sequence (0018,A001), in order of time.

    General Equipment of a result is ours, so the scanner is named here.

    Source: PS3.3 C.12.1.1.5.
    """
    return [*_earlier(source), *_scanner(source), _ourselves(context)]


def _earlier(source: Dataset) -> list[Dataset]:
    """What the source itself names."""
    element = taken(source, "ContributingEquipmentSequence")
    return [] if element is None else list(element.value)


def _scanner(source: Dataset) -> list[Dataset]:
    """The source's own equipment, where it names the manufacturer that an item must have."""
    if not value_of(source, "Manufacturer"):
        return []
    item = _item(ACQUISITION_EQUIPMENT, "Made the source images")
    for keyword in _SCANNER:
        if (element := taken(source, keyword)) is not None and not element.is_empty:
            item.add(element)
    return [item]


def _ourselves(context: ResultContext) -> Dataset:
    item = _item(PROCESSING_EQUIPMENT, "Computed this result from the source images")
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = own_text(f"{MANUFACTURER} {context.algorithm}")
    item.SoftwareVersions = own_text(context.author)
    item.ContributionDateTime = f"{context.content_time.astimezone(UTC):%Y%m%d%H%M%S.%f%z}"
    return item


def _item(purpose: Code, description: str) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_item(purpose)]
    item.ContributionDescription = description
    return item
