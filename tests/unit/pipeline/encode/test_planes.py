"""Reformats and rotating projections: each pixel shows the place that its header says."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset

from pipeline.algorithms.mip import SlidingMipParameters
from pipeline.algorithms.mip import analyse as slide
from pipeline.algorithms.rotating_mip import RotatingMipParameters
from pipeline.algorithms.rotating_mip import analyse as turn
from pipeline.encode import ResultContext, part10_bytes
from pipeline.errors import EncodingError
from pipeline.geometry import Spacing, VolumeGeometry
from pipeline.instance import read_instance
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.volume import Volume, build_volume
from pipeline.volume.suv import suv_factor
from tests.support.encoding import encode
from tests.support.enhanced import enhanced_mr
from tests.support.image_kinds import as_mr, as_pet, values

MakeVolume = Callable[..., Volume]
Write = Callable[..., list[Path]]
ErrorsOf = Callable[..., list[str]]
Edit = Callable[[Dataset, int], None]
Voxel = tuple[int, int, int]

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ORIENTATIONS = {
    "supine": AXIAL,
    "stored from the left": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "prone": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    "tilted to the back": (1.0, 0.0, 0.0, 0.0, 0.96, 0.28),
    "tilted to two sides": (0.96, 0.28, 0.0, -0.2688, 0.9216, 0.28),
    "turned by a quarter": (0.0, 1.0, 0.0, -1.0, 0.0, 0.0),
}
VOXELS: tuple[Voxel, ...] = ((1, 3, 4), (4, 11, 16))
LEFT, BACK, HEAD = np.eye(3)


def unchanged(_dataset: Dataset, _index: int) -> None:
    """A CT."""


SOURCES = pytest.mark.parametrize(
    ("kind", "orientation"),
    [
        *[(unchanged, orientation) for orientation in ORIENTATIONS.values()],
        (as_mr, ORIENTATIONS["tilted to two sides"]),
        (as_pet, ORIENTATIONS["prone"]),
    ],
)


def bright_at(make: Edit, voxel: Voxel) -> Edit:
    """Nothing but a point, whichever way slices are numbered."""
    rows, columns = 14, 19

    def edit(dataset: Dataset, index: int) -> None:
        make(dataset, index)
        stored = np.zeros((rows, columns), "<u2")
        if index == voxel[0]:
            stored[voxel[1:]] = 3000
        dataset.PixelData = stored.tobytes()

    return edit


def place_of(volume: Volume) -> npt.NDArray[np.float64]:
    """Where the brightest voxel is in the patient."""
    brightest = np.unravel_index(volume.voxels.argmax(), volume.voxels.shape)
    return volume.geometry.to_patient([float(index) for index in brightest])


def pixel_of(image: Dataset, point: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Row and column, with fractions, that a point falls on, and its distance from the plane."""
    offset = point - np.array(image.ImagePositionPatient, float)
    right, down = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
    row_mm, column_mm = (float(value) for value in image.PixelSpacing)
    return offset @ down / row_mm, offset @ right / column_mm, offset @ np.cross(right, down)


def brightest_pixel(image: Dataset) -> tuple[int, int]:
    row, column = np.unravel_index(values(image).argmax(), (image.Rows, image.Columns))
    return int(row), int(column)


def directions(image: Dataset) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    right, down = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
    return right, down


@SOURCES
@pytest.mark.parametrize("reverse", [False, True])
def test_bright_point_is_at_the_predicted_pixel_of_every_view(
    *,
    kind: Edit,
    reverse: bool,
    orientation: tuple[float, ...],
    make_volume: MakeVolume,
    context: ResultContext,
) -> None:
    for voxel in VOXELS:
        volume = make_volume(bright_at(kind, voxel), orientation, reverse=reverse)
        point = place_of(volume)
        (finding,) = turn(volume, RotatingMipParameters(angles=12))
        for image in encode(finding, volume, context):
            row, column, depth_mm = pixel_of(image, point)
            found = brightest_pixel(image)
            assert found[0] == pytest.approx(row, abs=1e-6)
            assert found[1] == pytest.approx(column, abs=0.8)
            assert abs(depth_mm) <= float(image.SliceThickness) / 2


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_views_are_upright_and_go_round_the_patient_evenly(
    orientation: tuple[float, ...], make_volume: MakeVolume, context: ResultContext
) -> None:
    volume = make_volume(orientation=orientation)
    (finding,) = turn(volume, RotatingMipParameters(angles=8))
    images = encode(finding, volume, context)
    around = [directions(image)[0] for image in images]
    for image, here, there in zip(images, around, [*around[1:], around[0]], strict=True):
        assert directions(image)[1] @ HEAD < -0.9
        assert here @ there == pytest.approx(np.cos(np.pi / 4), abs=1e-6)
        assert image.SliceThickness == pytest.approx(finding.depth_mm)


