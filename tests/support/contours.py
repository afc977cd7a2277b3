"""Filling contours, in ways that have nothing in common with how they are drawn."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from skimage.draw import polygon2mask

from pipeline.volume import Volume

Points = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
SAME_PLANE_MM = 2e-3


def by_crossings(outline: Points, shape: tuple[int, int]) -> Mask:
    """The pixels whose centres are inside, by scikit-image: those that a ray leaves oddly often."""
    filled: Mask = polygon2mask(shape, outline)
    return filled


def turns(outline: Points, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """(row, column): how often an outline turns clockwise around each pixel's centre.

    Meant for small images: it looks at each side of the outline from each pixel.
    """
    row, column = np.indices(shape)[..., np.newaxis]
    (row_a, column_a), (row_b, column_b) = outline.T, np.roll(outline, -1, axis=0).T
    side = (row_b - row_a) * (column - column_a) - (column_b - column_a) * (row - row_a)
    down = (row_a <= row) & (row < row_b) & (side < 0)
    up = (row_b <= row) & (row < row_a) & (side > 0)
    count: npt.NDArray[np.int64] = down.sum(axis=-1) - up.sum(axis=-1)
    return count


def filled(outlines: Iterable[Points], shape: tuple[int, int]) -> Mask:
    """The mask that outlines stand for, if all ways of filling them agree on it.

    Those are: crossings or turns; the outlines together, or each one changing what is inside.
    """
    together, changed, turned = np.zeros((3, *shape), dtype=bool)
    for outline in outlines:
        inside = by_crossings(outline, shape)
        together |= inside
        changed ^= inside
        count = turns(outline, shape)
        assert set(np.unique(count)) <= {0, 1}
        turned |= count > 0
    np.testing.assert_array_equal(together, changed)
    np.testing.assert_array_equal(together, turned)
    return together


def labels_in(structure_set: Dataset, volume: Volume) -> npt.NDArray[np.uint8]:
    """(slice, row, column): what a reader makes of contours on the images that they refer to."""
    images = {
        (source.sop_instance_uid, source.number): index
        for index, source in enumerate(volume.sources)
    }
    labels = np.zeros(volume.voxels.shape, np.uint8)
    for roi in structure_set.ROIContourSequence:
        drawn: dict[int, list[Points]] = {}
        for contour in roi.ContourSequence:
            (image,) = contour.ContourImageSequence
            number = image.get("ReferencedFrameNumber")
            index = images[image.ReferencedSOPInstanceUID, number]
            header = volume.sources[index].header
            drawn.setdefault(index, []).append(on_image(points_of(contour), header))
        for index, outlines in drawn.items():
            mask = filled(outlines, volume.voxels.shape[1:])
            assert not labels[index][mask].any()
            labels[index][mask] = roi.ReferencedROINumber
    return labels


def points_of(contour: Dataset) -> Points:
    """(point, 3): Contour Data in LPS mm."""
    points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
    assert len(points) == contour.NumberOfContourPoints
    return points


def on_image(points: Points, image: Dataset) -> Points:
    """(point, 2): row and column of points that lie on an image (PS3.3 C.7.6.2.1.1)."""
    orientation = np.array(image.ImageOrientationPatient, dtype=float)
    along_row, along_column = orientation[:3], orientation[3:]
    row_mm, column_mm = map(float, image.PixelSpacing)
    offset = points - np.array(image.ImagePositionPatient, dtype=float)
    assert np.abs(offset @ np.cross(along_row, along_column)).max() < SAME_PLANE_MM
    return np.stack([offset @ along_column / row_mm, offset @ along_row / column_mm], axis=1)
