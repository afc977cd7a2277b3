"""What every result takes from the source's header, and what it says of itself."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from pipeline.encode.attributes import PATIENT, REQUIRED_OF_PATIENT_AND_STUDY, SERIES, STUDY
from pipeline.encode.context import MANUFACTURER, ResultContext, uid_from
from pipeline.encode.equipment import contributing_equipment
from pipeline.encode.receipt import add_receipt
from pipeline.encode.values import (
    LONG_STRING,
    UNICODE,
    character_set,
    own_text,
    taken,
    utc_offset,
    value_of,
    values_of,
)
from pipeline.errors import EncodingError
from pipeline.volume import Volume

# Display functions whose windows may be narrower than 1.
_ANY_WIDTH = frozenset({"LINEAR_EXACT", "SIGMOID"})


def copy_attributes(source: Dataset, target: Dataset, keywords: Iterable[str]) -> None:
    """Copy what the source has of some attributes, each in the form the standard allows.

    What does not decode is left out.
    """
    for keyword in keywords:
        if (element := taken(source, keyword)) is not None:
            target.add(element)


def drop_unusable_window(image: Dataset) -> None:
    """Take off a display window that has only a centre or a width, or a width of nothing.

    Source: PS3.3 C.11.2.1.2 (the least width).
    """
    window = ("WindowCenter", "WindowWidth")
    given = sum(keyword in image for keyword in window)
    exact = image.get("VOILUTFunction") in _ANY_WIDTH
    widths = [float(width) for width in values_of(image.get("WindowWidth"))]
    narrow = any(width <= 0 if exact else width < 1 for width in widths)
    if given == 1 or narrow:
        for keyword in (*window, "WindowCenterWidthExplanation"):
            if keyword in image:
                delattr(image, keyword)


def copy_shared_attributes(
    sources: Sequence[Dataset], target: Dataset, keywords: Iterable[str]
) -> None:
    """Copy the attributes that all sources have with the same value."""
    first = sources[0]
    shared = [
        keyword
        for keyword in keywords
        if keyword in first
        and all(value_of(other, keyword) == value_of(first, keyword) for other in sources[1:])
    ]
    copy_attributes(first, target, shared)


def fill_missing(target: Dataset, keywords: Iterable[str]) -> None:
    """Add an empty value for each attribute of Type 2 that is missing."""
    for keyword in keywords:
        if keyword not in target:
            setattr(target, keyword, [] if dictionary_VR(keyword) == "SQ" else None)


class Described(Protocol):
    """What the UIDs and the description of a series are made of."""

    @property
    def name(self) -> str:
        """Short and stable within its algorithm."""

    @property
    def description(self) -> str:
        """A few words for the series list."""


def document_header(
    finding: Described, source: Dataset, context: ResultContext, keywords: Iterable[str] = ()
) -> Dataset:
    """All of a document, or of a page for people, that does not depend on its content.

    Patient and study stay the source's; series, equipment and times are ours. There is no frame of
    reference.

    Parameters
    ----------
    source
        The header of one instance of the source series.
    keywords
        What is taken over of it beside patient and study.

    Raises
    ------
    EncodingError
        The source has no Study Instance UID.
    """
    header = _common_header(finding, source, context)
    copy_attributes(source, header, keywords)
    _add_character_set(header, source, context)
    return header


def result_header(
    finding: Described,
    volume: Volume,
    context: ResultContext,
    acquisition: Sequence[str] = (),
) -> Dataset:
    """All of a result that is the same in each of its images and kinds of image.

    Patient, study and frame of reference stay the source's; series, equipment and times are ours.

    Parameters
    ----------
    acquisition
        Further keywords, taken over where all slices of the source agree on the value.

    Raises
    ------
    EncodingError
        The source has no Study Instance UID.
    """
    source = volume.sources[0].header
    header = _common_header(finding, source, context)
    copy_attributes(source, header, SERIES)
    copy_shared_attributes([item.header for item in volume.sources], header, acquisition)
    add_frame_of_reference(header, volume)
    add_image_quality(header, [item.header for item in volume.sources])
    _add_character_set(header, source, context)
    return header


def _common_header(finding: Described, source: Dataset, context: ResultContext) -> Dataset:
    """What images and documents share; the character set follows from all text and comes last."""
    header = Dataset()
    copy_attributes(source, header, (*REQUIRED_OF_PATIENT_AND_STUDY, *PATIENT, *STUDY))
    fill_missing(header, REQUIRED_OF_PATIENT_AND_STUDY)
    if not header.get("StudyInstanceUID"):
        raise EncodingError(
            f"Series {value_of(source, 'SeriesInstanceUID')} has no Study Instance UID, so a "
            "result cannot be put into its study. Send it again from a system that fills it in."
        )
    _add_series(header, finding, context)
    header.ContributingEquipmentSequence = contributing_equipment(source, context)
    _add_times(header, source, context)
    if context.receipt is not None:
        add_receipt(header, context.receipt)
    return header


def add_frame_of_reference(header: Dataset, volume: Volume) -> None:
    """The source's frame; where it names none, one that all results of the series share."""
    source = volume.sources[0].header
    header.FrameOfReferenceUID = source.get("FrameOfReferenceUID") or uid_from(
        "frame of reference", volume.series_instance_uid
    )
    copy_attributes(source, header, ("PositionReferenceIndicator",))
    fill_missing(header, ("PositionReferenceIndicator",))


