"""What holds of a Segmentation in each of its forms: binary, label map, fractions."""

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
import pytest
from highdicom.seg import segread
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pydicom.dataset import Dataset

import pipeline
from pipeline.encode import ResultContext, encode_as, part10_bytes
from pipeline.errors import EncodingError
from pipeline.findings import LabelMap, ProbabilityMap
from pipeline.products import Product
from pipeline.volume import Volume
from tests.support.masks import (
    in_order,
    points_of,
    probabilities_on,
    read_back,
    volume_in_memory,
    voxels_of,
)
from tests.support.stacks import ORIENTATIONS, Grid
from tests.unit.pipeline.encode.conftest import context_named, lung_segment

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
FEET_UP = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
FORMS = (Product.SEG, Product.LABELMAP, Product.FRACTIONAL)
MASKS = (Product.SEG, Product.LABELMAP)
AGAIN = """
import hashlib, pickle, sys
from pipeline.encode import encode_as, part10_bytes
for form, finding, volume, context in pickle.loads(sys.stdin.buffer.read()):
    (result,) = encode_as(form, finding, volume, context)
    print(hashlib.sha256(part10_bytes(result)).hexdigest())
"""

grids = st.builds(Grid, orientation=st.sampled_from(ORIENTATIONS))
shapes = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 13))


def said(form: Product, label_map: LabelMap, volume: Volume, context: ResultContext) -> Dataset:
    """The label map, or probabilities that give it, in a form."""
    (result,) = encode_as(form, in_form(form, label_map), volume, context)
    return result


def in_form(form: Product, label_map: LabelMap) -> LabelMap | ProbabilityMap:
    return probabilities_on(label_map) if form is Product.FRACTIONAL else label_map


def label_map_of(labels: np.ndarray, count: int = 3) -> LabelMap:
    segments = tuple(
        lung_segment(number, f"Part {number}", "24028007", (60 * number, 200, 0))
        for number in range(1, count + 1)
    )
    return LabelMap("parts", labels, segments, "Parts")


@pytest.mark.filterwarnings("ignore:The number of bytes of compressed pixel data matches")
@settings(max_examples=30, deadline=None)
@given(
    labels=shapes.flatmap(lambda shape: npst.arrays(np.uint8, shape, elements=st.integers(0, 3))),
    grid=grids,
)
def test_any_labels_come_back_on_their_voxels(labels: np.ndarray, grid: Grid) -> None:
    """By pydicom and by highdicom, in every orientation, for frames of any number of pixels."""
    volume, found = volume_in_memory(labels.shape, grid), label_map_of(labels)
    for form in MASKS:
        results = encode_as(form, found, volume, context_named("parts"))
        assert len(results) == labels.any()
        for result in results:
            expected = labels == np.arange(1, 4)[:, None, None, None]
            np.testing.assert_array_equal(voxels_of(read_back(result), volume), expected)
            np.testing.assert_array_equal(by_highdicom(result, volume), labels)


def by_highdicom(result: Dataset, volume: Volume, **options: bool) -> np.ndarray:
    """(slice, row, column): labels as highdicom's reader finds them for the source's instances."""
    read = segread(BytesIO(part10_bytes(result)))
    found: np.ndarray = read.get_pixels_by_source_instance(
        [source.sop_instance_uid for source in volume.sources],
        **{
            "combine_segments": True,
            "ignore_spatial_locations": True,
            "assert_missing_frames_are_empty": True,
            **options,
        },
    )
    return found


# A tiny frame may be as long compressed as it was: pydicom then wonders about the syntax.
@pytest.mark.filterwarnings("ignore:The number of bytes of compressed pixel data matches")
@settings(max_examples=30, deadline=None)
@given(
    probabilities=shapes.flatmap(
        lambda shape: npst.arrays(np.float32, (2, *shape), elements=st.floats(0, 1, width=32))
    ),
    grid=grids,
)
def test_any_probabilities_come_back_within_half_a_step(
    probabilities: np.ndarray, grid: Grid
) -> None:
    volume = volume_in_memory(probabilities.shape[1:], grid)
    segments = label_map_of(np.zeros(probabilities.shape[1:], np.uint8), 2).segments
    found = ProbabilityMap("parts", probabilities, segments, "Parts")
    results = encode_as(Product.FRACTIONAL, found, volume, context_named("parts"))
    assert len(results) == (probabilities * 255 > 0.5).any()
    for result in results:
        read = voxels_of(read_back(result), volume) / 255
        assert np.abs(read - probabilities).max() <= 0.5 / 255 + 1e-6
        theirs = by_highdicom(result, volume, combine_segments=False)
        np.testing.assert_allclose(np.moveaxis(theirs, 3, 0), read, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, OBLIQUE, FEET_UP])
@pytest.mark.parametrize("reverse", [False, True])
def test_each_voxel_lies_where_the_label_map_has_it_in_the_patient(
    *,
    form: Product,
    orientation: tuple[float, ...],
    reverse: bool,
    make_volume: Callable[..., Volume],
    label_map: LabelMap,
    context: ResultContext,
) -> None:
    volume = make_volume(orientation=orientation, reverse=reverse)
    result = read_back(said(form, label_map, volume, context))
    if form is Product.FRACTIONAL:
        result.PixelData = ((result.pixel_array >= 128) * np.uint8(255)).tobytes()
        result.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    for number in (1, 2):
        expected = volume.geometry.to_patient(np.argwhere(label_map.labels == number))
        np.testing.assert_allclose(points_of(result, number), in_order(expected), atol=2e-4)


