"""A label map as an RT Structure Set."""

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

import pipeline
from pipeline.encode import ResultContext, part10_bytes
from pipeline.encode.structure_set import encode_structure_set
from pipeline.errors import EncodingError
from pipeline.findings import Code, LabelMap
from pipeline.instance import read_instance
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.volume import Fill, RebuildPolicy, Tilt, Volume, build_volume
from tests.support.contours import filled, labels_in, on_image, points_of
from tests.support.encoding import encode
from tests.support.enhanced import enhanced_ct, enhanced_mr, enhanced_pet, rearranged
from tests.support.image_kinds import as_mr, as_pet

ErrorsOf = Callable[..., list[str]]
MakeVolume = Callable[..., Volume]
Write = Callable[..., list[Path]]
Edit = Callable[[Dataset, int], None]
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
FEET_UP = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
AGAIN = """
import hashlib, pickle, sys
from pipeline.encode import part10_bytes
from pipeline.encode.structure_set import encode_structure_set
(result,) = encode_structure_set(*pickle.loads(sys.stdin.buffer.read()))
print(hashlib.sha256(part10_bytes(result)).hexdigest())
"""


def read_back(results: tuple[Dataset, ...]) -> Dataset:
    """The one instance as a reader of its file has it."""
    (result,) = results
    return pydicom.dcmread(BytesIO(part10_bytes(result)))


def contours(structure_set: Dataset) -> list[Dataset]:
    return [item for roi in structure_set.ROIContourSequence for item in roi.ContourSequence]


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, OBLIQUE, FEET_UP])
@pytest.mark.parametrize("reverse", [False, True])
def test_filled_contours_are_the_label_map_on_the_source(
    *,
    orientation: tuple[float, ...],
    reverse: bool,
    make_volume: MakeVolume,
    label_map: LabelMap,
    context: ResultContext,
) -> None:
    volume = make_volume(orientation=orientation, reverse=reverse)
    result = read_back(encode_structure_set(label_map, volume, context))
    np.testing.assert_array_equal(labels_in(result, volume), label_map.labels)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32 - 1), share=st.sampled_from([0.1, 0.4, 0.7, 0.95]))
