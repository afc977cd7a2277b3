"""What functional groups say of a frame, under the names that a single-frame instance uses.

Source: PS3.3 C.7.6.16 (Multi-frame Functional Groups), C.8.13.5 (MR), C.8.15.3 (CT), C.8.22.5 (PET)
and their macros; A.70 to A.72 (Legacy Converted Enhanced Images).
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import format_number_as_ds

from pipeline.errors import UnreadableInstanceError
from pipeline.instance import check_numbers

Elements: TypeAlias = dict[BaseTag, DataElement | RawDataElement]


def tags(*keywords: str) -> frozenset[BaseTag]:
    """The tags of keywords."""
    return frozenset(Tag(keyword) for keyword in keywords)


# Their attributes go to the top. Left out are those that refer to other instances (derivation,
# referenced images, conversion sources) and those that hold several items by nature.
_MACROS = tags(
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "FrameContentSequence",
    "FrameAnatomySequence",
    "FrameVOILUTSequence",
    "PixelValueTransformationSequence",
    "CardiacSynchronizationSequence",
    "RespiratorySynchronizationSequence",
    "TemporalPositionSequence",
    "CTImageFrameTypeSequence",
    "CTAcquisitionTypeSequence",
    "CTAcquisitionDetailsSequence",
    "CTTableDynamicsSequence",
    "CTPositionSequence",
    "CTGeometrySequence",
    "CTReconstructionSequence",
    "CTExposureSequence",
    "CTXRayDetailsSequence",
    "MRImageFrameTypeSequence",
    "MRTimingAndRelatedParametersSequence",
    "MRFOVGeometrySequence",
    "MREchoSequence",
    "MRModifierSequence",
    "MRImagingModifierSequence",
    "MRReceiveCoilSequence",
    "MRTransmitCoilSequence",
    "MRDiffusionSequence",
    "MRAveragesSequence",
    "MRMetaboliteMapSequence",
    "MRVelocityEncodingSequence",
    "PETFrameTypeSequence",
    "PETFrameAcquisitionSequence",
    "PETDetectorMotionDetailsSequence",
    "PETTableDynamicsSequence",
    "PETPositionSequence",
    "PETFrameCorrectionFactorsSequence",
    "PETReconstructionSequence",
    "ParametricMapFrameTypeSequence",
)
# Sequences that a single-frame instance has as they are, because values depend on them.
_TAKEN_WHOLE = tags(
    "RealWorldValueMappingSequence",
    "PixelIntensityRelationshipLUTSequence",
    "ModalityLUTSequence",
)
_UNASSIGNED = tags(
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
)
_GRADIENT_DIRECTION = Tag("DiffusionGradientDirectionSequence")
# What an instance is and what it refers to: that of a frame is its multi-frame instance's.
_NEVER_TAKEN = tags(
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "InstanceNumber",
    "ReferencedSOPClassUID",
    "ReferencedSOPInstanceUID",
    "ReferencedImageSequence",
    "ReferencedInstanceSequence",
    "SourceImageSequence",
    "SourceInstanceSequence",
    "DerivationImageSequence",
    "DerivationCodeSequence",
    "PurposeOfReferenceCodeSequence",
    "ConversionSourceAttributesSequence",
)
_SINGLE_FRAME_NAMES = {
    Tag("FrameType"): Tag("ImageType"),
    Tag("FrameAcquisitionNumber"): Tag("AcquisitionNumber"),
    Tag("FrameAcquisitionDateTime"): Tag("AcquisitionDateTime"),
    Tag("FrameAcquisitionDuration"): Tag("ActualFrameDuration"),
    Tag("EffectiveEchoTime"): Tag("EchoTime"),
    Tag("InversionTimes"): Tag("InversionTime"),
    Tag("TemporalPositionIndex"): Tag("TemporalPositionIdentifier"),
    Tag("NominalCardiacTriggerDelayTime"): Tag("TriggerTime"),
}
# Numbers that tell frames at one position apart, and how many values each has.
_NUMBERS = {
    Tag("FrameAcquisitionNumber"): 1,
    Tag("FrameAcquisitionDuration"): 1,
    Tag("EffectiveEchoTime"): 1,
    Tag("TemporalPositionIndex"): 1,
    Tag("TemporalPositionTimeOffset"): 1,
    Tag("NominalCardiacTriggerDelayTime"): 1,
    Tag("NominalPercentageOfCardiacPhase"): 1,
    Tag("NominalPercentageOfRespiratoryPhase"): 1,
    Tag("DiffusionBValue"): 1,
    Tag("DiffusionGradientOrientation"): 3,
}
_FRAME_ACQUIRED = Tag("FrameAcquisitionDateTime")
_DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)([+-]\d{4})?")


@dataclass(frozen=True, slots=True)
class GroupAttributes:
    """The attributes in the functional groups of a frame, or in the shared ones.

    Parameters
    ----------
    assigned
        Those of the macros, and the same values under the names of single-frame instances.
    unassigned
        Those that a Legacy Converted Enhanced instance kept without a macro for them. Private ones
        are left out: their blocks are numbered anew in each item.
    """

    assigned: Elements
    unassigned: Elements


def group_attributes(groups: Dataset, name: str, zone: str) -> GroupAttributes:
    """Take the attributes out of functional groups.

    A macro with one item speaks of the frame as a whole, and its attributes are taken; several
    items, such as the two tubes of a dual-energy scan, have no one value to take.

    Parameters
    ----------
    groups
        An item of the Shared or Per-Frame Functional Groups Sequence.
    name
        What to call the frame or instance in an error.
    zone
        Timezone Offset From UTC (0008,0201) of the instance; empty where there is none.

    Raises
    ------
    UnreadableInstanceError
        A number that the rebuild needs is none.
    """
    assigned: Elements = {}
    unassigned: Elements = {}
    for tag in groups.keys():  # noqa: SIM118 - iterating a Dataset decodes its values
        if tag in _MACROS:
            assigned.update(_of_only_item(groups[tag]))
        elif tag in _UNASSIGNED:
            unassigned.update(_of_only_item(groups[tag]))
        elif tag in _TAKEN_WHOLE:
            assigned[tag] = groups.get_item(tag)
    decoded = Dataset(assigned)
    if _GRADIENT_DIRECTION in assigned:
        assigned.update(_of_only_item(decoded[_GRADIENT_DIRECTION]))
    _check_numbers(decoded, name)
    _check_numbers(Dataset(unassigned), name)
    assigned.update(_single_frame_elements(decoded, zone))
    return GroupAttributes(
        assigned, {tag: unassigned[tag] for tag in unassigned if not tag.is_private}
    )


def _of_only_item(macro: DataElement) -> Elements:
    """The attributes, not yet decoded, of a sequence's item where it is the only one."""
    items = macro.value
    if not isinstance(items, Sequence) or len(items) != 1:
        return {}
    return {tag: element for tag, element in items[0].items() if tag not in _NEVER_TAKEN}


