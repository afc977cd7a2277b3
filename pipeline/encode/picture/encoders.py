"""The summary picture and the note that there is no result, as Secondary Capture images.

They are for viewers that show neither segmentations nor reports. Patient and study are named in
the header only; the series description of the source is left out of the pixels, for a person may
be named in it.
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from pipeline.encode.codes import SOURCE_IMAGE, code_item
from pipeline.encode.context import ResultContext
from pipeline.encode.header import add_image_quality
from pipeline.encode.picture.capture import Capture, refer, secondary_capture
from pipeline.encode.picture.choice import choose
from pipeline.encode.picture.content import PictureContent, found_on
from pipeline.encode.picture.note_page import draw_note
from pipeline.encode.picture.page import draw_summary
from pipeline.encode.picture.surround import surround_of
from pipeline.encode.picture.words import words_of
from pipeline.encode.references import source_reference
from pipeline.encode.values import value_of
from pipeline.volume import Frame, Volume

_SUMMARY, _NOT_DONE = "summary", "not done"
_IDENTITY = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")


def encode_picture(
    content: PictureContent, volume: Volume, context: ResultContext
) -> tuple[Dataset, ...]:
    """Draw what was found on a volume on one page: planes, outlines, projections, measurements.

    Parameters
    ----------
    content
        The findings of all steps of a pipeline.
    volume
        The rebuilt source series. Its headers are read, never changed.
    context
        Who made the findings, from what, and when.

    Returns
    -------
    The one image of a new series in the source's study: RGB, 1400 x 1000 pixels. The same
    arguments give the same object.

    Raises
    ------
    EncodingError
        The source has no Study Instance UID, or a finding is not on the volume's grid.
    """
    found = found_on(volume, content)
    choice = choose(found, volume)
    source = volume.sources[0].header
    algorithms = ", ".join(content.algorithms)
    capture = Capture(
        name=_SUMMARY,
        instance_name=_SUMMARY,
        description=f"Summary: {algorithms}",
        derivation=f"Planes, outlines of masks, projections and measurements on a page; "
        f"{algorithms}",
    )
    shown = volume.sources[choice.slice_index]
    words = words_of(found, context.receipt)
    page = draw_summary(choice, words, surround_of(content, volume, context))
    image = secondary_capture(page, capture, source, context)
    refer(image, "SourceImageSequence", _source_image(shown), volume.series_instance_uid)
    add_image_quality(image, [frame.header for frame in volume.sources])
    return (image,)


def encode_note(
    source: Dataset, refusal: str, context: ResultContext, *, algorithms: Sequence[str] = ()
) -> tuple[Dataset, ...]:
    """Say on one page that an analysis was not done, and why.

    Parameters
    ----------
    source
        The header of one instance of the series that was refused. It is read, never changed.
    refusal
        Why there is no result, in a sentence or a few; names no patient.
    context
        Who refused, what, and when.
    algorithms
        Name and version of what would have been run.

    Returns
    -------
    The one image of a new series in the source's study: RGB, 1400 x 1000 pixels. The same
    arguments give the same object, another refusal another one.

    Raises
    ------
    EncodingError
        The source has no Study Instance UID.
    """
    named = ", ".join(algorithms)
    capture = Capture(
        name=_NOT_DONE,
        instance_name=f"{_NOT_DONE}: {refusal}",
        description=f"Analysis not done: {named}" if named else "Analysis not done",
        derivation=f"Not done: {refusal}",
    )
    page = draw_note(source, refusal, algorithms, context)
    image = secondary_capture(page, capture, source, context)
    if (refused := _refused_image(source)) is not None:
        refer(image, "ReferencedImageSequence", refused, source.SeriesInstanceUID)
    return (image,)


def _source_image(shown: Frame) -> Dataset:
    item = source_reference(shown)
    item.SpatialLocationsPreserved = "NO"
    item.PurposeOfReferenceCodeSequence = [code_item(SOURCE_IMAGE)]
    return item


def _refused_image(source: Dataset) -> Dataset | None:
    """A reference to the instance that is known of a refused series, if it is an image."""
    uids = {keyword: value_of(source, keyword) for keyword in _IDENTITY}
    if "Rows" not in source or not all(uid and isinstance(uid, str) for uid in uids.values()):
        return None
    item = Dataset()
    item.ReferencedSOPClassUID = uids["SOPClassUID"]
    item.ReferencedSOPInstanceUID = uids["SOPInstanceUID"]
    return item