def test_first_view_is_from_the_front_and_the_next_from_the_left(
    make_volume: MakeVolume, context: ResultContext
) -> None:
    """However rows and columns are stored; the patient's left is on the right of the picture."""
    for name in ("supine", "stored from the left", "prone"):
        volume = make_volume(orientation=ORIENTATIONS[name])
        (finding,) = turn(volume, RotatingMipParameters(angles=4))
        front, side, *_ = encode(finding, volume, context)
        np.testing.assert_allclose(directions(front)[0], LEFT, atol=1e-9)
        np.testing.assert_allclose(np.cross(*directions(front)), BACK, atol=1e-9)
        np.testing.assert_allclose(np.cross(*directions(side)), -LEFT, atol=1e-9)


@SOURCES
@pytest.mark.parametrize("view", ["coronal", "sagittal"])
@pytest.mark.parametrize("reverse", [False, True])
def test_bright_point_is_at_the_predicted_pixel_of_every_reformat(
    *,
    view: str,
    kind: Edit,
    orientation: tuple[float, ...],
    reverse: bool,
    make_volume: MakeVolume,
    context: ResultContext,
) -> None:
    """It is in the images whose slab holds it, and in no other."""
    for voxel in VOXELS:
        volume = make_volume(bright_at(kind, voxel), orientation, reverse=reverse)
        point = place_of(volume)
        (finding,) = slide(volume, SlidingMipParameters(window=1, view=view))
        distances = []
        for image in encode(finding, volume, context):
            row, column, depth_mm = pixel_of(image, point)
            if values(image).max() > values(image).min():
                assert brightest_pixel(image) == (
                    pytest.approx(row, abs=1e-6),
                    pytest.approx(column, abs=1e-6),
                )
                distances.append(abs(depth_mm) / float(image.SpacingBetweenSlices))
            else:
                assert abs(depth_mm) > 1.5 * float(image.SpacingBetweenSlices)
        assert sorted(distances) == pytest.approx([0, 1, 1], abs=1e-6)


@pytest.mark.parametrize(
    ("view", "right"), [("coronal", LEFT), ("sagittal", BACK)], ids=["coronal", "sagittal"]
)
@pytest.mark.parametrize("orientation", ["supine", "stored from the left", "prone"])
def test_reformats_are_upright_as_a_radiologist_reads_them(
    *,
    view: str,
    right: npt.NDArray[np.float64],
    orientation: str,
    make_volume: MakeVolume,
    context: ResultContext,
) -> None:
    volume = make_volume(orientation=ORIENTATIONS[orientation])
    (finding,) = slide(volume, SlidingMipParameters(window=1, view=view))
    for image in encode(finding, volume, context):
        np.testing.assert_allclose(directions(image), [right, -HEAD], atol=1e-9)
        assert [code.CodeValue for code in image.DerivationCodeSequence] == ["113078", "113072"]


