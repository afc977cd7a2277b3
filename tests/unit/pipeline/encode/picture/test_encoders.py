"""The summary picture and the 'not done' note as DICOM objects."""

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

import pipeline
from pipeline.algorithms.measure import measure_lungs
from pipeline.encode import ResultContext, part10_bytes
from pipeline.encode.picture import PictureContent, encode_note, encode_picture
from pipeline.errors import EncodingError
from pipeline.findings import DerivedVolume, LabelMap
from pipeline.instance import read_instance
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.volume import Phase, Volume, build_volume
from tests.support.encoding import encode
from tests.support.enhanced import enhanced_ct, enhanced_mr, enhanced_pet
from tests.support.image_kinds import as_mr, as_pet
from tests.support.pictures import page_of

Edit = Callable[[Dataset, int], None]
ErrorsOf = Callable[..., list[str]]
MakeVolume = Callable[..., Volume]
SlabOf = Callable[[Volume], DerivedVolume]
Write = Callable[..., list[Path]]

ALGORITHMS = ("lungs 1", "sliding-mip 1")
REFUSAL = "Series 1.2.3.2 makes no volume: slices are missing. Send the series again."
AGAIN = """
import hashlib, pickle, sys
from pipeline.encode import part10_bytes
from pipeline.encode.picture import encode_note, encode_picture
content, volume, context, refusal = pickle.loads(sys.stdin.buffer.read())
note = encode_note(volume.sources[0].header, refusal, context)
for result in (*encode_picture(content, volume, context), *note):
    print(hashlib.sha256(part10_bytes(result)).hexdigest())
"""


def unchanged(_dataset: Dataset, _index: int) -> None:
    """A CT."""


def with_request(dataset: Dataset, _index: int) -> None:
    """Ordered, lossy, with text in its pixels, in a zone."""
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "R1", "R2"
    request.RequestedProcedureDescription = "Übersicht"
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.RequestAttributesSequence = [request]
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = "10"
    dataset.LossyImageCompressionMethod = "ISO_15444_1"
    dataset.BurnedInAnnotation = "YES"
    dataset.TimezoneOffsetFromUTC = "+0530"


def without_much(dataset: Dataset, _index: int) -> None:
    for keyword in ("BodyPartExamined", "PatientName", "PatientID", "StudyDate", "SeriesNumber"):
        del dataset[keyword]


@pytest.fixture
def content_of(label_map: LabelMap, slab_of: SlabOf) -> Callable[[Volume], PictureContent]:
    """Lungs, their measurements and a slab."""

    def make(volume: Volume) -> PictureContent:
        hu = np.round(volume.voxels).astype(np.int16)
        measured = measure_lungs(label_map, hu, volume.geometry.spacing)
        return PictureContent(ALGORITHMS, (label_map, *measured, slab_of(volume)))

    return make


@pytest.fixture
def picture_of(
    content_of: Callable[[Volume], PictureContent], context: ResultContext
) -> Callable[[Volume], Dataset]:
    """The summary picture of a volume."""

    def make(volume: Volume) -> Dataset:
        (picture,) = encode_picture(content_of(volume), volume, context)
        return picture

    return make


PictureOf = Callable[[Volume], Dataset]


