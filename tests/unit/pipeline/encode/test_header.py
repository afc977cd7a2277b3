"""What results take from the headers of real hospitals."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pipeline.encode import ResultContext, part10_bytes
from pipeline.encode.header import document_header
from pipeline.errors import EncodingError
from pipeline.findings import DerivedVolume, LabelMap
from pipeline.volume import Volume
from tests.support.encoding import encode

MakeVolume = Callable[..., Volume]
SlabOf = Callable[[Volume], DerivedVolume]
ReportOf = Callable[[LabelMap, Volume, ResultContext], Dataset]
ResultsOf = Callable[[Volume, LabelMap], list[Dataset]]

REQUIRED = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
)


def as_received(dataset: Dataset, keyword: str, value: str) -> None:
    """Set a value that pydicom would not write of itself."""
    vr = pydicom.datadict.dictionary_VR(keyword)
    dataset.add(
        DataElement(
            pydicom.datadict.tag_for_keyword(keyword) or 0,
            vr,
            value,
            validation_mode=config.IGNORE,
        )
    )


@pytest.fixture
def results_of(slab_of: SlabOf, report_of: ReportOf, context: ResultContext) -> ResultsOf:
    """A Segmentation, a derived image and a report, as a reader finds them."""

    def make(volume: Volume, label_map: LabelMap) -> list[Dataset]:
        slab = slab_of(volume)
        results = [
            *encode(label_map, volume, context),
            *encode(slab, volume, context)[:1],
            report_of(label_map, volume, context),
        ]
        return [pydicom.dcmread(BytesIO(part10_bytes(result))) for result in results]

    return make


@pytest.mark.parametrize("state", ["absent", "empty"])
def test_missing_patient_and_study_become_empty(
    *,
    state: str,
    make_volume: MakeVolume,
    label_map: LabelMap,
    results_of: ResultsOf,
    errors_of: Callable[..., list[str]],
    write: Callable[..., list[Path]],
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        for keyword in (*REQUIRED, "SliceThickness", "InstanceNumber"):
            del dataset[keyword]
            if state == "empty":
                setattr(dataset, keyword, None)

    volume = make_volume(edit)
    results = results_of(volume, label_map)
    for result in results:
        assert all(keyword in result and not result[keyword].value for keyword in REQUIRED)
    measures = results[0].SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SliceThickness == 2.5
    assert [errors_of("dciodvfy", [path]) for path in write("results", results)] == [[]] * 3


@pytest.mark.filterwarnings(
    "ignore:Invalid value for VR:UserWarning", "ignore:The value length:UserWarning"
)
@pytest.mark.parametrize(
    ("keyword", "received", "expected"),
    [
        ("PatientSex", "U", ""),
        ("PatientSex", "m", "M"),
        ("StudyTime", "10:15", "1015"),
        ("StudyTime", "10:15:16", "101516"),
        ("StudyTime", "morning", ""),
        ("StudyDate", "2024.01.02", "20240102"),
        ("PatientBirthDate", "00000000", ""),
        ("PatientAge", "64Y", "064Y"),
        ("BodyPartExamined", "chest", "CHEST"),
        ("PatientName", "One^Two^Three^Four^Five^Six", "One^Two^Three^Four^Five^Six"),
        ("PatientID", "P" * 70, "P" * 70),
        ("SliceThickness", "0", None),
    ],
)
def test_odd_value_never_fails_a_result(
    *,
    keyword: str,
    received: str,
    expected: str | None,
    make_volume: MakeVolume,
    label_map: LabelMap,
    results_of: ResultsOf,
) -> None:
    volume = make_volume(lambda dataset, _index: as_received(dataset, keyword, received))
    *images, report = results_of(volume, label_map)
    of_documents = keyword not in ("BodyPartExamined", "SliceThickness")
    for result in [*images, report] if of_documents else images:
        if expected is not None:
            assert str(result.get(keyword) or "") == expected


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Buc^Jérôme"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (
            ["ISO 2022 IR 13", "ISO 2022 IR 87"],
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 144", "Дым^Юлия"),
    ],
)
def test_name_keeps_its_bytes(
    *,
    character_set: str | list[str],
    name: str,
    make_volume: MakeVolume,
    label_map: LabelMap,
    results_of: ResultsOf,
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        dataset.SpecificCharacterSet = character_set
        dataset.PatientName = name

    volume = make_volume(edit)
    source = pydicom.dcmread(volume.sources[0].instance.path).get_item("PatientName").value
    assert not source.isascii() or b"\x1b" in source
    for result in results_of(volume, label_map):
        assert result.get_item("PatientName").value == source
        assert str(result.PatientName) == name


@pytest.mark.filterwarnings("ignore:Incorrect value for Specific Character Set:UserWarning")
def test_misspelt_character_set_gives_the_name_in_unicode(
    make_volume: MakeVolume, label_map: LabelMap, results_of: ResultsOf
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        as_received(dataset, "SpecificCharacterSet", "ISO-IR 100")
        dataset.PatientName = "Buc^Jérôme"

    volume = make_volume(edit)
    for result in results_of(volume, label_map):
        assert result.SpecificCharacterSet == "ISO_IR 192"
        assert str(result.PatientName) == "Buc^Jérôme"


def test_undeclared_characters_are_said_in_unicode_as_readers_show_them(
    make_volume: MakeVolume, label_map: LabelMap, results_of: ResultsOf
) -> None:
    """The source declares no character set, and its name has one beyond the default."""

    def edit(dataset: Dataset, _index: int) -> None:
        dataset.PatientName = "Buc^Jérôme"

    volume = make_volume(edit)
    source = pydicom.dcmread(volume.sources[0].instance.path)
    assert "SpecificCharacterSet" not in source
    for result in results_of(volume, label_map):
        assert result.SpecificCharacterSet == "ISO_IR 192"
        assert str(result.PatientName) == str(source.PatientName) == "Buc^Jérôme"


def test_text_in_sequences_keeps_its_meaning(
    make_volume: MakeVolume, label_map: LabelMap, results_of: ResultsOf
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        request = Dataset()
        request.SpecificCharacterSet = "ISO_IR 192"
        request.RequestedProcedureDescription = "Poumons à contrôler"
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.RequestAttributesSequence = [request]

    volume = make_volume(edit)
    *images, _ = results_of(volume, label_map)
    for result in images:
        (request,) = result.RequestAttributesSequence
        assert request.RequestedProcedureDescription == "Poumons à contrôler"


def test_times_are_in_the_zone_of_the_source(
    make_volume: MakeVolume, label_map: LabelMap, context: ResultContext
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        dataset.TimezoneOffsetFromUTC = "+0530"

    (result,) = encode(label_map, make_volume(edit), context)
    assert result.TimezoneOffsetFromUTC == "+0530"
    assert (result.ContentDate, result.ContentTime) == ("20240507", "033809.123456")
    assert (result.StudyDate, result.StudyTime) == ("20240102", "030405")


def test_times_are_in_utc_without_offset_where_the_source_names_no_zone(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    (result,) = encode(label_map, volume, context)
    assert "TimezoneOffsetFromUTC" not in result
    assert (result.SeriesDate, result.SeriesTime) == ("20240506", "220809.123456")


def test_equipment_names_earlier_makers_the_scanner_and_us(
    make_volume: MakeVolume, label_map: LabelMap, context: ResultContext
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        earlier = Dataset()
        earlier.Manufacturer = "Cleaner"
        dataset.ContributingEquipmentSequence = [earlier]

    (result,) = encode(label_map, make_volume(edit), context)
    makers = [item.Manufacturer for item in result.ContributingEquipmentSequence]
    assert makers == ["Cleaner", "Maker", "Hounsfield"]
    assert result.Manufacturer == "Hounsfield"


def test_study_without_uid_is_refused(
    make_volume: MakeVolume, label_map: LabelMap, context: ResultContext
) -> None:
    def edit(dataset: Dataset, _index: int) -> None:
        del dataset.StudyInstanceUID

    with pytest.raises(EncodingError, match="no Study Instance UID"):
        encode(label_map, make_volume(edit), context)


def test_long_description_gives_way_to_the_algorithm(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    (result,) = encode(replace(label_map, description="x" * 80), volume, context)
    assert len(result.SeriesDescription) == 64
    assert result.SeriesDescription.endswith("xx (lungs 1.2)")


@pytest.mark.parametrize("keyword", ["PatientSize", "OtherPatientIDsSequence", "Manufacturer"])
@pytest.mark.parametrize(("vr", "content"), [("SQ", b"torn"), ("US", b"odd"), ("FD", b"odd")])
def test_damaged_element_is_left_out(
    keyword: str, vr: str, content: bytes, volume: Volume, context: ResultContext
) -> None:
    """It does not decode; all else is taken over."""
    source = Dataset()
    source.update(volume.sources[0].header)
    tag = Tag(keyword)
    source[tag] = RawDataElement(
        tag, vr, len(content), content, 0, is_implicit_VR=False, is_little_endian=True
    )
    header = document_header(Named(), source, context)
    assert keyword == "Manufacturer" or keyword not in header
    assert header.Manufacturer == "Hounsfield"
    assert str(header.PatientName) == "Test^Anna"


@dataclass(frozen=True)
class Named:
    """A document."""

    name: str = "document"
    description: str = "Document"
