"""Which planes a summary picture shows, and how they hang."""

from itertools import product

import numpy as np
import pytest

from pipeline.encode.picture.cuts import cut, edge_letters, fullest_planes, views
from pipeline.geometry import Spacing, VolumeGeometry
from tests.support.pictures import volume_of

LEFT, BACK, HEAD = np.eye(3)
SHAPE = (7, 9, 11)
AXES = {
    "axial": (LEFT, BACK, HEAD),
    "feet first": (-LEFT, BACK, HEAD),
    "prone": (-LEFT, -BACK, HEAD),
    "head to feet": (LEFT, BACK, -HEAD),
    "sagittal": (BACK, -HEAD, LEFT),
    "sagittal from the left": (BACK, -HEAD, -LEFT),
    "coronal": (LEFT, -HEAD, BACK),
    "turned": (BACK, -LEFT, HEAD),
    "oblique": (0.96 * LEFT + 0.28 * HEAD, BACK, -0.28 * LEFT + 0.96 * HEAD),
}
EVERY = pytest.mark.parametrize("axes", AXES.values(), ids=AXES)


def geometry_of(axes: tuple[np.ndarray, ...]) -> VolumeGeometry:
    across, down, through = (tuple(map(float, axis)) for axis in axes)
    return VolumeGeometry((-50.0, 20.0, 5.0), across, down, through, Spacing(3.0, 2.0, 1.0))


def bright_at(voxel: tuple[int, ...]) -> np.ndarray:
    voxels = np.zeros(SHAPE, np.int16)
    voxels[voxel] = 1
    return voxels


@EVERY
@pytest.mark.parametrize("voxel", [(1, 2, 3), (6, 0, 10)])
def test_bright_point_lies_where_the_patient_has_it(
    axes: tuple[np.ndarray, ...], voxel: tuple[int, ...]
) -> None:
    """In each plane through it, at the pixel that its position in the patient predicts."""
    geometry, voxels = geometry_of(axes), bright_at(voxel)
    for look in views(geometry):
        plane = cut(geometry, voxels, look.axis, voxel[look.axis])
        offset = geometry.to_patient(voxel) - plane.plane.position_mm
        row = offset @ plane.plane.column_direction / plane.plane.row_mm
        column = offset @ plane.plane.row_direction / plane.plane.column_mm
        assert plane.pixels[round(row), round(column)] == 1
        assert row == pytest.approx(round(row))
        assert column == pytest.approx(round(column))


@EVERY
def test_patient_hangs_head_or_front_up_and_right_at_the_left(
    axes: tuple[np.ndarray, ...],
) -> None:
    axial, coronal, sagittal = views(geometry_of(axes))
    assert [item.name for item in (axial, coronal, sagittal)] == ["axial", "coronal", "sagittal"]
    wanted = {"axial": "RLAP", "coronal": "RLHF", "sagittal": "APHF"}
    for look in (axial, coronal, sagittal):
        plane = cut(geometry_of(axes), np.zeros(SHAPE), look.axis, 0)
        assert "".join(letters[0] for letters in edge_letters(plane.plane)) == wanted[look.name]


@EVERY
def test_structure_of_the_left_is_at_the_right_of_the_picture(
    axes: tuple[np.ndarray, ...],
) -> None:
    """And one nearer to the head is higher, one further to the back lower or further right."""
    geometry = geometry_of(axes)
    corners = np.array(list(product(*((0, size - 1) for size in SHAPE))))
    places = geometry.to_patient(corners)
    for look, horizontal, vertical in zip(
        views(geometry), (LEFT, LEFT, BACK), (BACK, -HEAD, -HEAD), strict=True
    ):
        most = tuple(corners[(places @ (horizontal + vertical)).argmax()])
        plane = cut(geometry, bright_at(most), look.axis, most[look.axis]).pixels
        assert plane[-1, -1] == 1


def test_second_letter_tells_that_an_edge_leans() -> None:
    axial, coronal, _ = views(geometry_of(AXES["oblique"]))
    plane = cut(geometry_of(AXES["oblique"]), np.zeros(SHAPE), axial.axis, 0)
    assert edge_letters(plane.plane) == ("RF", "LH", "A", "P")
    assert axial.title == "Axial, 16 degrees oblique"
    assert coronal.title == "Coronal"


def test_spacing_between_pixels_is_that_of_the_axes() -> None:
    geometry = geometry_of(AXES["sagittal"])
    spacings = {
        look.name: (plane.row_mm, plane.column_mm)
        for look in views(geometry)
        for plane in [cut(geometry, np.zeros(SHAPE), look.axis, 0).plane]
    }
    assert spacings == {"axial": (1.0, 3.0), "coronal": (2.0, 3.0), "sagittal": (2.0, 1.0)}


def test_planes_show_most_of_the_masks() -> None:
    """Two lungs: not the middle between them."""
    first, second = np.zeros((2, 20, 20, 20), np.uint8)
    first[4:9, 3:12, 2:8] = 1
    second[6:11, 5:10, 13:18] = 2
    assert fullest_planes([first, second], first.shape) == (7, 7, 5)


def test_middle_planes_are_shown_where_there_is_no_mask() -> None:
    assert fullest_planes([], (5, 8, 1)) == (2, 4, 0)
    assert fullest_planes([np.zeros((5, 8, 1), np.uint8)], (5, 8, 1)) == (2, 4, 0)


@pytest.mark.parametrize("seed", range(3))
def test_counted_areas_are_those_of_the_masks(seed: int) -> None:
    """Rows and columns are counted eight at a time."""
    random = np.random.default_rng(seed)
    mask = (random.random((6, 13, 21)) < 0.3).astype(np.uint8)
    inside = mask > 0
    areas = [inside.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    shown = fullest_planes([mask], mask.shape)
    assert [area[index] for area, index in zip(areas, shown, strict=True)] == [
        area.max() for area in areas
    ]


def test_cut_copies_no_voxels() -> None:
    volume = volume_of(np.zeros((4, 5, 6), np.int16), Spacing(1.0, 1.0, 1.0))
    for axis in range(3):
        assert np.shares_memory(cut(volume.geometry, volume.voxels, axis, 1).pixels, volume.voxels)
