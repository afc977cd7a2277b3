"""Positions to an even stack: any orientation, missing slices, jitter, two spacings, tilt."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from pipeline.errors import SeriesGeometryError
from pipeline.volume import Fill, RebuildPolicy, Tilt, Volume, VolumeResult, build_volume
from tests.support.stacks import (
    AXIAL,
    COLUMNS,
    CORONAL,
    DOUBLE_OBLIQUE,
    FEET_FIRST,
    OBLIQUE,
    ROWS,
    SAGITTAL,
    Grid,
    stack,
    stored_plane,
    stored_planes,
    with_pixels,
    written,
)

INTERPOLATE = RebuildPolicy(fill=Fill.INTERPOLATE)
LONGEST_RUN = RebuildPolicy(fill=Fill.LONGEST_RUN)
RESAMPLE = RebuildPolicy(tilt=Tilt.RESAMPLE)


def build(
    folder: Path, slices: Sequence[Dataset], policy: RebuildPolicy | None = None
) -> VolumeResult:
    """The first volume of slices, through files."""
    return build_volume(written(folder, slices), policy)


def at(places: Sequence[float], spacing_mm: float = 1.0) -> list[Dataset]:
    """Axial slices at places, the nth with the pixels of plane n."""
    slices = stack(len(places), grid=Grid(spacing_mm=spacing_mm))
    for dataset, place in zip(slices, places, strict=True):
        dataset.ImagePositionPatient = [-20, 11.5, round(100 + place, 6)]
    return slices


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (3, 0, 5, 1, 4, 2)])
@pytest.mark.parametrize(
    "orientation",
    [AXIAL, SAGITTAL, CORONAL, FEET_FIRST, OBLIQUE, DOUBLE_OBLIQUE],
    ids=["axial", "sagittal", "coronal", "feet first", "oblique", "double oblique"],
)
def test_any_orientation_and_order_gives_the_true_volume(
    tmp_path: Path, orientation: tuple[float, ...], order: tuple[int, ...]
) -> None:
    """Case 10: voxels, spacing and the place of every corner are those of the planes."""
    grid = Grid(orientation, spacing_mm=2.5, pixel_spacing_mm=(0.75, 0.5))
    slices = stack(6, grid=grid)
    result = build(tmp_path, [slices[index] for index in order])
    volume = result.volume
    assert np.array_equal(volume.voxels, stored_planes(range(6)))
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    for index in range(6):
        for i, j in ((0, 0), (0, COLUMNS - 1), (ROWS - 1, 0), (ROWS - 1, COLUMNS - 1)):
            place = grid.position_mm(index) + 0.75 * i * column + 0.5 * j * row
            assert volume.geometry.to_patient([index, i, j]) == pytest.approx(place, abs=1e-4)
    assert result.receipt.spacing_mm == pytest.approx((2.5, 0.75, 0.5), abs=1e-5)
    assert np.allclose(result.receipt.affine, volume.geometry.affine)
    assert result.receipt.rule == "every position once"
    assert result.receipt.kept == tuple(str(dataset.SOPInstanceUID) for dataset in slices)
    assert result.receipt.dropped == ()


def test_directions_are_unit_vectors_whatever_the_header_rounds(tmp_path: Path) -> None:
    """Rounded to two digits, the direction is 0.4 % too long; the volume is not."""
    root = 0.5**0.5
    slices = stack(4, grid=Grid((root, root, 0, 0, 0, -1)))
    for dataset in slices:
        dataset.ImageOrientationPatient = [0.71, 0.71, 0, 0, 0, -1]
    geometry = build(tmp_path, slices).volume.geometry
    assert geometry.row_direction == pytest.approx((root, root, 0), abs=1e-12)
    last = geometry.to_patient([0, 0, COLUMNS - 1]) - geometry.to_patient([0, 0, 0])
    assert np.linalg.norm(last) == pytest.approx((COLUMNS - 1) * 0.5)


def test_numbers_and_locations_are_not_needed(tmp_path: Path) -> None:
    """Case 11: no Instance Number, no Slice Location, Slice Thickness empty or 0."""
    for thickness in ("", 0):
        slices = stack(4, InstanceNumber=None, SliceThickness=thickness)
        result = build(tmp_path / str(thickness), list(reversed(slices)))
        assert np.array_equal(result.volume.voxels, stored_planes(range(4)))
        assert result.receipt.slice_thickness_mm == 2.5
        assert result.receipt.spacing_rule == "distance of the first two positions"


@pytest.mark.parametrize(("missing", "named"), [((2,), "105.00 mm"), ((1, 2, 5), "102.50 mm")])
def test_missing_slices_are_refused_with_their_positions(
    tmp_path: Path, missing: tuple[int, ...], named: str
) -> None:
    """Case 3."""
    slices = [dataset for index, dataset in enumerate(stack(8)) if index not in missing]
    with pytest.raises(SeriesGeometryError, match=f"{len(missing)} slice.s. are missing") as error:
        build(tmp_path, slices)
    assert named in str(error.value)
    assert "set fill in the pipeline's rebuild settings" in str(error.value)


def test_missing_slices_are_interpolated_where_a_site_wants_it(tmp_path: Path) -> None:
    """Case 3: linear between neighbours, measured slices untouched, said in the receipt."""
    slices = [dataset for index, dataset in enumerate(stack(12)) if index not in (3, 7, 8)]
    result = build(tmp_path, slices, INTERPOLATE)
    # Stored values grow by the same from plane to plane: the line between two is the plane there.
    assert np.array_equal(result.volume.voxels, stored_planes(range(12)))
    assert result.volume.resampled
    assert len(result.receipt.kept) == 9
    assert result.receipt.warnings == (
        "3 slice(s) are missing, at 107.50 mm, 117.50 mm, 120.00 mm; interpolated.",
    )
    positions = [float(source.header.ImagePositionPatient[2]) for source in result.volume.sources]
    assert positions == pytest.approx([100 + 2.5 * index for index in range(12)])


def test_more_than_a_quarter_is_not_interpolated(tmp_path: Path) -> None:
    slices = [dataset for index, dataset in enumerate(stack(9)) if index not in (2, 4, 5)]
    with pytest.raises(SeriesGeometryError, match="no more than 25% of a volume"):
        build(tmp_path, slices, INTERPOLATE)


def test_the_longest_run_is_used_where_a_site_wants_it(tmp_path: Path) -> None:
    """Case 3: what lies outside is dropped by name, and the receipt warns."""
    slices = [dataset for index, dataset in enumerate(stack(9)) if index != 3]
    result = build(tmp_path, slices, LONGEST_RUN)
    assert np.array_equal(result.volume.voxels, stored_planes(range(4, 9)))
    assert [item.name for item in result.receipt.dropped] == [
        str(dataset.SOPInstanceUID) for dataset in slices[:3]
    ]
    assert {item.reason for item in result.receipt.dropped} == {
        "outside the longest even run of slices"
    }
    assert "5 of 8 slices from 110.00 mm to 120.00 mm" in result.receipt.warnings[0]
    assert result.volume.geometry.origin_mm == pytest.approx((-20, 11.5, 110))


def test_a_run_of_two_is_no_volume(tmp_path: Path) -> None:
    with pytest.raises(SeriesGeometryError, match="distances differ"):
        build(tmp_path, at([0, 1, 3.3, 4.3, 7.9]), LONGEST_RUN)


@pytest.mark.parametrize("spacing", [0.3, 0.35, 0.4, 1.0, 5.0])
@pytest.mark.parametrize("steps", [(1, 2, 1), (2, 1, 2), (1, 2), (2, 1, 1), (1, 1, 2, 1, 1)])
def test_no_tolerance_hides_a_missing_slice(
    tmp_path: Path, spacing: float, steps: tuple[int, ...]
) -> None:
    """Case 3: also in stacks finer than the tolerance, and however much a site tolerates."""
    places = np.cumsum((0, *steps)) * spacing
    for policy in (RebuildPolicy(), RebuildPolicy(tolerance_mm=1, tolerance_share=1)):
        with pytest.raises(SeriesGeometryError, match=r"missing|distances differ"):
            build(tmp_path, at([float(place) for place in places]), policy)


def test_jitter_within_the_tolerance_is_a_stack(tmp_path: Path) -> None:
    """Case 4: positions rounded to 0.1 mm; the mean distance keeps the far end in place."""
    places = [round(index * 6.98, 1) for index in range(20)]
    result = build(tmp_path, at(places))
    spacing = places[-1] / 19
    assert result.volume.geometry.spacing.slice_mm == pytest.approx(spacing)
    assert result.receipt.slice_thickness_mm == pytest.approx(7.0)
    assert result.receipt.spacing_rule == "mean distance between the first and the last position"
    assert np.array_equal(result.volume.voxels, stored_planes(range(20)))


@pytest.mark.parametrize(("share", "taken"), [(0.01, False), (0.05, True)])
def test_the_tolerance_is_a_share_of_the_spacing(tmp_path: Path, share: float, taken: bool) -> None:
    """Case 4: a slice 0.3 mm off in 8 mm."""
    slices = at([0, 8, 16.3, 24, 32])
    policy = RebuildPolicy(tolerance_share=share)
    if taken:
        assert len(build(tmp_path, slices, policy).volume.voxels) == 5
    else:
        with pytest.raises(SeriesGeometryError, match="2 of 4 distances differ"):
            build(tmp_path, slices, policy)


def test_errors_do_not_add_up_unseen(tmp_path: Path) -> None:
    """Case 4: each distance is 0.02 mm more than the one before; every step looks small."""
    places = np.cumsum([0, *(2 + 0.02 * index for index in range(20))])
    with pytest.raises(SeriesGeometryError, match="distances"):
        build(tmp_path, at([float(place) for place in places]))


@pytest.mark.parametrize(
    ("distances", "words"),
    [
        ([1, 1, 1, 1, 1, 2.5, 2.5, 2.5], r"1\.00 mm apart and others 2\.50 mm apart"),
        ([1, 1, 1, 2.5, 2.5, 2.5], r"1\.00 mm apart and others 2\.50 mm apart"),
        ([2, 2, 2, 2, 1, 1, 1], r"2\.00 mm apart and others 1\.00 mm apart, changing at 108\.00"),
    ],
)
def test_two_spacings_are_refused_with_both(
    tmp_path: Path, distances: list[float], words: str
) -> None:
    """Case 5; neither is filled up to the other."""
    slices = at([float(place) for place in np.cumsum([0, *distances])])
    for policy in (RebuildPolicy(), INTERPOLATE):
        with pytest.raises(SeriesGeometryError, match=words):
            build(tmp_path, slices, policy)


def test_of_two_spacings_the_longer_stack_is_used_where_a_site_wants_it(tmp_path: Path) -> None:
    """Case 5."""
    slices = at([0, 1, 2, 3, 4, 6.5, 9, 11.5])
    result = build(tmp_path, slices, LONGEST_RUN)
    assert np.array_equal(result.volume.voxels, stored_planes(range(5)))
    assert result.volume.geometry.spacing.slice_mm == 1


def test_one_slice_is_no_volume(tmp_path: Path) -> None:
    with pytest.raises(SeriesGeometryError, match="one slice only"):
        build(tmp_path, stack(1))


@pytest.mark.parametrize("orientation", [AXIAL, CORONAL, DOUBLE_OBLIQUE])
def test_tilt_is_refused_with_its_angle(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    """Case 6."""
    slices = stack(6, grid=Grid(orientation, spacing_mm=5, shift_mm=(1.819851, 0)))
    with pytest.raises(SeriesGeometryError, match=r"1\.82 mm sideways.*tilted by 20\.0 degrees"):
        build(tmp_path, slices)


def smooth(place_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A value for each place in the patient; linear, so that interpolation is exact."""
    return 500 + place_mm @ np.array([2.0, -3.0, 1.5])