@pytest.mark.parametrize("edit", [unchanged, as_mr, as_pet, with_request, without_much])
def test_pages_have_no_error(
    *,
    edit: Edit,
    make_volume: MakeVolume,
    picture_of: PictureOf,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    """By themselves, and together with their source."""
    volume = make_volume(edit)
    source = volume.sources[0].header
    paths = write("pages", [picture_of(volume), *encode_note(source, REFUSAL, context)])
    assert [errors_of("dciodvfy", [path]) for path in paths] == [[], []]
    sources = [source.instance.path for source in volume.sources]
    assert errors_of("dcentvfy", [*sources, *paths]) == errors_of("dcentvfy", sources)


def test_page_with_something_wrong_has_an_error(
    volume: Volume, picture_of: PictureOf, write: Write, errors_of: ErrorsOf
) -> None:
    picture = picture_of(volume)
    del picture.ConversionType
    (path,) = write("broken", [picture])
    assert any("ConversionType" in line for line in errors_of("dciodvfy", [path]))


@pytest.mark.parametrize("make", [enhanced_ct, enhanced_mr, enhanced_pet])
def test_multi_frame_source_gives_pages_without_error(
    *,
    make: Callable[..., Dataset],
    tmp_path: Path,
    slab_of: SlabOf,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    """The picture names the frame that it shows."""
    path = tmp_path / "multi-frame.dcm"
    path.write_bytes(part10_bytes(make(list(phantom_instances(chest_phantom(4, 32))))))
    volume = build_volume([read_instance(path)]).volume
    content = PictureContent(ALGORITHMS, (slab_of(volume),))
    (picture,) = encode_picture(content, volume, context)
    notes = encode_note(read_instance(path).header, REFUSAL, context)
    assert picture.SourceImageSequence[0].ReferencedFrameNumber == 3
    for written in write("pages", [picture, *notes]):
        assert errors_of("dciodvfy", [written]) == []


def test_picture_is_one_rgb_image_in_a_series_of_its_own(
    volume: Volume, picture_of: PictureOf, context: ResultContext, label_map: LabelMap
) -> None:
    picture = picture_of(volume)
    assert picture.SOPClassUID == SecondaryCaptureImageStorage
    assert (picture.Modality, picture.ConversionType) == ("OT", "WSD")
    assert picture.SeriesInstanceUID == context.series_uid("summary")
    assert picture.SeriesInstanceUID != encode(label_map, volume, context)[0].SeriesInstanceUID
    assert picture.StudyInstanceUID == "1.2.3.1"
    assert picture.SeriesDescription == "Summary: lungs 1, sliding-mip 1 (lungs 1.2)"
    assert (picture.BodyPartExamined, picture.BurnedInAnnotation) == ("CHEST", "NO")
    read = pydicom.dcmread(BytesIO(part10_bytes(picture)))
    assert read.pixel_array.shape == (1000, 1400, 3)
    assert len(part10_bytes(picture)) < 5_000_000


def test_picture_refers_to_the_slice_that_it_shows(volume: Volume, picture_of: PictureOf) -> None:
    """Where the masks are largest."""
    picture = picture_of(volume)
    (item,) = picture.SourceImageSequence
    assert item.ReferencedSOPInstanceUID == volume.sources[2].sop_instance_uid
    (series,) = picture.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == "1.2.3.2"
    (again,) = series.ReferencedInstanceSequence
    assert again.ReferencedSOPInstanceUID == item.ReferencedSOPInstanceUID


def test_lossy_source_text_in_pixels_and_order_are_inherited(
    make_volume: MakeVolume, picture_of: PictureOf
) -> None:
    picture = picture_of(make_volume(with_request))
    assert (picture.LossyImageCompression, picture.BurnedInAnnotation) == ("01", "YES")
    assert picture.LossyImageCompressionRatio == 10
    read = pydicom.dcmread(BytesIO(part10_bytes(picture)))
    (request,) = read.RequestAttributesSequence
    assert request.RequestedProcedureDescription == "Übersicht"


def test_pixels_say_nothing_of_the_patient(
    make_volume: MakeVolume, picture_of: PictureOf, context: ResultContext
) -> None:
    """Another patient, study and description give the very same pages."""

    def another(dataset: Dataset, _index: int) -> None:
        dataset.PatientName, dataset.PatientID = "Other^Person", "Q2"
        dataset.PatientBirthDate, dataset.PatientSex = "19330303", "M"
        dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = "19991231"
        dataset.AccessionNumber, dataset.StudyID = "B2", "S2"
        dataset.ReferringPhysicianName = "Referrer^Other"
        dataset.SeriesDescription = dataset.StudyDescription = "Mrs Person, chest"
        dataset.StudyInstanceUID = "1.2.4.1"

    pages = []
    for edit in (unchanged, another):
        volume = make_volume(edit)
        note = encode_note(volume.sources[0].header, REFUSAL, context)
        pages.append([picture_of(volume).PixelData, note[0].PixelData])
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    "change",
    [
        {"notice": ""},
        {"notice": "For research only"},
        {"settings_digest": "6f" * 32},
        {"content_time": datetime(2025, 5, 6, tzinfo=UTC)},
    ],
    ids=["no notice", "notice", "settings", "time"],
)
def test_page_shows_notice_settings_and_time(
    change: dict[str, object],
    volume: Volume,
    content_of: Callable[..., PictureContent],
    context: ResultContext,
) -> None:
    content, other = content_of(volume), replace(context, **change)
    (before,), (after,) = (encode_picture(content, volume, item) for item in (context, other))
    note_before, note_after = (
        encode_note(volume.sources[0].header, REFUSAL, item)[0] for item in (context, other)
    )
    assert before.PixelData != after.PixelData
    assert note_before.PixelData != note_after.PixelData


def test_page_without_a_notice_has_an_empty_corner(
    volume: Volume, content_of: Callable[..., PictureContent], context: ResultContext
) -> None:
    corners = []
    for notice in ("", "Not for diagnosis"):
        (picture,) = encode_picture(content_of(volume), volume, replace(context, notice=notice))
        corners.append(np.array(page_of(picture))[:60, 1000:])
    assert len(np.unique(corners[0].reshape(-1, 3), axis=0)) == 1
    assert len(np.unique(corners[1].reshape(-1, 3), axis=0)) > 2


def test_volumes_of_a_series_have_pictures_of_their_own(
    volume: Volume, content_of: Callable[..., PictureContent], context: ResultContext
) -> None:
    """The picture says which one it is, and so do its UIDs and its description."""
    receipt = build_volume([source.instance for source in volume.sources]).receipt
    pictures = [
        encode_picture(
            content_of(volume), volume, replace(context, receipt=replace(receipt, phase=phase))
        )[0]
        for phase in (None, Phase(1, 2, (("EchoTime", "80"),)))
    ]
    assert pictures[0].SeriesInstanceUID != pictures[1].SeriesInstanceUID
    assert pictures[0].PixelData != pictures[1].PixelData
    assert "EchoTime 80" in pictures[1].SeriesDescription


def test_outlines_are_in_the_colours_of_the_segments(
    volume: Volume, picture_of: PictureOf, label_map: LabelMap
) -> None:
    """The right lung is left of the left one, in the axial and the coronal plane alike."""
    page = np.array(page_of(picture_of(volume)))
    right, left = (
        np.argwhere((page == np.array(segment.rgb)).all(axis=-1)) for segment in label_map.segments
    )
    for box in (slice(24, 450), slice(470, 900)):
        columns = [
            found[(found[:, 1] >= box.start) & (found[:, 1] < box.stop) & (found[:, 0] < 510), 1]
            for found in (right, left)
        ]
        assert columns[0].max() < columns[1].min()


def test_text_of_the_header_is_in_unicode_where_that_is_asked_for(
    make_volume: MakeVolume, content_of: Callable[..., PictureContent], context: ResultContext
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 100", "Buc^Jérôme"

    volume = make_volume(edit)
    for unicode, expected in ((False, "ISO_IR 100"), (True, "ISO_IR 192")):
        chosen = replace(context, unicode=unicode)
        (picture,) = encode_picture(content_of(volume), volume, chosen)
        read = pydicom.dcmread(BytesIO(part10_bytes(picture)))
        assert (read.SpecificCharacterSet, str(read.PatientName)) == (expected, "Buc^Jérôme")


def test_note_is_in_the_study_and_refers_to_what_was_refused(
    volume: Volume, context: ResultContext
) -> None:
    source = volume.sources[0].header
    (note,) = encode_note(source, REFUSAL, context, algorithms=("lungs 1",))
    assert (note.StudyInstanceUID, note.Modality) == ("1.2.3.1", "OT")
    assert note.SeriesInstanceUID == context.series_uid("not done")
    assert note.SeriesDescription == "Analysis not done: lungs 1 (lungs 1.2)"
    assert note.DerivationDescription == f"Not done: {REFUSAL}"
    (item,) = note.ReferencedImageSequence
    assert item.ReferencedSOPInstanceUID == source.SOPInstanceUID


def test_another_refusal_is_another_note(volume: Volume, context: ResultContext) -> None:
    source = volume.sources[0].header
    notes = [encode_note(source, text, context)[0] for text in (REFUSAL, REFUSAL, "No lungs.")]
    first, same, other = (note.SOPInstanceUID for note in notes)
    assert first == same != other
    assert notes[0].PixelData != notes[2].PixelData


def test_refused_object_that_is_no_image_is_not_referred_to(context: ResultContext) -> None:
    source = Dataset()
    source.StudyInstanceUID, source.Modality = "1.2.3.1", "SR"
    (note,) = encode_note(source, REFUSAL, context)
    assert "ReferencedImageSequence" not in note
    assert "ReferencedSeriesSequence" not in note
    del source.StudyInstanceUID
    with pytest.raises(EncodingError, match="no Study Instance UID"):
        encode_note(source, REFUSAL, context)


def test_whole_refusal_is_on_the_note(volume: Volume, context: ResultContext) -> None:
    """However long it is, up to the thousands of letters that a page holds: the end counts."""
    source = volume.sources[0].header
    long = "A reason that goes on. " * 100
    pages = [
        encode_note(source, text, context)[0].PixelData
        for text in (long + "One end", long + "Another end")
    ]
    assert pages[0] != pages[1]


def test_another_process_zone_and_locale_give_the_same_bytes(
    volume: Volume,
    content_of: Callable[[Volume], PictureContent],
    context: ResultContext,
) -> None:
    content = content_of(volume)
    pages = (
        *encode_picture(content, volume, context),
        *encode_note(volume.sources[0].header, REFUSAL, context),
    )
    there = subprocess.run(
        [sys.executable, "-c", AGAIN],
        input=pickle.dumps((content, volume, context, REFUSAL)),
        env={
            **os.environ,
            "TZ": "America/St_Johns",
            "LC_ALL": "de_DE.UTF-8",
            "PYTHONHASHSEED": "7",
            "PYTHONPATH": str(Path(pipeline.__file__).parents[1]),
        },
        capture_output=True,
        check=True,
    )
    here = [hashlib.sha256(part10_bytes(page)).hexdigest() for page in pages]
    assert there.stdout.decode().split() == here
