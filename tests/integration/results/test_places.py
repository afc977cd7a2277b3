"""Where results lie in the patient, as readers of others have it, beside the source as ITK has it.

Nothing here asks our own rebuild where a voxel is.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product as combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import Dataset
from skimage.measure import points_in_poly

from pipeline.algorithms.mip import SlidingMipParameters
from pipeline.encode import part10_bytes
from pipeline.plan import Step
from pipeline.products import Product
from tests.support.every_kind import (
    CUBE,
    KINDS,
    OBLIQUE,
    SAGITTAL,
    VIEWS,
    Results,
    Source,
    made_of,
    results_of,
)
from tests.support.image_kinds import values
from tests.unit.pipeline.encode.conftest import ct_slice

itk = pytest.importorskip("SimpleITK")

Points = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]

SOURCES = {
    "CT axial": Source(Path(), "CT"),
    "CT axial, from head to feet": Source(Path(), "CT", reverse=True),
    "CT sagittal": Source(Path(), "CT", SAGITTAL),
    "MR oblique": Source(Path(), "MR", OBLIQUE),
    "MR oblique, from head to feet": Source(Path(), "MR", OBLIQUE, reverse=True),
    "PET axial": Source(Path(), "PT"),
}
ROUNDING_MM = 2e-3


class Case:
    """A source and its results, as files, and the source as ITK reads it."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source = replace(source, folder=folder / "source")
        views = source.orientation != SAGITTAL
        self.results: Results = results_of(self.source, folder / "results", views=views)
        self.image = series(self.source.folder)

    @property
    def expected(self) -> Labels:
        """(slice, row, column) of ITK's volume: the segment of each voxel, from its value."""
        offset = KINDS[self.source.kind].offset
        found = itk.GetArrayFromImage(self.image) - offset
        return (found >= 900).astype(np.uint8) + (found >= 1500)


def series(folder: Path) -> Any:
    return read(itk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))


def read(paths: Sequence[str]) -> Any:
    # Else ITK rounds all slices to whole numbers where the first one has a slope of 1.
    return itk.ReadImage(paths, itk.sitkFloat64)