def tilted(shift_mm: tuple[float, float], orientation: tuple[float, ...]) -> list[Dataset]:
    """A tilted stack whose stored values follow `smooth`."""
    grid = Grid(orientation, spacing_mm=2.0, origin_mm=(3.0, 4.0, 5.0), shift_mm=shift_mm)
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    i, j = np.mgrid[:20, :24]
    slices = stack(7, grid=grid)
    for index, dataset in enumerate(slices):
        places = grid.position_mm(index) + 0.75 * i[..., None] * column + 0.5 * j[..., None] * row
        with_pixels(dataset, np.rint(100 * smooth(places)).astype("<u4"))
    return slices


def lies_in_slice(volume: Volume, shift_mm: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """(slice, row, column): whether a voxel lies between pixel centres of its tilted slice."""
    slots, i, j = np.indices(volume.voxels.shape)
    down = 0.75 * i + min(0.0, 6 * shift_mm[0]) - shift_mm[0] * slots
    right = 0.5 * j + min(0.0, 6 * shift_mm[1]) - shift_mm[1] * slots
    rim = 1e-6
    rows = (down >= -rim) & (down <= 19 * 0.75 + rim)
    return rows & (right >= -rim) & (right <= 23 * 0.5 + rim)


@pytest.mark.parametrize("shift_mm", [(0.5, 0.0), (-0.7, 0.0), (0.0, 0.4), (0.33, -0.21)])
@pytest.mark.parametrize("orientation", [AXIAL, FEET_FIRST, DOUBLE_OBLIQUE])
def test_tilt_is_taken_back_by_resampling_where_a_site_wants_it(
    tmp_path: Path, shift_mm: tuple[float, float], orientation: tuple[float, ...]
) -> None:
    """Case 6: each voxel shows what lies where the new grid says; nothing is cut off."""
    slices = tilted(shift_mm, orientation)
    result = build(tmp_path, slices, RESAMPLE)
    volume = result.volume
    indices = np.moveaxis(np.indices(volume.voxels.shape), 0, -1)
    expected = 100 * smooth(volume.geometry.to_patient(indices))
    inside = lies_in_slice(volume, shift_mm)
    # Each slice has its own 20 x 24 pixels, less those at the rim that lie between two.
    assert (inside.sum(axis=(1, 2)) >= 19 * 23).all()
    assert np.abs(volume.voxels - expected)[inside].max() <= 1.5
    lowest = min(int(np.frombuffer(dataset.PixelData, "<u4").min()) for dataset in slices)
    assert volume.voxels.min() == lowest
    assert volume.resampled
    assert "slices were shifted back" in result.receipt.warnings[0]
    assert result.receipt.shape == volume.voxels.shape
    for index, source in enumerate(volume.sources):
        place = volume.geometry.to_patient([index, 0, 0])
        assert [float(v) for v in source.header.ImagePositionPatient] == pytest.approx(place)
        assert (source.header.Rows, source.header.Columns) == volume.voxels.shape[1:]


def test_a_tilted_volume_is_upright(tmp_path: Path) -> None:
    """Case 6: the slice direction is the normal, the spacing the distance along it."""
    volume = build(tmp_path, tilted((0.5, 0.0), AXIAL), RESAMPLE).volume
    assert volume.geometry.slice_direction == (0, 0, 1)
    assert volume.geometry.spacing.slice_mm == pytest.approx(2.0)
    assert volume.voxels.shape == (7, 24, 24)


def test_slices_beside_one_another_are_no_tilted_stack(tmp_path: Path) -> None:
    """Shifting them back would make a volume far larger than the slices."""
    slices = stack(4, grid=Grid(spacing_mm=1, shift_mm=(0, 400)))
    for policy in (RebuildPolicy(), RESAMPLE):
        with pytest.raises(SeriesGeometryError, match="do not lie behind one another"):
            build(tmp_path, slices, policy)


def test_uneven_shifts_are_refused(tmp_path: Path) -> None:
    """A patient moved on the table is no tilted gantry."""
    slices = stack(6)
    slices[3].ImagePositionPatient = [-20, 14.5, 107.5]
    with pytest.raises(SeriesGeometryError, match=r"shift in the plane by up to 3\.00 mm") as error:
        build(tmp_path, slices, RESAMPLE)
    assert str(slices[3].SOPInstanceUID) in str(error.value)


def test_shifts_within_the_tolerance_are_rounding(tmp_path: Path) -> None:
    slices = stack(6)
    slices[3].ImagePositionPatient = [-20, 11.55, 107.5]
    assert np.array_equal(build(tmp_path, slices).volume.voxels[3], stored_plane(3))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_headers_of_instances_stay_as_they_were(tmp_path: Path, syntax: str) -> None:
    """Made-up slices have headers of their own, whichever way the file was read."""
    slices = [dataset for index, dataset in enumerate(stack(6)) if index != 3]
    for dataset in slices:
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    instances = written(tmp_path, slices)
    sources = build_volume(instances, INTERPOLATE).volume.sources
    heights = [float(source.header.ImagePositionPatient[2]) for source in sources]
    assert heights == pytest.approx([100 + 2.5 * index for index in range(6)])
    kept = [float(item.header.ImagePositionPatient[2]) for item in instances]
    assert kept == [100 + 2.5 * index for index in (0, 1, 2, 4, 5)]