def _check_numbers(found: Dataset, name: str) -> None:
    if not found:
        return
    check_numbers(name, found)
    for tag in _NUMBERS.keys() & found.keys():
        value, count = found[tag].value, _NUMBERS[tag]
        if value not in (None, "") and not _are_numbers(value, count):
            raise UnreadableInstanceError(
                f"{keyword_for_tag(tag)} of {name} is not {count} sound number(s): the header is "
                "damaged. Check the series where it was made."
            )


def _are_numbers(value: Any, count: int) -> bool:
    numbers = value if isinstance(value, MultiValue | list) else [value]
    try:
        return len(numbers) == count and all(math.isfinite(number) for number in numbers)
    except TypeError:
        return False


def _single_frame_elements(found: Dataset, zone: str) -> Iterator[tuple[BaseTag, RawDataElement]]:
    """Values once more under the names of single-frame instances."""
    for tag in _SINGLE_FRAME_NAMES.keys() & found.keys():
        value = found[tag].value
        if value not in (None, ""):
            yield _element(_SINGLE_FRAME_NAMES[tag], value)
    if _FRAME_ACQUIRED in found:
        acquired = _DATE_TIME.fullmatch(str(found[_FRAME_ACQUIRED].value).strip())
        # A date and a time by themselves are in the instance's zone.
        if acquired and (not zone or acquired[3] in (None, zone)):
            yield _element(Tag("AcquisitionDate"), acquired[1])
            yield _element(Tag("AcquisitionTime"), acquired[2])


def _element(tag: BaseTag, value: Any) -> tuple[BaseTag, RawDataElement]:
    """An element with its value as text, as if read: most are never asked for."""
    vr = dictionary_VR(tag)
    values = value if isinstance(value, MultiValue | list) else [value]
    text = "\\".join(_text(vr, one) for one in values).encode("ascii", "replace")
    return tag, RawDataElement(
        tag, vr, len(text), text, 0, is_implicit_VR=False, is_little_endian=True
    )


def _text(vr: str, value: Any) -> str:
    if vr == "DS":
        return format_number_as_ds(float(value))
    return str(round(value)) if vr == "IS" else str(value)
