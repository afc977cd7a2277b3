"""Stacks of slices with known voxels, as Datasets, as files, or as instances over one file.

Every plane is named by two numbers: ``index``, its place along the slice normal, and ``phase``,
which of several volumes of the series it belongs to. Its stored pixels follow from these alone
(`stored_plane`), so a rebuilt volume tells which planes it was made of.

`stack` gives Datasets to change as a test wants; `written` sends them through Part 10 files;
`unwritten` makes instances whose pixels lie in one shared file, which is fast enough for
thousands of series.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)
from pydicom.valuerep import format_number_as_ds

from pipeline.elements import Header, PixelLocation
from pipeline.instance import Instance, read_instance

ROWS, COLUMNS = 6, 8
SERIES = "1.2.826.0.1.3680043.8.498.77.1"
FRAME_OF_REFERENCE = "1.2.826.0.1.3680043.8.498.77.2"
MOST_PLANES = 64
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
FEET_FIRST = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)
DOUBLE_OBLIQUE = (0.36, 0.48, -0.8, -0.8, 0.6, 0.0)
ORIENTATIONS = (AXIAL, SAGITTAL, CORONAL, FEET_FIRST, OBLIQUE, DOUBLE_OBLIQUE)
_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
}

Attributes = Mapping[str, object]


@dataclass(frozen=True)
class Grid:
    """Where the planes of a stack lie.

    ``shift_mm`` is how far each slice lies, along a column and along a row, from the one before.
    """

    orientation: tuple[float, ...] = AXIAL
    spacing_mm: float = 2.5
    origin_mm: tuple[float, float, float] = (-20.0, 11.5, 100.0)
    pixel_spacing_mm: tuple[float, float] = (0.75, 0.5)
    shift_mm: tuple[float, float] = (0.0, 0.0)

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """Unit slice normal, its largest part positive, as the rebuild stacks."""
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        return normal if normal[np.abs(normal).argmax()] > 0 else -normal

    def position_mm(self, index: float) -> npt.NDArray[np.float64]:
        """Image Position (Patient) of the plane at an index."""
        row, column = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        down, right = self.shift_mm
        step = self.spacing_mm * self.normal + down * column + right * row
        return np.array(self.origin_mm) + index * step


def stored_plane(index: int, phase: int = 0) -> npt.NDArray[np.uint16]:
    """(row, column): the stored values of a plane, no two alike in all planes of a test."""
    first = (phase * MOST_PLANES + index) * 64
    return (first + np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)).astype("<u2")


def stored_planes(indices: Iterable[int], phase: int = 0) -> npt.NDArray[np.uint16]:
    """(slice, row, column): the stored values of several planes."""
    return np.stack([stored_plane(index, phase) for index in indices])


def plane_dataset(
    index: int, phase: int = 0, *, grid: Grid | None = None, modality: str = "MR", **more: object
) -> Dataset:
    """One slice; ``more`` are attributes over the usual ones, None to leave one out."""
    grid = grid or Grid()
    header = Dataset()
    usual = {
        "SOPClassUID": _CLASSES[modality],
        "SOPInstanceUID": f"{SERIES}.{phase}.{index}",
        "SeriesInstanceUID": SERIES,
        "Modality": modality,
        "FrameOfReferenceUID": FRAME_OF_REFERENCE,
        "ImagePositionPatient": _numbers(grid.position_mm(index)),
        "ImageOrientationPatient": _numbers(grid.orientation),
        "PixelSpacing": _numbers(grid.pixel_spacing_mm),
        "InstanceNumber": phase * MOST_PLANES + index + 1,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": ROWS,
        "Columns": COLUMNS,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelData": stored_plane(index, phase).tobytes(),
    }
    if modality == "CT":
        usual |= {"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}
    for keyword, value in {**usual, **more}.items():
        if value is not None:
            setattr(header, keyword, value)
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return header


def stack(
    count: int = 6,
    *,
    phases: int = 1,
    grid: Grid | None = None,
    modality: str = "MR",
    tell: Callable[[int, int], Attributes] = lambda _phase, _index: {},
    **more: object,
) -> list[Dataset]:
    """The slices of a series, phase after phase; ``tell`` adds attributes by phase and index."""
    return [
        plane_dataset(index, phase, grid=grid, modality=modality, **{**more, **tell(phase, index)})
        for phase in range(phases)
        for index in range(count)
    ]


def with_pixels(dataset: Dataset, pixels: npt.NDArray[np.generic], **more: object) -> Dataset:
    """The slice with other pixels, and the attributes that describe them."""
    bits = pixels.dtype.itemsize * 8
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return dataset


def write(folder: Path, datasets: Sequence[Dataset]) -> list[Path]:
    """Part 10 files of data sets, named by their order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, dataset in enumerate(datasets):
        path = folder / f"{number:04d}.dcm"
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        paths.append(path)
    return paths


def written(folder: Path, datasets: Sequence[Dataset]) -> list[Instance]:
    """Instances of data sets, through files."""
    return [read_instance(path) for path in write(folder, datasets)]


def write_planes(path: Path, phases: int) -> Path:
    """The file that `unwritten` instances share: the pixels of all planes of some phases."""
    planes = (stored_planes(range(MOST_PLANES), phase) for phase in range(phases))
    path.write_bytes(b"".join(plane.tobytes() for plane in planes))
    return path


def unwritten(planes: Path, index: int, phase: int = 0, **more: object) -> Instance:
    """An instance whose header is in memory and whose pixels are in the shared file."""
    header = plane_dataset(index, phase, **{**more, "PixelData": None})  # type: ignore[arg-type]
    size = ROWS * COLUMNS * 2
    where = PixelLocation("PixelData", (phase * MOST_PLANES + index) * size, size)
    syntax, file_size = str(ExplicitVRLittleEndian), planes.stat().st_size
    return Instance(planes, Header(syntax, where, file_size, data_set=header))


def _numbers(values: Iterable[float]) -> list[str]:
    return [format_number_as_ds(float(value)) for value in values]
