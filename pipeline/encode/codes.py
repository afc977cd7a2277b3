"""Coded concepts as items of a code sequence, and the ones that every encoder needs."""

from pydicom.dataset import Dataset

from pipeline.findings import Code

ACQUISITION_EQUIPMENT = Code("109101", "DCM", "Acquisition Equipment")
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")
SEGMENTATION = Code("113076", "DCM", "Segmentation")

_SHORT_CODE = 16


def code_item(code: Code) -> Dataset:
    """An item of a code sequence.

    Source: PS3.3 8.8, Basic Code Sequence Macro.
    """
    item = Dataset()
    if len(code.value) > _SHORT_CODE:
        item.LongCodeValue = code.value
    else:
        item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.meaning
    return item