@pytest.mark.parametrize("form", MASKS)
@pytest.mark.parametrize(
    ("orientation", "reverse"),
    [(AXIAL, False), (AXIAL, True), (SAGITTAL, False), (OBLIQUE, False), (FEET_UP, True)],
)
def test_dcmqi_reads_the_same_voxels(
    *,
    form: Product,
    orientation: tuple[float, ...],
    reverse: bool,
    make_volume: Callable[..., Volume],
    label_map: LabelMap,
    context: ResultContext,
    write: Callable[..., list[Path]],
    tool: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """It gives an image for each segment, or one of all where they are in one frame."""
    itk = pytest.importorskip("SimpleITK")
    volume = make_volume(orientation=orientation, reverse=reverse)
    (path,) = write("seg", [said(form, label_map, volume, context)])
    command = [tool("segimage2itkimage"), "--inputDICOM", str(path), "-t", "nii"]
    subprocess.run([*command, "--outputDirectory", str(tmp_path)], check=True, capture_output=True)
    for number in (1, 2):
        whole = form is Product.LABELMAP
        image = itk.ReadImage(str(tmp_path / f"{1 if whole else number}.nii.gz"))
        voxels = itk.GetArrayFromImage(image)
        chosen = np.argwhere(voxels == number if whole else voxels)
        points = [image.TransformIndexToPhysicalPoint(index) for index in chosen[:, ::-1].tolist()]
        expected = volume.geometry.to_patient(np.argwhere(label_map.labels == number))
        np.testing.assert_allclose(in_order(np.array(points)), in_order(expected), atol=2e-3)


def test_forms_are_objects_of_their_own_on_the_same_tracked_segments(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    results = [said(form, label_map, volume, context) for form in FORMS]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert len({result[keyword].value for result in results}) == len(FORMS)
    organizations = {
        result.DimensionOrganizationSequence[0].DimensionOrganizationUID for result in results
    }
    assert len(organizations) == len(FORMS)
    tracked = {
        tuple(item.TrackingUID for item in result.SegmentSequence if item.SegmentNumber)
        for result in results
    }
    assert len(tracked) == 1
    assert {result.SeriesDescription for result in results} == {"Lungs (lungs 1.2)"}
    assert {result.FrameOfReferenceUID for result in results} == {"1.2.3.3"}


@pytest.mark.parametrize("form", FORMS)
def test_frames_are_in_the_order_of_their_indices(
    form: Product, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    """And those point to attributes whose values grow with them."""
    result = read_back(said(form, label_map, volume, context))
    indices = [
        tuple(np.atleast_1d(groups.FrameContentSequence[0].DimensionIndexValues))
        for groups in result.PerFrameFunctionalGroupsSequence
    ]
    assert indices == sorted(set(indices))
    assert len(indices[0]) == len(result.DimensionIndexSequence)
    heights = {
        index[-1]: float(groups.PlanePositionSequence[0].ImagePositionPatient[2])
        for index, groups in zip(indices, result.PerFrameFunctionalGroupsSequence, strict=True)
    }
    ordered = [heights[number] for number in sorted(heights)]
    assert sorted(heights) == list(range(1, len(heights) + 1))
    assert ordered == sorted(ordered, reverse=True)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_found_gives_no_object(
    form: Product, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    nothing = replace(label_map, labels=np.zeros_like(label_map.labels))
    assert encode_as(form, in_form(form, nothing), volume, context) == ()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("there", [1, 2])
def test_segment_without_a_voxel_is_described_and_has_no_frame(
    *,
    form: Product,
    there: int,
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    write: Callable[..., list[Path]],
    errors_of: Callable[..., list[str]],
    tool: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """Numbers stay what they are in the label map; a validator and a reader take it."""
    labels = np.where(label_map.labels == there, there, 0).astype(np.uint8)
    result = said(form, replace(label_map, labels=labels), volume, context)
    numbers = [item.SegmentNumber for item in result.SegmentSequence]
    assert numbers == ([0, 1, 2] if form is Product.LABELMAP else [1, 2])
    read = voxels_of(read_back(result), volume)
    assert [part.any() for part in read] == [there == 1, there == 2]
    (path,) = write("seg", [result])
    assert errors_of("dciodvfy", [path]) == []
    command = [tool("segimage2itkimage"), "--inputDICOM", str(path), "-t", "nii"]
    subprocess.run([*command, "--outputDirectory", str(tmp_path)], check=True, capture_output=True)


def test_another_process_zone_and_locale_give_the_same_bytes(
    volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    arguments = [(form, in_form(form, label_map), volume, context) for form in FORMS]
    here = [hashlib.sha256(part10_bytes(encode_as(*given)[0])).hexdigest() for given in arguments]
    there = subprocess.run(
        [sys.executable, "-c", AGAIN],
        input=pickle.dumps(arguments),
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
    assert there.stdout.decode().split() == here


@pytest.mark.parametrize("form", FORMS)
def test_places_of_a_resampled_volume_are_not_said_to_be_the_sources(
    form: Product, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    def preserved(of: Volume) -> set[str]:
        result = said(form, label_map, of, context)
        return {
            groups.DerivationImageSequence[0].SourceImageSequence[0].SpatialLocationsPreserved
            for groups in result.PerFrameFunctionalGroupsSequence
        }

    assert preserved(volume) == {"YES"}
    assert preserved(replace(volume, resampled=True)) == {"NO"}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_takes_only_findings_of_its_kind(
    form: Product, volume: Volume, label_map: LabelMap, context: ResultContext
) -> None:
    other = label_map if form is Product.FRACTIONAL else probabilities_on(label_map)
    with pytest.raises(EncodingError, match="cannot be said as"):
        encode_as(form, other, volume, context)
