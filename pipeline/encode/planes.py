"""Images in planes of their own, which are not the source's slices: reformats and views.

Source: PS3.3 C.7.6.2 (Image Plane).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from pipeline.encode.image_series import ImageSeries, references, source_images
from pipeline.encode.on_demand import ImagesOnDemand
from pipeline.encode.values import decimal_string
from pipeline.geometry import PlaneGeometry, Vector, VolumeGeometry, is_shown_forward
from pipeline.volume import Frame, Volume

_DECIMALS = 10
_PLANES_AT_ONCE = 32
_AXES = (0, 1, 2)
# An axis that rises less than this lies flat.
_STEEP = 0.5


def planes_across(
    geometry: VolumeGeometry, voxels: npt.NDArray[Any], axis: int
) -> tuple[npt.NDArray[Any], tuple[PlaneGeometry, ...]]:
    """Cut a volume into upright planes across an axis.

    Parameters
    ----------
    geometry
        The grid of the volume.
    voxels
        (slice, row, column).
    axis
        That planes follow one another on.

    Returns
    -------
    A view of the voxels as (plane, row, column), and where each plane lies.
    """
    down, right = _down_and_right(geometry, axis)
    for other in (down, right):
        if not is_shown_forward(geometry.directions[other]):
            geometry = geometry.reversed_along(other, voxels.shape[other])
            voxels = np.flip(voxels, other)
    steps = np.eye(len(_AXES))[axis]
    planes = tuple(
        PlaneGeometry(
            position_mm=_vector(geometry.to_patient(steps * index)),
            row_direction=geometry.directions[right],
            column_direction=geometry.directions[down],
            row_mm=geometry.spacing.in_order[down],
            column_mm=geometry.spacing.in_order[right],
        )
        for index in range(voxels.shape[axis])
    )
    return voxels.transpose(axis, down, right), planes


def images_in_planes(
    series: ImageSeries,
    pixels: npt.NDArray[Any],
    planes: Sequence[PlaneGeometry],
    volume: Volume,
) -> Sequence[Dataset]:
    """The images of a series, each made of all slices of the source.

    The first image alone refers to them: 300 references in each of 512 coronal images take ten
    times as long to write as all else. The receipt in every image names the source's series.

    Parameters
    ----------
    series
        What they share.
    pixels
        (image, row, column) in the volume's unit.
    planes
        Where each lies.
    """
    # The slice in the middle shows most of the patient: its window suits the others best.
    source = volume.sources[len(volume.sources) // 2].header
    used = source_images(references(_instances(volume), preserved=False))
    plane_of = _contiguous(pixels)

    def image(index: int) -> Dataset:
        made = series.image(index + 1, plane_of(index), source)
        _place(made, planes[index])
        if index == 0:
            made[used.tag] = used
        return made

    return ImagesOnDemand(range(len(planes)), image)


def _down_and_right(geometry: VolumeGeometry, axis: int) -> tuple[int, int]:
    """Which of the other axes images show downwards: the steeper one, else that to the back."""
    one, other = (candidate for candidate in _AXES if candidate != axis)
    heights = [abs(geometry.directions[candidate][2]) for candidate in (one, other)]
    depths = [abs(geometry.directions[candidate][1]) for candidate in (one, other)]
    first, second = heights if max(heights) > _STEEP else depths
    return (one, other) if first >= second else (other, one)


def _contiguous(pixels: npt.NDArray[Any]) -> Callable[[int], npt.NDArray[Any]]:
    """Gives image by image; some are put together at a time, where neighbours lie side by side."""

    @lru_cache(maxsize=1)
    def block(number: int) -> npt.NDArray[Any]:
        start = number * _PLANES_AT_ONCE
        return np.ascontiguousarray(pixels[start : start + _PLANES_AT_ONCE])

    return lambda index: block(index // _PLANES_AT_ONCE)[index % _PLANES_AT_ONCE]


def _instances(volume: Volume) -> list[Frame]:
    """One frame of each source instance, without a number: all of its frames are meant."""
    frames = {frame.sop_instance_uid: frame.instance for frame in volume.sources}
    return [Frame(instance) for instance in frames.values()]


def _place(image: Dataset, plane: PlaneGeometry) -> None:
    image.ImagePositionPatient = _texts(plane.position_mm)
    image.ImageOrientationPatient = _texts((*plane.row_direction, *plane.column_direction))
    image.PixelSpacing = _texts((plane.row_mm, plane.column_mm))


def _texts(values: Sequence[float]) -> list[str]:
    """Decimal strings without the noise, and the negative zeros, of computed coordinates."""
    return [decimal_string(round(float(value), _DECIMALS) + 0.0) for value in values]


def _vector(position: npt.NDArray[np.float64]) -> Vector:
    x, y, z = position.tolist()
    return x, y, z
