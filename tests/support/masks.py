"""Volumes in memory to put masks on, and Segmentations read back as voxels and as places."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from pipeline.elements import Header
from pipeline.encode import part10_bytes
from pipeline.findings import LabelMap, ProbabilityMap
from pipeline.geometry import Spacing, VolumeGeometry
from pipeline.instance import Instance
from pipeline.volume import Frame, Volume
from tests.support.stacks import Grid, plane_dataset

Labels = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]


def volume_in_memory(shape: tuple[int, int, int], grid: Grid | None = None) -> Volume:
    """A CT volume of nothing but zeros that was read from no file."""
    grid = grid or Grid()
    frames = []
    for index in range(shape[0]):
        header = plane_dataset(
            index,
            grid=grid,
            modality="CT",
            StudyInstanceUID="1.2.3",
            Rows=shape[1],
            Columns=shape[2],
            PixelData=None,
        )
        syntax = str(ExplicitVRLittleEndian)
        frames.append(Frame(Instance(Path(), Header(syntax, None, 0, data_set=header))))
    return Volume(np.zeros(shape, np.int16), _geometry(grid), tuple(frames))


def _geometry(grid: Grid) -> VolumeGeometry:
    x, y, z = grid.normal
    return VolumeGeometry(
        origin_mm=grid.origin_mm,
        row_direction=grid.orientation[:3],
        column_direction=grid.orientation[3:],
        slice_direction=(float(x), float(y), float(z)),
        spacing=Spacing(grid.spacing_mm, *grid.pixel_spacing_mm),
    )


def read_back(result: Dataset) -> Dataset:
    """The result as a reader finds it in its file."""
    return pydicom.dcmread(BytesIO(part10_bytes(result)))


def shown(segmentation: Dataset) -> Iterator[tuple[Dataset, int | None, npt.NDArray[np.uint8]]]:
    """Of each frame its functional groups, its segment if it is of one, and its pixels."""
    pixels = segmentation.pixel_array.reshape(-1, segmentation.Rows, segmentation.Columns)
    for groups, plane in zip(segmentation.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        segment = None
        if "SegmentIdentificationSequence" in groups:
            segment = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        yield groups, segment, plane


def voxels_of(segmentation: Dataset, volume: Volume) -> Labels:
    """(segment, slice, row, column): its pixels on the grid of the volume, found by position."""
    numbers = [item.SegmentNumber for item in segmentation.SegmentSequence if item.SegmentNumber]
    voxels = np.zeros((len(numbers), *volume.voxels.shape), np.uint8)
    places = [list(map(float, item.header.ImagePositionPatient)) for item in volume.sources]
    for groups, segment, plane in shown(segmentation):
        position = list(map(float, groups.PlanePositionSequence[0].ImagePositionPatient))
        index = places.index(position)
        if segment is None:
            voxels[:, index] = plane == np.array(numbers)[:, None, None]
        else:
            voxels[segment - 1, index] = plane
    return voxels


def points_of(segmentation: Dataset, segment: int) -> Points:
    """LPS mm of each voxel of a segment, from the frames' own attributes (PS3.3 C.7.6.2.1.1)."""
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    orientation = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    row_mm, column_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    points = []
    for groups, of, plane in shown(segmentation):
        rows, columns = np.nonzero(plane == segment if of is None else plane * (of == segment))
        origin = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        points.append(
            origin
            + np.outer(columns * column_mm, orientation[:3])
            + np.outer(rows * row_mm, orientation[3:])
        )
    return in_order(np.concatenate(points))


def in_order(points: Points) -> Points:
    """The same points, in an order that follows from where they lie."""
    rounded = np.round(points, 4) + 0.0
    return rounded[np.lexsort(rounded.T)]


def probabilities_on(label_map: LabelMap) -> ProbabilityMap:
    """Above one half in the label map's segments, a quarter beside them, else nothing."""
    numbers = np.arange(1, len(label_map.segments) + 1)[:, None, None, None]
    inside = label_map.labels == numbers
    steps = np.linspace(0.6, 1, label_map.labels.size).reshape(label_map.labels.shape)
    likely = np.where(inside, steps, 0.25 * np.roll(inside, 1, axis=3))
    return ProbabilityMap(
        label_map.name,
        likely.astype(np.float32),
        label_map.segments,
        label_map.description,
        label_map.remarks,
    )
