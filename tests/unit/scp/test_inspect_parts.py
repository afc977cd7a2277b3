"""What ``hounsfield inspect`` finds and draws, part by part."""

import copy
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from rich.console import Console

from pipeline.geometry import Vector, direction_letters
from pipeline.instance import Instance, read_instance
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.volume import Phases, RebuildPolicy
from pipeline.volume.pixels import LocalDecoder
from scp.inspect.orientation import affine_orientation, orientation_name
from scp.inspect.picture import draw_series, image_colours, plane_scale
from scp.inspect.planes import MidPlane, mid_planes
from scp.inspect.plots import draw_lane
from scp.inspect.positions import Layout, layout_of
from scp.inspect.sheet import BAD, GOOD, INNER_WIDTH, MARGIN, REMARK, WIDTH, text_block
from scp.inspect.sparkline import BLOCKS, PLAIN, sparkline
from scp.inspect.survey import SeriesSurvey, Verdict, survey_series
from scp.inspect.table import print_series
from scp.inspect.values import Histogram, count_values
from tests.phantoms import volume_from_phantom

SLICES, SLICE_MM = 6, 5.0
PHANTOM = chest_phantom(slices=SLICES, size=16, slice_mm=SLICE_MM)
POLICY = RebuildPolicy()
GAP_GROUND = (86, 34, 38)


def slices() -> list[Dataset]:
    """The phantom's data sets, fresh."""
    return list(phantom_instances(PHANTOM))


def read_all(folder: Path, datasets: list[Dataset]) -> list[Instance]:
    """The instances of data sets, through files; each gets a UID of its own."""
    paths = []
    for number, dataset in enumerate(datasets):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.{number}"
        paths.append(folder / f"{number}.dcm")
        pydicom.dcmwrite(paths[-1], dataset, enforce_file_format=True)
    return [read_instance(path) for path in paths]


def survey(folder: Path, datasets: list[Dataset], policy: RebuildPolicy = POLICY) -> SeriesSurvey:
    """What is found in data sets."""
    instances = read_all(folder, datasets)
    return survey_series(instances, policy, decoder=LocalDecoder(), advance=lambda _done, _of: None)


def colours_of(picture: Image.Image) -> set[Any]:
    """Every colour in a picture."""
    counted = picture.getcolors(1 << 24)
    assert counted is not None
    return {colour for _, colour in counted}


@pytest.mark.parametrize(
    ("normal", "name"),
    [
        ((0.0, 0.0, 1.0), "axial"),
        ((0.0, 1.0, 0.0), "coronal"),
        ((-1.0, 0.0, 0.0), "sagittal"),
        ((0.0, 0.004, 0.99999), "axial"),
        ((0.0, -0.6, 0.8), "oblique, 36.9 degrees from axial"),
    ],
)
def test_an_orientation_has_a_name(normal: Vector, name: str) -> None:
    """By the nearest axis, with the angle where it is not straight."""
    assert orientation_name(normal) == name
    affine = np.eye(4)
    affine[:3, 0] = np.multiply(normal, 3.5)
    assert affine_orientation(affine.tolist()) == name


@pytest.mark.parametrize(
    ("direction", "letters"),
    [
        ((1.0, 0.0, 0.0), "L"),
        ((0.0, -1.0, 0.0), "A"),
        ((0.0, 0.0, -1.0), "F"),
        ((0.0, 0.6, 0.8), "HP"),
        ((-0.98, 0.2, 0.0), "R"),
    ],
)
def test_a_direction_has_letters(direction: Vector, letters: str) -> None:
    """The largest part first; small ones are left out."""
    assert direction_letters(direction) == letters


