"""Attributes that tell the volumes of one series apart, and their values as comparable text."""

from collections.abc import Sequence

from pydicom.tag import Tag

from pipeline.elements import DAMAGED_ELEMENT_ERRORS, Value, plain_value
from pipeline.errors import UnreadableInstanceError
from pipeline.volume.frame import Frame
from pipeline.volume.plane import Plane

# In the order in which they are trusted: made to tell volumes apart, then set by the protocol,
# then by the reconstruction, then mere times.
TELLING = (
    "TemporalPositionIndex",
    "TemporalPositionIdentifier",
    "TemporalPositionTimeOffset",
    "EchoNumbers",
    "EchoTime",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "SequenceName",
    "InversionTime",
    "FlipAngle",
    "NominalPercentageOfCardiacPhase",
    "NominalCardiacTriggerDelayTime",
    "TriggerTime",
    "FrameReferenceTime",
    "KVP",
    "ImageType",
    "ComplexImageComponent",
    "RescaleType",
    "Units",
    "ConvolutionKernel",
    "StackID",
    "ContrastBolusAgent",
    "AcquisitionNumber",
    "AcquisitionDateTime",
    "AcquisitionTime",
)
# A scan that was taken up again repeats positions, and shows the same there.
REPEATING = frozenset({"AcquisitionNumber", "AcquisitionDateTime", "AcquisitionTime"})
# Where values differ from slice to slice, their order at each position tells phases apart.
ORDERING = (
    "TemporalPositionTimeOffset",
    "TriggerTime",
    "FrameReferenceTime",
    "AcquisitionDateTime",
    "AcquisitionTime",
)
# What no volume has two values of. Times, acquisitions and gradient directions may differ from
# slice to slice of one volume; texts that people enter may change while they scan.
OF_ONE_VOLUME = (
    "TemporalPositionIndex",
    "TemporalPositionIdentifier",
    "EchoNumbers",
    "EchoTime",
    "DiffusionBValue",
    "SequenceName",
    "InversionTime",
    "FlipAngle",
    "KVP",
    "ImageType",
    "ComplexImageComponent",
    "RescaleType",
    "Units",
    "ConvolutionKernel",
)
# Private, and all there is in many diffusion series: creator's element, creator, b-value.
_PRIVATE_B_VALUES = (
    (Tag(0x0019, 0x0010), "SIEMENS MR HEADER", Tag(0x0019, 0x100C)),
    (Tag(0x0043, 0x0010), "GEMS_PARM_01", Tag(0x0043, 0x1039)),
    (Tag(0x2001, 0x0010), "Philips Imaging DD 001", Tag(0x2001, 0x1003)),
)


def value_of(plane: Plane, keyword: str) -> str:
    """The value of an attribute as text that is the same for the same value; empty for none."""
    frame = plane.frame
    value = frame.get(keyword)
    if value is None and keyword == "DiffusionBValue":
        value = _private_b_value(frame)
    if isinstance(value, tuple):
        return "\\".join(_text(item) for item in value)
    return _text(value)


def is_uniform(planes: Sequence[Plane], keyword: str) -> bool:
    """Whether planes share the value of an attribute; nearly always they do, and this is quick."""
    values = {plane.frame.get(keyword) for plane in planes}
    if len(values) == 1 and (None not in values or keyword != "DiffusionBValue"):
        return True
    return len(set(values_of(planes, keyword))) == 1


def time_of(plane: Plane, keyword: str) -> float | None:
    """The value of an attribute as a number that grows with time, None where it is none."""
    try:
        return float(value_of(plane, keyword))
    except ValueError:
        return None


def values_of(planes: Sequence[Plane], keyword: str) -> list[str]:
    """The value of an attribute for each plane."""
    return [value_of(plane, keyword) for plane in planes]


def _private_b_value(frame: Frame) -> Value:
    """What a vendor has in place of Diffusion b-value.

    Raises
    ------
    UnreadableInstanceError
        It does not decode.
    """
    for creator_tag, creator, private in _PRIVATE_B_VALUES:
        if frame.has(private) and frame.has(creator_tag):
            header = frame.header
            try:
                if header[creator_tag].value == creator:
                    return plain_value(header[private].value)
            except DAMAGED_ELEMENT_ERRORS as error:
                raise UnreadableInstanceError(
                    f"The private b-value of instance {frame.name} is damaged "
                    f"({type(error).__name__}). Check the series where it was made."
                ) from error
    return None


def _text(value: Value) -> str:
    """A number without the zeros and the exponent that it may be written with."""
    if isinstance(value, float | int):
        return f"{value:.15g}"
    return "" if value is None else str(value)