@pytest.mark.parametrize("view", ["coronal", "sagittal"])
def test_itk_finds_each_value_where_the_source_has_it(
    view: str, make_volume: MakeVolume, context: ResultContext, write: Write
) -> None:
    """A reformat of single voxels is the source in another order."""
    itk = pytest.importorskip("SimpleITK")
    volume = make_volume(orientation=ORIENTATIONS["tilted to two sides"], reverse=True)
    (slab,) = slide(volume, SlidingMipParameters(view=view, window_mm=0.1))
    np.testing.assert_array_equal(slab.voxels, volume.voxels)
    folder = write(view, encode(slab, volume, context))[0].parent
    derived = itk.ReadImage(itk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    for voxel in ((0, 0, 0), (2, 3, 5), (5, 13, 18), (3, 0, 18)):
        point = volume.geometry.to_patient(voxel).tolist()
        index = derived.TransformPhysicalPointToIndex(point)
        assert derived[index] == volume.voxels[voxel]


@pytest.mark.parametrize("kind", [unchanged, as_mr, as_pet])
def test_no_image_has_an_error_and_all_agree_with_the_source(
    *,
    kind: Edit,
    make_volume: MakeVolume,
    context: ResultContext,
    write: Write,
    errors_of: ErrorsOf,
) -> None:
    volume = make_volume(kind, ORIENTATIONS["tilted to two sides"])
    findings = [
        *turn(volume, RotatingMipParameters(angles=5)),
        *slide(volume, SlidingMipParameters(view="coronal")),
        *slide(volume, SlidingMipParameters(view="sagittal")),
    ]
    sources = [source.instance.path for source in volume.sources]
    for finding in findings:
        paths = write(finding.name, encode(finding, volume, context))
        for path in paths[::4]:
            assert errors_of("dciodvfy", [path]) == []
        assert errors_of("dcentvfy", [*paths, *sources]) == errors_of("dcentvfy", sources)


def test_pet_views_are_a_reprojection_and_keep_the_suv_factor(
    make_volume: MakeVolume, context: ResultContext
) -> None:
    volume = make_volume(as_pet)
    (finding,) = turn(volume, RotatingMipParameters(angles=6))
    images = encode(finding, volume, context)
    for number, image in enumerate(images, start=1):
        assert image.SeriesType == ["WHOLE BODY", "REPROJECTION"]
        assert image.ReprojectionMethod == "MAX PIXEL"
        assert (image.NumberOfSlices, image.ImageIndex) == (6, number)
        assert image.ImageType == ["DERIVED", "PRIMARY", "MIP"]
        assert suv_factor(image).factor == pytest.approx(volume.suv_factor)
    assert images[0].SeriesDescription == "Rotating MIP, 6 views, no volume (lungs 1.2)"


def test_first_image_names_every_source_instance(
    make_volume: MakeVolume, context: ResultContext
) -> None:
    volume = make_volume()
    (finding,) = turn(volume, RotatingMipParameters(angles=3))
    first, *others = encode(finding, volume, context)
    assert [item.ReferencedSOPInstanceUID for item in first.SourceImageSequence] == [
        source.sop_instance_uid for source in volume.sources
    ]
    assert {item.SpatialLocationsPreserved for item in first.SourceImageSequence} == {"NO"}
    assert not any("SourceImageSequence" in image for image in others)


def test_planes_are_made_in_any_order(make_volume: MakeVolume, context: ResultContext) -> None:
    """Though some are put together at a time."""
    volume = make_volume()
    (finding,) = slide(volume, SlidingMipParameters(window=1, view="sagittal"))
    images = encode(finding, volume, context)
    files = [part10_bytes(image) for image in images]
    assert [part10_bytes(images[index]) for index in (18, 0, 7)] == [files[18], files[0], files[7]]
    assert len(set(files)) == volume.voxels.shape[2]


def test_multi_frame_source_is_named_once_and_its_views_lie_where_the_patient_is(
    tmp_path: Path, context: ResultContext, errors_of: ErrorsOf, write: Write
) -> None:
    planes = list(phantom_instances(chest_phantom(slices=6, size=32)))
    for index, plane in enumerate(planes):
        stored = np.zeros((32, 32), "<u2")
        stored[5, 20] = 900 * (index == 4)
        plane.PixelData = stored.tobytes()
    source = enhanced_mr(planes)
    path = tmp_path / "multi-frame.dcm"
    path.write_bytes(part10_bytes(source))
    volume = build_volume([read_instance(path)]).volume
    (finding,) = turn(volume, RotatingMipParameters(angles=6))
    images = encode(finding, volume, context)
    (reference,) = images[0].SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert "ReferencedFrameNumber" not in reference
    point = place_of(volume)
    for image, file in zip(images, write("views", images), strict=True):
        row, column, _ = pixel_of(image, point)
        assert brightest_pixel(image) == (pytest.approx(row), pytest.approx(column, abs=0.8))
        assert errors_of("dciodvfy", [file]) == []


def test_views_without_planes_are_refused(make_volume: MakeVolume, context: ResultContext) -> None:
    volume = make_volume()
    (finding,) = turn(volume, RotatingMipParameters(angles=3))
    with pytest.raises(EncodingError, match="has 3 views and 2 planes"):
        encode(replace(finding, planes=finding.planes[:2]), volume, context)


def reversed_voxels(shape: Sequence[int], axis: int) -> npt.NDArray[np.float64]:
    """Indices of the voxels of an array turned over along an axis, as the old one counts them."""
    indices = np.moveaxis(np.indices(shape), 0, -1).astype(float)
    return np.flip(indices, axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_grid_in_the_opposite_order_has_every_voxel_in_its_place(axis: int) -> None:
    shape = (3, 4, 5)
    grid = VolumeGeometry(
        (10.0, -20.0, 30.0), (0.8, 0.6, 0.0), (-0.6, 0.8, 0.0), (0.0, 0.0, 1.0), Spacing(3, 2, 1)
    )
    turned = grid.reversed_along(axis, shape[axis])
    indices = np.moveaxis(np.indices(shape), 0, -1)
    np.testing.assert_allclose(
        turned.to_patient(indices), grid.to_patient(reversed_voxels(shape, axis)), atol=1e-9
    )
