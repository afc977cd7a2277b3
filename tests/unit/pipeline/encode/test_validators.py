"""What dicom3tools says of our objects."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pipeline.encode import ResultContext
from pipeline.findings import DerivedVolume, LabelMap
from pipeline.volume import Volume
from tests.support.encoding import encode

ErrorsOf = Callable[..., list[str]]
Write = Callable[..., list[Path]]


def drop_body_part(dataset: Dataset, _index: int) -> None:
    del dataset.BodyPartExamined


def drop_optional(dataset: Dataset, _index: int) -> None:
    for keyword in (
        "KVP",
        "PatientPosition",
        "SliceThickness",
        "Manufacturer",
        "AcquisitionNumber",
    ):
        del dataset[keyword]


def add_contrast_and_request(dataset: Dataset, _index: int) -> None:
    dataset.ContrastBolusAgent = "Agent"
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "R1", "R2"
    dataset.RequestAttributesSequence = [request]
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = "10"
    dataset.LossyImageCompressionMethod = "ISO_15444_1"
    dataset.TimezoneOffsetFromUTC = "+0530"
    dataset.BurnedInAnnotation = "YES"


EDITS = pytest.mark.parametrize(
    "edit", [lambda *_: None, drop_body_part, drop_optional, add_contrast_and_request]
)


@EDITS
def test_segmentation_has_no_error(
    *,
    edit: Callable[[Dataset, int], None],
    make_volume: Callable[..., Volume],
    label_map: LabelMap,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    (path,) = write("seg", encode(label_map, make_volume(edit), context))
    assert errors_of("dciodvfy", [path]) == []


@EDITS
def test_every_derived_image_has_no_error(
    *,
    edit: Callable[[Dataset, int], None],
    make_volume: Callable[..., Volume],
    slab_of: Callable[[Volume], DerivedVolume],
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    volume = make_volume(edit)
    paths = write("mip", encode(slab_of(volume), volume, context))
    assert [errors_of("dciodvfy", [path]) for path in paths] == [[]] * len(paths)


def test_broken_object_is_reported(
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    (segmentation,) = encode(label_map, volume, context)
    del segmentation.SegmentSequence[0].SegmentLabel
    (path,) = write("broken", [segmentation])
    assert any("SegmentLabel" in line for line in errors_of("dciodvfy", [path]))


def test_source_and_results_agree_with_each_other(
    *,
    volume: Volume,
    label_map: LabelMap,
    slab_of: Callable[[Volume], DerivedVolume],
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    results = [*encode(label_map, volume, context), *encode(slab_of(volume), volume, context)]
    paths = [source.instance.path for source in volume.sources] + write("results", results)
    assert errors_of("dcentvfy", paths) == []
    results[0].PatientName = "Another^Name"
    assert errors_of("dcentvfy", [*paths, *write("other", results[:1])])
