"""An instance to its frames, each with the header of a single-frame instance.

The rebuild asks every plane for position, orientation, rescale and the like at the top of its
header. A multi-frame instance keeps them in functional groups, shared by all frames or of one
frame; here they are lifted to where a single-frame instance has them.

Source: PS3.3 C.7.6.16 (Multi-frame Functional Groups) and C.7.6.6 (Multi-frame).
"""

from collections.abc import Iterator

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from pipeline.errors import SeriesGeometryError, UnreadableInstanceError
from pipeline.instance import Instance
from pipeline.volume.frame import Frame
from pipeline.volume.functional_groups import Elements, group_attributes, tags
from pipeline.volume.sizes import announced_frames

_SHARED = "SharedFunctionalGroupsSequence"
_PER_FRAME = "PerFrameFunctionalGroupsSequence"
_INSTANCE_NUMBER = Tag("InstanceNumber")
# Says how values that are of the pixels' type are to be decoded.
_SIGN = Tag("PixelRepresentation")
# Frame numbers take five digits of a frame's Instance Number. A long functional MR has 60,000.
_NUMBERING = 100_000
# What describes the instance as a whole. A position at its top is that of no frame in particular.
_OF_THE_WHOLE = tags(
    _SHARED,
    _PER_FRAME,
    "NumberOfFrames",
    "FrameIncrementPointer",
    "DimensionOrganizationSequence",
    "DimensionOrganizationType",
    "DimensionIndexSequence",
    "ConcatenationUID",
    "SOPInstanceUIDOfConcatenationSource",
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    "ConcatenationFrameOffsetNumber",
    "ImagePositionPatient",
    "SliceLocation",
)
# What pydicom raises on decoding elements of a damaged data set.
_DAMAGED_ELEMENT_ERRORS = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


def frames_of(instance: Instance) -> tuple[Frame, ...]:
    """The frames of an instance, in their order there.

    A single-frame instance is one frame with its own header and no number. For each frame of a
    multi-frame one a header is made of the attributes at the top, the shared functional groups
    over them and the frame's own over both. Attributes of a Legacy Converted Enhanced instance
    that have no functional group fill in what is still missing. The identity stays that of the
    multi-frame instance, but for Instance Number: a frame has its instance's, followed by the
    frame's in five digits, so that frames sort by instance and then as they are stored. (In the
    parts of a concatenation, which share an Instance Number, frames are counted over all parts.)
    Frames share the elements they have in common.

    Without functional groups (secondary captures, nuclear medicine, old ultrasound) frames have no
    Image Position (Patient): where each of them lies is not said.

    Raises
    ------
    SeriesGeometryError
        Number of Frames is not that of the frames described, or too large for a series to hold.
    UnreadableInstanceError
        The functional groups are damaged, or numbers in them are none.
    """
    if not _is_multi_frame(instance):
        return (Frame(instance),)
    try:
        return tuple(_frames(instance))
    except _DAMAGED_ELEMENT_ERRORS as error:
        raise UnreadableInstanceError(
            f"The header of instance {instance.sop_instance_uid} is damaged "
            f"({type(error).__name__}). Check the series where it was made."
        ) from error


def _is_multi_frame(instance: Instance) -> bool:
    header = instance.elements
    return header.has(_SHARED) or header.has(_PER_FRAME) or announced_frames(instance) > 1


def _frames(instance: Instance) -> Iterator[Frame]:
    header, uid = instance.header, instance.sop_instance_uid
    zone = str(header.get("TimezoneOffsetFromUTC") or "")
    own_groups = _groups_per_frame(instance)
    first = _first_number(instance)
    shared = _shared_elements(header, uid, zone)
    for number, groups in enumerate(own_groups, start=1):
        own = group_attributes(groups, f"{uid}#{number}", zone)
        elements: Elements = {**own.unassigned, **shared, **own.assigned}
        if first is not None:
            elements[_INSTANCE_NUMBER] = DataElement(_INSTANCE_NUMBER, "IS", first + number)
        yield Frame(instance, _dataset(elements, header), number)


def _groups_per_frame(instance: Instance) -> list[Dataset]:
    """The functional groups of each frame; empty ones where all is shared or there are none."""
    announced = announced_frames(instance)
    described = _items(instance.header, _PER_FRAME)
    if described and len(described) != announced:
        raise SeriesGeometryError(
            instance.series_instance_uid,
            f"instance {instance.sop_instance_uid} announces {announced} frames and describes "
            f"{len(described)}. Check the series where it was made.",
        )
    offset = int(instance.header.get("ConcatenationFrameOffsetNumber") or 0)
    if announced + offset >= _NUMBERING:
        raise SeriesGeometryError(
            instance.series_instance_uid,
            f"instance {instance.sop_instance_uid} announces {announced + offset} frames, and "
            f"more than {_NUMBERING - 1} are not taken.",
        )
    return described or [Dataset()] * announced


def _items(header: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where it is missing."""
    if keyword not in header:
        return []
    # Decoded aside: in the instance's header the items would stay in memory beside the frames.
    aside: Elements = {tag: header.get_item(tag) for tag in (Tag(keyword), _SIGN) if tag in header}
    items = _dataset(aside, header)[keyword].value
    if not isinstance(items, Sequence):
        raise TypeError(f"{keyword} is no sequence")
    return list(items)


def _first_number(instance: Instance) -> int | None:
    """What to add a frame's number to for its Instance Number; None where there is none."""
    number = instance.header.get("InstanceNumber")
    if number in (None, ""):
        return None
    offset = int(instance.header.get("ConcatenationFrameOffsetNumber") or 0)
    return int(number) * _NUMBERING + offset


def _shared_elements(header: Dataset, uid: str, zone: str) -> Elements:
    """What all frames have in common."""
    shared = group_attributes((_items(header, _SHARED) or [Dataset()])[0], uid, zone)
    top = {tag: element for tag, element in header.items() if tag not in _OF_THE_WHOLE}
    return {**shared.unassigned, **top, **shared.assigned}


def _dataset(elements: Elements, like: Dataset) -> Dataset:
    """A data set of elements from another one, decoded as there."""
    data_set = Dataset(elements)
    implicit, little_endian = like.original_encoding
    data_set.set_original_encoding(implicit, little_endian, like.original_character_set)
    return data_set