@pytest.fixture(scope="module", params=SOURCES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Everything that is made of a series, for each orientation and order."""
    return Case(SOURCES[request.param], tmp_path_factory.mktemp("places"))


def on_source(image: Any, case: Case) -> npt.NDArray[Any]:
    """(slice, row, column) of ITK's source: an image's values there, 0 beyond it."""
    found: npt.NDArray[Any] = itk.GetArrayFromImage(
        itk.Resample(image, case.image, itk.Transform(), itk.sitkNearestNeighbor, 0)
    )
    return found


def test_phantom_has_both_segments_on_their_own_sides(case: Case) -> None:
    """And is no mirror image of itself: else nothing here would show one."""
    labels = case.expected
    assert [int((labels == number).sum()) for number in (1, 2)] == [50, 168]
    for axes in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        assert (np.flip(labels, axes) != labels).any()


@pytest.mark.parametrize("mask", [Product.SEG, Product.LABELMAP])
def test_masks_are_those_of_the_source_by_dcmqi(case: Case, mask: Product, tmp_path: Path) -> None:
    path = case.results.paths[mask][0]
    program = Path(sys.executable).parent / "segimage2itkimage"
    command = [program, "--inputDICOM", path, "-t", "nii", "--outputDirectory", tmp_path]
    subprocess.run(command, check=True, capture_output=True)
    found = np.zeros_like(case.expected)
    for file in tmp_path.glob("*.nii.gz"):
        found += on_source(itk.ReadImage(str(file)), case).astype(np.uint8)
    np.testing.assert_array_equal(found, case.expected)


def test_filled_contours_are_the_masks_of_the_source(case: Case) -> None:
    structures = case.results.read(Product.RTSTRUCT)[0]
    found = np.zeros_like(case.expected)
    rows, columns = np.indices(found.shape[1:]).reshape(2, -1)
    for roi in structures.ROIContourSequence:
        for contour in roi.ContourSequence:
            points = np.array(contour.ContourData, float).reshape(-1, 3).tolist()
            indices = np.array([index_of(case.image, point) for point in points])
            (plane,) = {round(index) for index in indices[:, 2]}
            inside = points_in_poly(np.stack([columns, rows], 1), indices[:, :2])
            found[plane, rows[inside], columns[inside]] ^= np.uint8(roi.ReferencedROINumber)
    np.testing.assert_array_equal(found, case.expected)


def index_of(image: Any, point: list[float]) -> tuple[float, ...]:
    """(column, row, slice) with fractions."""
    found: tuple[float, ...] = image.TransformPhysicalPointToContinuousIndex(point)
    return found


def test_masked_series_is_the_source_within_the_masks_on_its_very_grid(case: Case) -> None:
    paths = [path for path in case.results.paths[Product.SERIES] if "Masked" in description(path)]
    masked = read(ordered(paths, case))
    for attribute in ("GetSize", "GetOrigin", "GetSpacing", "GetDirection"):
        ours, theirs = (getattr(image, attribute)() for image in (masked, case.image))
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    source = itk.GetArrayFromImage(case.image)
    expected = np.where(case.expected, source, source.min())
    # PET has one slope for the whole of a derived series, which rounds values anew.
    step = source.max() / 65535 / 2 if case.source.kind == "PT" else 0
    np.testing.assert_allclose(itk.GetArrayFromImage(masked), expected, atol=step)


def description(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SeriesDescription)


def ordered(paths: list[Path], case: Case) -> list[str]:
    """As ITK puts the source's files into order: along the normal of the images."""
    normal = np.cross(case.source.orientation[:3], case.source.orientation[3:])

    def along(path: Path) -> float:
        position = pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient
        return float(np.array(position, float) @ normal)

    return [str(path) for path in sorted(paths, key=along)]


@pytest.mark.parametrize("view", ["coronal", "sagittal"])
@pytest.mark.parametrize("reverse", [False, True])
def test_reformat_of_single_voxels_is_the_source_in_another_order(
    view: str, reverse: bool, tmp_path: Path
) -> None:
    """Every voxel of an oblique MR is found where the patient has it."""
    source = Source(tmp_path / "source", "MR", OBLIQUE, reverse=reverse)
    step = Step("sliding-mip", SlidingMipParameters(view=view, window_mm=0.1))
    (reformatted,) = [
        each for each in made_of(source.write(), (step,)) if each.product is Product.SERIES
    ]
    folder = tmp_path / view
    folder.mkdir()
    for number, instance in enumerate(reformatted.instances):
        (folder / f"{number:02}.dcm").write_bytes(part10_bytes(instance))
    image = series(source.folder)
    found = itk.Resample(series(folder), image, itk.Transform(), itk.sitkNearestNeighbor, 0)
    np.testing.assert_array_equal(itk.GetArrayFromImage(found), itk.GetArrayFromImage(image))


def cube_mm(source: Source) -> Points:
    """(voxel, 3): centres of the bright cube's voxels in LPS mm, by the source's own headers."""
    points = []
    for index in range(*CUBE[0].indices(99)):
        header = ct_slice(index, source.orientation)
        origin = np.array(header.ImagePositionPatient, float)
        along_row, along_column = np.array(source.orientation, float).reshape(2, 3)
        row_mm, column_mm = (float(value) for value in header.PixelSpacing)
        for row, column in combinations(*(range(*part.indices(99)) for part in CUBE[1:])):
            points.append(origin + along_row * column * column_mm + along_column * row * row_mm)
    return np.array(points)


def projected(image: Dataset, points: Points) -> Points:
    """(point, 3): row and column, with fractions, and distance from the plane in mm."""
    offset = points - np.array(image.ImagePositionPatient, float)
    right, down = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
    row_mm, column_mm = (float(value) for value in image.PixelSpacing)
    through = np.cross(right, down)
    return np.stack([offset @ down / row_mm, offset @ right / column_mm, offset @ through], 1)


def bright(image: Dataset, source: Source) -> npt.NDArray[np.bool_]:
    """Where an image shows the cube and nothing darker."""
    return values(image) - KINDS[source.kind].offset > 2500


def test_cube_is_at_the_predicted_pixels_of_every_slab(case: Case) -> None:
    """Of those whose slab holds it, and of no others."""
    points, shown = cube_mm(case.source), 0
    images = case.results.read(Product.SERIES)
    for image in images:
        if "Rotating" in image.SeriesDescription:
            continue
        place = projected(image, points)
        within = np.abs(place[:, 2]) < float(image.SliceThickness) / 2
        pixels = np.round(place[within, :2]).astype(int)
        np.testing.assert_allclose(place[:, :2], np.round(place[:, :2]), atol=ROUNDING_MM)
        expected = np.zeros((image.Rows, image.Columns), bool)
        expected[tuple(pixels.T)] = True
        np.testing.assert_array_equal(bright(image, case.source), expected)
        shown += bool(within.any())
    axial, coronal, sagittal = (len(range(*part.indices(99))) + 2 for part in CUBE)
    masked = axial - 2
    views = case.source.orientation != SAGITTAL
    # The cube ends one slice before the last one.
    assert shown == masked + views * (axial + coronal + sagittal)


def test_cube_is_at_the_predicted_pixels_of_every_rotating_view(case: Case) -> None:
    """Its outermost voxels bound what is bright, by a pixel."""
    images = [
        image
        for image in case.results.read(Product.SERIES)
        if "Rotating" in image.SeriesDescription
    ]
    if case.source.orientation == SAGITTAL:
        assert images == []
        return
    assert len(images) == VIEWS
    for image in images:
        place = projected(image, cube_mm(case.source))
        assert np.abs(place[:, 2]).max() <= float(image.SliceThickness) / 2
        found = np.argwhere(bright(image, case.source))
        assert set(found[:, 0]) == set(np.round(place[:, 0]).astype(int))
        for bound in (np.min, np.max):
            assert bound(found[:, 1]) == pytest.approx(bound(place[:, 1]), abs=1)