def test_shared_positions_and_gaps_are_found(tmp_path: Path) -> None:
    """Whether or not the series makes a volume."""
    datasets = slices()
    again = copy.deepcopy(datasets[1])
    del datasets[3]
    (lane,) = layout_of(read_all(tmp_path, [*datasets, again]), POLICY).lanes
    assert [len(position.names) for position in lane.positions] == [1, 2, 1, 1, 1]
    assert (lane.images, lane.shared, lane.typical_mm) == (6, 1, SLICE_MM)
    assert lane.gaps == (2,)
    assert lane.distance_after(2) == pytest.approx(2 * SLICE_MM)
    assert lane.uneven == ()


def test_each_orientation_is_a_lane(tmp_path: Path) -> None:
    """The fullest first; opposite normals are one orientation."""
    datasets = slices()
    for dataset in datasets[:2]:
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    datasets[2].ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
    lanes = layout_of(read_all(tmp_path, datasets), POLICY).lanes
    assert [(lane.orientation, lane.images) for lane in lanes] == [("axial", 4), ("sagittal", 2)]


def test_images_without_a_position_are_counted(tmp_path: Path) -> None:
    """The others are placed all the same."""
    datasets = slices()
    del datasets[0].ImagePositionPatient
    datasets[1].PixelSpacing = [0, 0]
    layout = layout_of(read_all(tmp_path, datasets), POLICY)
    assert (layout.unplaced, layout.lanes[0].images) == (2, SLICES - 2)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
def test_whole_numbers_are_counted_exactly(dtype: Any) -> None:
    """A bin for each value, over the whole range of the type."""
    limits = np.iinfo(dtype)
    voxels = np.random.default_rng(3).integers(limits.min, limits.max, (4, 9, 9), dtype)
    voxels[0, 0, :2] = limits.min, limits.max
    values = count_values(voxels)
    assert values is not None
    found, counts = np.unique(voxels, return_counts=True)
    histogram = values.histogram
    assert np.array_equal(histogram.edges[:-1][histogram.counts > 0], found)
    assert np.array_equal(histogram.counts[histogram.counts > 0], counts)
    assert (values.minimum, values.maximum) == (limits.min, limits.max)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.float32, np.float64])
def test_wide_and_floating_values_fall_into_even_bins(dtype: Any) -> None:
    """Every voxel in one, the ends among them."""
    voxels = (np.random.default_rng(3).random((4, 9, 9)) * 1e6).astype(dtype)
    values = count_values(voxels)
    assert values is not None
    assert values.histogram.counts.sum() == voxels.size
    assert values.histogram.edges[0] == voxels.min() == values.minimum
    assert values.histogram.edges[-1] == voxels.max() == values.maximum
    middle = values.histogram.quantile(0.5)
    assert middle == pytest.approx(np.median(voxels), abs=1e4)


def test_voxels_that_are_no_numbers_are_counted_apart() -> None:
    """Infinite values too; with nothing else there are no values."""
    voxels = np.array([[[1.0, np.nan, np.inf, 3.0]]])
    values = count_values(voxels)
    assert values is not None
    assert (values.minimum, values.maximum, values.not_numbers) == (1, 3, 2)
    assert count_values(np.full((2, 2, 2), np.nan)) is None


def test_one_value_throughout_has_a_histogram() -> None:
    """Of whole numbers or not."""
    for dtype in (np.int16, np.float32):
        values = count_values(np.full((2, 3, 3), 7, dtype))
        assert values is not None
        assert values.histogram.counts.sum() == 18
        assert values.histogram.quantile(0.5) == pytest.approx(7)


@pytest.mark.parametrize("bins", [1, 7, 10, 64])
def test_a_coarser_histogram_keeps_every_count(bins: int) -> None:
    """In at most so many bins, with the same ends."""
    fine = Histogram(np.arange(11.0), np.arange(10))
    coarse = fine.coarser(bins)
    assert len(coarse.counts) <= bins
    assert len(coarse.edges) == len(coarse.counts) + 1
    assert coarse.counts.sum() == fine.counts.sum()
    assert (coarse.edges[0], coarse.edges[-1]) == (0, 10)


