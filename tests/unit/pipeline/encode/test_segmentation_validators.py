"""What dicom3tools says of Segmentations in each form, on sources of every kind."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.encode import ResultContext, encode_as, part10_bytes
from pipeline.findings import LabelMap
from pipeline.instance import read_instance
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.products import Product
from pipeline.volume import Volume, build_volume
from tests.support.enhanced import enhanced_ct, enhanced_mr, enhanced_pet
from tests.support.image_kinds import as_mr, as_pet
from tests.support.masks import probabilities_on

ErrorsOf = Callable[..., list[str]]
Write = Callable[..., list[Path]]
SaidInAll = Callable[[Volume, LabelMap], list[Dataset]]


def as_ct(_dataset: Dataset, _index: int) -> None:
    """As it is."""


def bare(dataset: Dataset, _index: int) -> None:
    for keyword in (
        "BodyPartExamined",
        "SliceThickness",
        "Manufacturer",
        "FrameOfReferenceUID",
        "PatientSex",
        "StudyID",
        "AccessionNumber",
    ):
        del dataset[keyword]


def odd(dataset: Dataset, _index: int) -> None:
    """Lossy, with text in the image, a request, and values that no standard allows."""
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = "10"
    dataset.LossyImageCompressionMethod = "ISO_15444_1"
    dataset.TimezoneOffsetFromUTC, dataset.BurnedInAnnotation = "+0530", "YES"
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "R1", "R2"
    dataset.RequestAttributesSequence = [request]
    dataset.PatientSex, dataset.StudyTime = "U", "10:15"
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.fixture
def said_in_all(context: ResultContext) -> SaidInAll:
    """A label map, and probabilities of the same, in every form."""

    def say(volume: Volume, label_map: LabelMap) -> list[Dataset]:
        findings = {
            Product.SEG: label_map,
            Product.LABELMAP: label_map,
            Product.FRACTIONAL: probabilities_on(label_map),
        }
        return [encode_as(form, item, volume, context)[0] for form, item in findings.items()]

    return say


@pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning")
@pytest.mark.parametrize("edit", [as_ct, as_mr, as_pet, bare, odd])
def test_no_form_has_an_error_or_disagrees_with_its_source(
    *,
    edit: Callable[[Dataset, int], None],
    make_volume: Callable[..., Volume],
    label_map: LabelMap,
    said_in_all: SaidInAll,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    volume = make_volume(edit)
    paths = write("seg", said_in_all(volume, label_map))
    assert [errors_of("dciodvfy", [path]) for path in paths] == [[], [], []]
    if edit in {as_ct, as_mr, as_pet}:
        sources = [source.instance.path for source in volume.sources]
        assert errors_of("dcentvfy", [*sources, *paths]) == []


@pytest.mark.parametrize("make", [enhanced_ct, enhanced_mr, enhanced_pet])
def test_no_form_has_an_error_on_a_multi_frame_source(
    *,
    make: Callable[..., Dataset],
    label_map: LabelMap,
    said_in_all: SaidInAll,
    write: Write,
    errors_of: ErrorsOf,
    tmp_path: Path,
) -> None:
    """References name the instance, and the frame where pixels lie on one."""
    image = make(list(phantom_instances(chest_phantom(slices=6, size=32))))
    path = tmp_path / "source.dcm"
    path.write_bytes(part10_bytes(image))
    volume = build_volume([read_instance(path)]).volume
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[1:4, 3:9, 4:12], labels[2:5, 12:20, 20:25] = 1, 2
    found = LabelMap("lungs", labels, label_map.segments, "Lungs")
    results = said_in_all(volume, found)
    assert [errors_of("dciodvfy", [item]) for item in write("seg", results)] == [[], [], []]
    for result in results:
        assert [item.ReferencedSOPInstanceUID for item in result.SourceImageSequence] == [
            image.SOPInstanceUID
        ]
        frames = {
            int(groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber)
            for groups in result.PerFrameFunctionalGroupsSequence
        }
        assert frames == {volume.sources[index].number for index in range(1, 5)}
