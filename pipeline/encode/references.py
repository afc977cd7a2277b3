"""References to the instances and frames that a result was made of.

Source: PS3.3 10.3 (Image SOP Instance Reference Macro).
"""

from pydicom.dataset import Dataset

from pipeline.volume import Frame


def instance_reference(source: Frame) -> Dataset:
    """A reference to the instance that holds a source slice."""
    item = Dataset()
    item.ReferencedSOPClassUID = str(source.instance.header.SOPClassUID)
    item.ReferencedSOPInstanceUID = source.sop_instance_uid
    return item


def source_reference(source: Frame) -> Dataset:
    """A reference to a source slice, naming its frame in a multi-frame instance."""
    item = instance_reference(source)
    if source.number is not None:
        item.ReferencedFrameNumber = source.number
    return item
