"""A small CT series, findings on it, and the validators."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from pipeline.algorithms.measure import measure_lungs
from pipeline.encode import (
    EncodedLabelMap,
    ResultContext,
    encode_measurements,
    part10_bytes,
)
from pipeline.findings import Code, DerivedVolume, LabelMap, Segment
from pipeline.instance import read_instance
from pipeline.volume import Volume, build_volume
from tests.support.encoding import encode
from tests.support.tools import require

SLICES, ROWS, COLUMNS = 6, 14, 19
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
LUNG = Code("39607008", "SCT", "Lung")
MAXIMUM = Code("113078", "DCM", "Maximum intensity projection")

Edit = Callable[[Dataset, int], None]
MakeVolume = Callable[..., Volume]


def ct_slice(
    index: int, orientation: tuple[float, ...] = AXIAL, *, reverse: bool = False
) -> Dataset:
    """One slice, 2.5 mm from the next, whose values tell slice, row and column apart."""
    dataset = Dataset()
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = f"1.2.3.4.{index + 1}"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = "20240102"
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = "030405"
    dataset.ContentDate, dataset.ContentTime = "20240102", "030406"
    dataset.AccessionNumber = "A1"
    dataset.Modality = "CT"
    dataset.Manufacturer = "Maker"
    dataset.ReferringPhysicianName = "Doctor^Some"
    dataset.SeriesDescription = "Chest"
    dataset.PatientName, dataset.PatientID = "Test^Anna", "P1"
    dataset.PatientBirthDate, dataset.PatientSex = "19600101", "F"
    dataset.BodyPartExamined = "CHEST"
    dataset.SliceThickness, dataset.KVP = "2.5", "120"
    dataset.PatientPosition = "HFS"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
    dataset.FrameOfReferenceUID = "1.2.3.3"
    dataset.StudyID = "S1"
    dataset.SeriesNumber, dataset.AcquisitionNumber = 3, 1
    dataset.InstanceNumber = SLICES - index if reverse else index + 1
    dataset.PositionReferenceIndicator = ""
    normal = np.cross(orientation[:3], orientation[3:])
    position = np.array([-30.0, -20.0, 100.0]) + normal * 2.5 * index
    dataset.ImagePositionPatient = [f"{value:.10g}" for value in position]
    dataset.ImageOrientationPatient = [f"{value:.10g}" for value in orientation]
    dataset.PixelSpacing = ["0.7", "0.9"]
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope = "-1024", "1"
    row, column = np.mgrid[:ROWS, :COLUMNS]
    dataset.PixelData = (500 * index % 1700 + 30 * row + column).astype("<u2").tobytes()
    return dataset


def write_slice(dataset: Dataset, path: Path) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


@pytest.fixture
def make_volume(tmp_path: Path) -> MakeVolume:
    """Write a series into ``tmp_path / 'source'`` and rebuild it."""

    def make(
        edit: Edit = lambda _dataset, _index: None,
        orientation: tuple[float, ...] = AXIAL,
        *,
        reverse: bool = False,
    ) -> Volume:
        folder = tmp_path / "source"
        folder.mkdir(exist_ok=True)
        paths = []
        for index in range(SLICES):
            dataset = ct_slice(index, orientation, reverse=reverse)
            edit(dataset, index)
            paths.append(write_slice(dataset, folder / f"{index:02}.dcm"))
        return build_volume([read_instance(path) for path in paths]).volume

    return make


@pytest.fixture
def volume(make_volume: MakeVolume) -> Volume:
    return make_volume()


def context_named(algorithm: str, series_number: int = 9000) -> ResultContext:
    return ResultContext(
        algorithm=algorithm,
        algorithm_version="1.2",
        settings_digest="5e" * 32,
        input_digests=("aa" * 32, "bb" * 32),
        content_time=datetime(2024, 5, 6, 22, 8, 9, 123456, tzinfo=UTC),
        series_number=series_number,
    )


@pytest.fixture
def context() -> ResultContext:
    return context_named("lungs")


def lung_segment(number: int, side: str, code: str, rgb: tuple[int, int, int]) -> Segment:
    return Segment(number, f"{side} lung", ANATOMY, LUNG, Code(code, "SCT", side), rgb)


@pytest.fixture
def label_map() -> LabelMap:
    """Two segments, asymmetric on every axis, with empty slices at both ends."""
    labels = np.zeros((SLICES, ROWS, COLUMNS), np.uint8)
    labels[1:3, 2:7, 1:6] = 1
    labels[2:5, 4:12, 11:18] = 2
    labels[4, 4, 11] = 0
    segments = (
        lung_segment(1, "Right", "24028007", (200, 60, 60)),
        lung_segment(2, "Left", "7771000", (60, 60, 200)),
    )
    return LabelMap("lungs", labels, segments, "Lungs")


@pytest.fixture
def slab_of() -> Callable[[Volume], DerivedVolume]:
    """A maximum over three slices."""

    def make(volume: Volume) -> DerivedVolume:
        count = len(volume.voxels)
        used = tuple(tuple(range(max(0, i - 1), min(count, i + 2))) for i in range(count))
        return DerivedVolume(
            name="mip",
            voxels=np.stack([volume.voxels[list(slices)].max(axis=0) for slices in used]),
            image_type="MIP",
            derivation=(MAXIMUM,),
            source_slices=used,
            locations_preserved=False,
            slab_mm=7.5,
            description="MIP 7.5 mm",
        )

    return make


@pytest.fixture
def report_of() -> Callable[[LabelMap, Volume, ResultContext], Dataset]:
    """The report of what is measured of a label map of lungs."""

    def make(label_map: LabelMap, volume: Volume, context: ResultContext) -> Dataset:
        (segmentation,) = encode(label_map, volume, context)
        groups = measure_lungs(label_map, volume.voxels, volume.geometry.spacing)
        encoded = EncodedLabelMap(label_map, segmentation)
        (report,) = encode_measurements(groups, [encoded], volume, context)
        return report

    return make


@pytest.fixture
def report(
    volume: Volume,
    label_map: LabelMap,
    context: ResultContext,
    report_of: Callable[[LabelMap, Volume, ResultContext], Dataset],
) -> Dataset:
    """The report of both lungs."""
    return report_of(label_map, volume, context)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Iterable[Dataset]], list[Path]]:
    """Write results as files into a folder of ``tmp_path``."""

    def write_all(name: str, results: Iterable[Dataset]) -> list[Path]:
        folder = tmp_path / name
        folder.mkdir()
        paths = []
        for number, result in enumerate(results):
            paths.append(folder / f"{number:03}.dcm")
            paths[-1].write_bytes(part10_bytes(result))
        return paths

    return write_all


@pytest.fixture
def tool() -> Callable[[str], str]:
    """Where a program is: beside this Python, or on the path."""

    def find(name: str) -> str:
        beside = Path(sys.executable).parent / name
        return str(beside) if beside.exists() else require(name)

    return find


@pytest.fixture
def errors_of(tool: Callable[[str], str]) -> Callable[..., list[str]]:
    """The error lines of a dicom3tools validator."""

    def run(program: str, paths: Iterable[Path]) -> list[str]:
        command = [tool(program), *map(str, paths)]
        done = subprocess.run(command, capture_output=True, check=False, errors="replace")
        return [line for line in done.stderr.splitlines() if line.startswith("Error")]

    return run