def test_a_sparkline_tells_none_from_few() -> None:
    """Blank for no voxel, the lowest mark for one, the highest for the most."""
    histogram = Histogram(np.arange(4.0), np.array([0, 1, 10**6]))
    assert sparkline(histogram, BLOCKS) == " ▁█"
    assert sparkline(histogram, PLAIN) == " .#"


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("rows", [False, True])
def test_planes_show_the_patient_the_same_way_however_stored(columns: bool, rows: bool) -> None:
    """Right at the left, front and head up, whichever way rows and columns run."""
    plain = volume_from_phantom(PHANTOM)
    mirrored = volume_from_phantom(PHANTOM, mirror_columns=columns, mirror_rows=rows)
    for one, other in zip(mid_planes(plain), mid_planes(mirrored), strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert one.letters == other.letters


def test_planes_are_cut_through_the_middle() -> None:
    """Each in its own proportions, with the letters of a standing patient seen from the front."""
    axial, coronal, sagittal = mid_planes(volume_from_phantom(PHANTOM))
    voxels, middle = PHANTOM.voxels_hu, PHANTOM.voxels_hu.shape[1] // 2
    assert np.array_equal(axial.pixels, voxels[SLICES // 2])
    assert np.array_equal(coronal.pixels, voxels[::-1, middle])
    assert np.array_equal(sagittal.pixels, voxels[::-1, :, middle])
    assert axial.letters == ("R", "L", "A", "P")
    assert coronal.letters == ("R", "L", "H", "F")
    assert sagittal.letters == ("A", "P", "H", "F")
    assert coronal.spacing_mm == (SLICE_MM, PHANTOM.spacing.column_mm)
    assert coronal.size_mm[0] == pytest.approx(SLICES * SLICE_MM)


def test_an_error_of_our_own_is_told_by_its_kind_only(tmp_path: Path) -> None:
    """Its message may quote a patient's data."""

    class Hostile(Instance):
        @property
        def has_pixels(self) -> bool:
            raise RuntimeError("SECRET^PERSON")

    (instance,) = read_all(tmp_path, slices()[:1])
    broken = Hostile(instance.path, instance.elements)
    found = survey_series([broken], POLICY, decoder=LocalDecoder(), advance=lambda _done, _of: None)
    assert found.verdict is Verdict.REFUSED
    assert "RuntimeError" in found.reason
    assert "SECRET" not in found.reason


def test_a_table_is_written_in_any_encoding(tmp_path: Path) -> None:
    """A terminal without block characters gets a histogram of plain ones."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    datasets = slices()
    for dataset in datasets:
        dataset.SpecificCharacterSet, dataset.SeriesDescription = "ISO_IR 192", "Höhe"
    print_series(Console(file=stream, markup=False), survey(tmp_path, datasets), None)
    stream.seek(0)
    text = stream.read()
    assert "H?he" in text
    assert "#" in text


def test_a_gap_is_drawn_in_red(tmp_path: Path) -> None:
    """On a ground of its own between its neighbours, with the missing slice outlined."""
    datasets = slices()
    del datasets[3]
    instances = read_all(tmp_path, datasets)
    (lane,) = layout_of(instances, POLICY).lanes
    colours = {f"1.2.{number}": GOOD for number in range(SLICES - 1)}
    drawn = np.array(draw_lane(lane, "", colours))
    red = (drawn == GAP_GROUND).all(axis=2).any(axis=0)
    first, last = np.flatnonzero(red)[[0, -1]]
    assert INNER_WIDTH * 0.38 < first < last < INNER_WIDTH * 0.82
    middle = (first + last) // 2
    assert (drawn[-40:, middle - 8 : middle + 8] == BAD).all(axis=2).any()


def test_no_gap_is_drawn_where_there_is_none(tmp_path: Path) -> None:
    """Nothing is red."""
    instances = read_all(tmp_path, slices())
    (lane,) = layout_of(instances, POLICY).lanes
    colours = {f"1.2.{number}": GOOD for number in range(SLICES)}
    drawn = colours_of(draw_lane(lane, "", colours))
    assert GOOD in drawn
    assert not {GAP_GROUND, BAD} & drawn


def test_doubles_are_drawn_on_top_of_one_another(tmp_path: Path) -> None:
    """The one that is left out above the one that is kept, in its own colour."""
    datasets = slices()
    again = copy.deepcopy(datasets[2])
    again.InstanceNumber = 100
    found = survey(tmp_path, [*datasets, again])
    assert found.verdict is Verdict.VOLUME
    colours = image_colours(found)
    assert [uid for uid, colour in colours.items() if colour == REMARK] == [f"1.2.{SLICES}"]
    drawn = np.array(draw_lane(found.layout.lanes[0], "", colours))
    left_out = np.argwhere((drawn == REMARK).all(axis=2))
    below = drawn[left_out[:, 0].max() + 8, left_out[0, 1] + 2]
    assert tuple(below) == GOOD


def test_each_volume_has_a_colour(tmp_path: Path) -> None:
    """So that phases can be told apart where their positions are drawn."""
    both = []
    for echo in (1, 2):
        for dataset in slices():
            dataset.EchoNumbers, dataset.InstanceNumber = echo, len(both) + 1
            both.append(dataset)
    found = survey(tmp_path, both)
    assert len(set(image_colours(found).values())) == 2
    first = survey(tmp_path, both, RebuildPolicy(phases=Phases.FIRST))
    assert set(image_colours(first).values()) == {GOOD, REMARK}


def test_a_refused_series_is_drawn_with_its_positions(tmp_path: Path) -> None:
    """Its images in red, and no plane."""
    datasets = slices()
    del datasets[3]
    picture = draw_series(survey(tmp_path, datasets))
    assert picture.width == WIDTH
    assert {BAD, GAP_GROUND} <= colours_of(picture)
    assert GOOD not in colours_of(picture)


def test_a_series_without_any_position_is_drawn() -> None:
    """Its name and the reason are all there is."""
    bare = SeriesSurvey("1.2.3", 1, None, Layout(), Verdict.NO_IMAGE, "No image.")
    picture = draw_series(bare)
    assert picture.width == WIDTH
    assert BAD in colours_of(picture)


def white_plane(pixels: npt.NDArray[Any], spacing_mm: tuple[float, float]) -> MidPlane:
    """A plane without any grey."""
    return MidPlane("axial", pixels, spacing_mm, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0), (5.0, 1.0), (0.5, 2.0)])
def test_a_plane_is_drawn_in_its_true_proportions(
    tmp_path: Path, spacing_mm: tuple[float, float]
) -> None:
    """Height and width in pixels are as in mm, whatever the matrix."""
    found = survey(tmp_path, slices())
    plane = white_plane(np.full((40, 60), 3000, np.int16), spacing_mm)
    volume = replace(found.volumes[0], planes=(plane,) * 3)
    picture = np.array(draw_series(replace(found, volumes=(volume,))))
    third = MARGIN + INNER_WIDTH // 3
    white = (picture[:, MARGIN:third] == 255).all(axis=2)
    rows, columns = white.sum(axis=0).max(), white.sum(axis=1).max()
    scale = plane_scale((plane,) * 3)
    assert rows == pytest.approx(40 * spacing_mm[0] * scale, abs=1)
    assert columns == pytest.approx(60 * spacing_mm[1] * scale, abs=1)


def test_long_text_is_broken_between_words() -> None:
    """It stays inside the picture, each line below the one before."""
    one = text_block([("word", GOOD, 15)])
    many = text_block([("word " * 200, GOOD, 15)])
    assert many.width == one.width == INNER_WIDTH
    assert many.height % one.height == 0
    assert many.height > 5 * one.height
    assert (np.array(many)[:, -1] != GOOD).any(axis=1).all()