def _add_series(header: Dataset, finding: Described, context: ResultContext) -> None:
    """General Series and General Equipment: this software and its configuration."""
    header.SeriesInstanceUID = context.series_uid(finding.name)
    header.SeriesNumber = context.series_number
    description = ", ".join(filter(None, (finding.description, context.phase)))
    header.SeriesDescription = _series_description(description, context.author)
    header.Manufacturer = MANUFACTURER
    header.ManufacturerModelName = own_text(f"{MANUFACTURER} {context.algorithm}")
    header.SoftwareVersions = own_text(context.author)
    # Software has no serial number, and SEG demands one: what identifies the device that made
    # the result is its configuration.
    header.DeviceSerialNumber = own_text(context.settings_digest)
    header.ContentQualification = context.content_qualification


def _series_description(description: str, author: str) -> str:
    """Description and, in brackets, algorithm with version; the description gives way."""
    signature = own_text(f"({author})")
    room = max(LONG_STRING - len(signature) - 1, 0)
    return f"{own_text(description, room)} {signature}".strip()


def add_image_quality(header: Dataset, sources: Sequence[Dataset]) -> None:
    """Lossy compression and burned-in text of any slice stay with the result.

    Source: PS3.3 C.7.6.1.1.5 (once lossy, always lossy).
    """
    lossy = next(
        (item for item in sources if value_of(item, "LossyImageCompression") == "01"), None
    )
    if lossy is None:
        copy_shared_attributes(sources, header, ("LossyImageCompression",))
    else:
        copy_attributes(
            lossy,
            header,
            (
                "LossyImageCompression",
                "LossyImageCompressionRatio",
                "LossyImageCompressionMethod",
            ),
        )
    for keyword in ("BurnedInAnnotation", "RecognizableVisualFeatures"):
        if any(value_of(item, keyword) == "YES" for item in sources):
            setattr(header, keyword, "YES")
        else:
            copy_shared_attributes(sources, header, (keyword,))


def made_at(source: Dataset, context: ResultContext) -> datetime:
    """When a result was made, in the zone of the source's times; in UTC where it names none."""
    return context.content_time.astimezone(utc_offset(source) or UTC)


def _add_times(header: Dataset, source: Dataset, context: ResultContext) -> None:
    """When the result was made, in the zone that the source's own times are in.

    Timezone Offset From UTC applies to every date and time of an instance. Where the source
    leaves it out, the zone of the copied study and acquisition times is not known, and an offset
    of ours would give them a meaning they never had: then none is written, and our times are in
    UTC.
    """
    made = made_at(source, context)
    if utc_offset(source) is not None:
        header.TimezoneOffsetFromUTC = f"{made:%z}"
    for prefix in ("InstanceCreation", "Series", "Content"):
        setattr(header, f"{prefix}Date", _date(made))
        setattr(header, f"{prefix}Time", _time(made))


def _date(moment: datetime) -> str:
    return f"{moment:%Y%m%d}"


def _time(moment: datetime) -> str:
    return f"{moment:%H%M%S.%f}"


def _add_character_set(header: Dataset, source: Dataset, context: ResultContext) -> None:
    if context.unicode:
        header.SpecificCharacterSet = UNICODE
        return
    declared = value_of(source, "SpecificCharacterSet")
    terms = list(declared) if isinstance(declared, MultiValue | list) else [declared or ""]
    chosen = character_set(terms, header)
    if chosen != [""]:
        header.SpecificCharacterSet = chosen