def test_filled_contours_of_any_label_map_are_the_label_map(
    seed: int, share: float, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """Holes, islands in them, single pixels, touching corners, the image's border."""
    random = np.random.default_rng(seed)
    kinds = random.integers(1, 3, volume.voxels.shape)
    labels = np.where(random.random(volume.voxels.shape) < share, kinds, 0).astype(np.uint8)
    labels[random.random(len(labels)) < 0.3] = 0
    labels[0, 0, 0] = 1
    found = replace(label_map, labels=labels)
    result = read_back(encode_structure_set(found, volume, context))
    np.testing.assert_array_equal(labels_in(result, volume), labels)


def test_contours_of_one_segment_that_encloses_another_leave_it_out(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    labels = np.zeros_like(label_map.labels)
    labels[2, 2:12, 3:15] = 1
    labels[2, 5:8, 6:10] = 2
    found = replace(label_map, labels=labels)
    result = read_back(encode_structure_set(found, volume, context))
    outer, inner = contours(result)
    np.testing.assert_array_equal(labels_in(result, volume), labels)
    header = volume.sources[2].header
    outline = on_image(points_of(outer), header)
    assert not filled([outline], labels.shape[1:])[5:8, 6:10].any()
    assert inner.ContourGeometricType == outer.ContourGeometricType == "CLOSED_PLANAR"


def test_regions_are_named_coded_and_coloured_as_the_segments(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    result = read_back(encode_structure_set(label_map, volume, context))
    (segmentation,) = encode(label_map, volume, context)
    for segment, described, roi, drawing, observation in zip(
        label_map.segments,
        segmentation.SegmentSequence,
        result.StructureSetROISequence,
        result.ROIContourSequence,
        result.RTROIObservationsSequence,
        strict=True,
    ):
        assert roi.ROINumber == drawing.ReferencedROINumber == segment.number
        assert observation.ReferencedROINumber == segment.number
        assert roi.ROIName == observation.ROIObservationLabel == segment.label
        assert roi.ROIGenerationAlgorithm == "AUTOMATIC"
        (algorithm,) = roi.ROIDerivationAlgorithmIdentificationSequence
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("Hounsfield lungs", "1.2")
        assert tuple(drawing.ROIDisplayColor) == segment.rgb
        assert observation.RTROIInterpretedType == "ORGAN"
        (kind,) = observation.RTROIIdentificationCodeSequence
        assert kind == described.SegmentedPropertyTypeCodeSequence[0]
        (side,) = kind.SegmentedPropertyTypeModifierCodeSequence
        assert side.CodeValue == segment.laterality.value


def test_structure_that_is_no_anatomy_is_not_called_an_organ(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    lesion = Code("49755003", "SCT", "Morphologically Abnormal Structure")
    segments = tuple(replace(segment, category=lesion) for segment in label_map.segments)
    found = replace(label_map, segments=segments)
    result = read_back(encode_structure_set(found, volume, context))
    assert {item.RTROIInterpretedType for item in result.RTROIObservationsSequence} == {""}


def test_names_are_ascii_and_as_long_as_they_may_be(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    right, left = label_map.segments
    named = replace(right, label="Rechter L\u00fcngenfl\u00fcgel " * 5)
    found = replace(label_map, name="lungs of a long name", segments=(named, left))
    result = read_back(encode_structure_set(found, volume, context))
    name = result.StructureSetROISequence[0].ROIName
    assert name == "Rechter L?ngenfl?gel Rechter L?ngenfl?gel Rechter L?ngenfl?gel R"
    assert result.RTROIObservationsSequence[0].ROIObservationLabel == "Rechter L?ngenfl"
    assert result.StructureSetLabel == "lungs of a long"


def test_series_is_one_of_its_own_on_the_source(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    result = read_back(encode_structure_set(label_map, volume, context))
    (segmentation,) = encode(label_map, volume, context)
    assert result.SeriesInstanceUID == context.series_uid("lungs rtstruct")
    assert result.SOPInstanceUID == context.instance_uid("lungs rtstruct", 1)
    assert result.SeriesInstanceUID != segmentation.SeriesInstanceUID
    assert result.StudyInstanceUID == "1.2.3.1"
    assert (result.Modality, result.ApprovalStatus) == ("RTSTRUCT", "UNAPPROVED")
    assert result.SeriesDescription == "Lungs contours (lungs 1.2)"
    assert (result.StructureSetDate, result.StructureSetTime) == ("20240506", "220809.123456")
    assert {item.ReferencedFrameOfReferenceUID for item in result.StructureSetROISequence} == {
        "1.2.3.3"
    }
    (frame_of_reference,) = result.ReferencedFrameOfReferenceSequence
    assert frame_of_reference.FrameOfReferenceUID == "1.2.3.3"
    (study,) = frame_of_reference.RTReferencedStudySequence
    assert study.ReferencedSOPInstanceUID == "1.2.3.1"
    (series,) = study.RTReferencedSeriesSequence
    assert series.SeriesInstanceUID == volume.series_instance_uid
    images = [item.ReferencedSOPInstanceUID for item in series.ContourImageSequence]
    assert images == [source.sop_instance_uid for source in volume.sources]


def test_contours_are_numbered_and_written_as_short_text(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    result = read_back(encode_structure_set(label_map, volume, context))
    right, left = result.ROIContourSequence
    assert [item.ContourNumber for item in right.ContourSequence] == [1, 2]
    assert [item.ContourNumber for item in left.ContourSequence] == [1, 2, 3]
    for item in contours(result):
        assert all(len(str(value)) <= 16 for value in item.ContourData)


def test_source_without_frame_of_reference_gets_the_one_of_its_results(
    make_volume: MakeVolume, label_map: LabelMap, context: ResultContext
) -> None:
    def drop(dataset: Dataset, _index: int) -> None:
        del dataset.FrameOfReferenceUID

    volume = make_volume(drop)
    result = read_back(encode_structure_set(label_map, volume, context))
    (segmentation,) = encode(label_map, volume, context)
    (referenced,) = result.ReferencedFrameOfReferenceSequence
    assert referenced.FrameOfReferenceUID == result.FrameOfReferenceUID
    assert result.FrameOfReferenceUID == segmentation.FrameOfReferenceUID


def test_segment_without_voxels_has_no_region(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    one = replace(label_map, labels=np.where(label_map.labels == 2, 2, 0).astype(np.uint8))
    result = read_back(encode_structure_set(one, volume, context))
    for sequence, number in (
        (result.StructureSetROISequence, "ROINumber"),
        (result.ROIContourSequence, "ReferencedROINumber"),
        (result.RTROIObservationsSequence, "ReferencedROINumber"),
    ):
        assert [item[number].value for item in sequence] == [2]


def test_empty_label_map_gives_no_object(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    empty = replace(label_map, labels=np.zeros_like(label_map.labels))
    assert encode_structure_set(empty, volume, context) == ()


def test_labels_off_the_source_grid_are_refused(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    with pytest.raises(EncodingError, match="on the source's grid"):
        encode_structure_set(replace(label_map, labels=label_map.labels[1:]), volume, context)


@pytest.mark.parametrize("enhanced", [enhanced_ct, enhanced_mr, enhanced_pet])
def test_contours_on_a_multi_frame_source_name_their_frames(
    *,
    enhanced: Callable[..., Dataset],
    tmp_path: Path,
    label_map: LabelMap,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    """Frames may be in any order; all are of one instance, which is referred to once."""
    planes = list(phantom_instances(chest_phantom(slices=6, size=32)))
    image = rearranged(enhanced(planes), [3, 0, 5, 1, 4, 2])
    volume = rebuilt(tmp_path / "multi", [image])
    found = replace(label_map, labels=labels_on(volume))
    result = read_back(encode_structure_set(found, volume, context))
    np.testing.assert_array_equal(labels_in(result, volume), found.labels)
    (frame_of_reference,) = result.ReferencedFrameOfReferenceSequence
    (series,) = frame_of_reference.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    (whole,) = series.ContourImageSequence
    assert whole.ReferencedSOPInstanceUID == image.SOPInstanceUID
    (path,) = write("rtstruct", encode_structure_set(found, volume, context))
    assert errors_of("dciodvfy", [path]) == []


def test_contours_on_an_interpolated_slice_refer_to_no_image(
    tmp_path: Path, label_map: LabelMap, context: ResultContext, write: Write, errors_of: ErrorsOf
) -> None:
    planes = list(phantom_instances(chest_phantom(slices=8, size=32)))
    del planes[4]
    volume = rebuilt(tmp_path / "gap", planes, RebuildPolicy(fill=Fill.INTERPOLATE))
    assert len(volume.voxels) == 8
    found = replace(label_map, labels=labels_on(volume))
    results = encode_structure_set(found, volume, context)
    bare = [item for item in contours(read_back(results)) if "ContourImageSequence" not in item]
    assert len(bare) == 2
    for item in bare:
        height = volume.geometry.to_patient([4, 0, 0])[2]
        np.testing.assert_allclose(points_of(item)[:, 2], height, atol=1e-3)
    (path,) = write("rtstruct", results)
    assert errors_of("dciodvfy", [path]) == []


def test_contours_on_a_tilted_source_lie_in_its_images_planes(
    tmp_path: Path, label_map: LabelMap, context: ResultContext
) -> None:
    """Slices were shifted along their planes, so that each still shows what lies on it."""
    planes = list(phantom_instances(chest_phantom(slices=8, size=32)))
    for index, plane in enumerate(planes):
        plane.ImagePositionPatient[1] += index
    volume = rebuilt(tmp_path / "tilt", planes, RebuildPolicy(tilt=Tilt.RESAMPLE))
    assert volume.resampled
    found = replace(label_map, labels=labels_on(volume))
    result = read_back(encode_structure_set(found, volume, context))
    np.testing.assert_array_equal(labels_in(result, volume), found.labels)
    source = {plane.SOPInstanceUID: plane for plane in planes}
    for item in contours(result):
        (image,) = item.ContourImageSequence
        height = float(source[image.ReferencedSOPInstanceUID].ImagePositionPatient[2])
        np.testing.assert_allclose(points_of(item)[:, 2], height, atol=1e-3)


def rebuilt(folder: Path, datasets: list[Dataset], policy: RebuildPolicy | None = None) -> Volume:
    folder.mkdir()
    paths = []
    for number, dataset in enumerate(datasets):
        paths.append(folder / f"{number:03}.dcm")
        paths[-1].write_bytes(part10_bytes(dataset))
    return build_volume([read_instance(path) for path in paths], policy).volume


def labels_on(volume: Volume) -> np.ndarray:
    """Two blocks, one with a hole, on every slice of a volume."""
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[:, 3:14, 2:12], labels[:, 6:9, 5:8] = 1, 0
    labels[:, 5:20, 16:24] = 2
    return labels


def odd_header(dataset: Dataset, _index: int) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName, dataset.PatientSex = "M\u00fcller^Anna", "U"
    dataset.PositionReferenceIndicator = "H\u00fcfte"
    dataset.TimezoneOffsetFromUTC = "+0530"
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "R1", "R2"
    dataset.RequestAttributesSequence = [request]


@pytest.mark.parametrize("edit", [lambda *_: None, odd_header, as_mr, as_pet])
def test_validator_finds_no_error(
    *,
    edit: Edit,
    make_volume: MakeVolume,
    label_map: LabelMap,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    """Nor that source and result disagree: the study that is referred to is no instance."""
    volume = make_volume(edit)
    (result,) = encode_structure_set(label_map, volume, context)
    (path,) = write("rtstruct", [result])
    assert errors_of("dciodvfy", [path]) == []
    files = [path, *(item.instance.path for item in volume.sources)]
    study = f"Missing SOPInstanceUID that was referenced - {result.StudyInstanceUID} for"
    assert [line for line in errors_of("dcentvfy", files) if study not in line] == []


def test_validator_finds_what_is_broken(
    volume: Volume, label_map: LabelMap, context: ResultContext, write: Write, errors_of: ErrorsOf
) -> None:
    (result,) = encode_structure_set(label_map, volume, context)
    del result.StructureSetROISequence[0].ROIName
    del result.ROIContourSequence[0].ContourSequence[0].ContourGeometricType
    (path,) = write("broken", [result])
    errors = "".join(errors_of("dciodvfy", [path]))
    assert "ROIName" in errors
    assert "ContourGeometricType" in errors


def test_dcmtk_reads_the_same_text(
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    write: Write,
    tool: Callable[[str], str],
) -> None:
    results = encode_structure_set(label_map, volume, context)
    (path,) = write("rtstruct", results)
    command = [tool("dcmdump"), "+L", "+P", "ContourData", str(path)]
    dump = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    texts = [line.split("[")[1].split("]")[0] for line in dump.splitlines()]
    expected = ["\\".join(map(str, item.ContourData)) for item in contours(read_back(results))]
    assert texts == expected


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns"])
def test_another_process_zone_and_locale_give_the_same_bytes(
    zone: str, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    (result,) = encode_structure_set(label_map, volume, context)
    there = subprocess.run(
        [sys.executable, "-c", AGAIN],
        input=pickle.dumps((label_map, volume, context)),
        env={
            **os.environ,
            "TZ": zone,
            "LC_ALL": "de_DE.UTF-8",
            "PYTHONHASHSEED": "7",
            "PYTHONPATH": str(Path(pipeline.__file__).parents[1]),
        },
        capture_output=True,
        check=True,
    )
    assert there.stdout.decode().strip() == hashlib.sha256(part10_bytes(result)).hexdigest()


def test_asking_for_points_changes_no_byte(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """Contour Data is kept as text until somebody wants its numbers."""
    (result,) = encode_structure_set(label_map, volume, context)
    (asked,) = encode_structure_set(label_map, volume, context)
    assert all(points_of(item).size for item in contours(asked))
    assert part10_bytes(asked) == part10_bytes(result)
