"""A derived volume as a series of CT, MR or PET images on the source's grid.

Source: PS3.3 A.3, A.4, A.21 (CT, MR, PET Image IODs), C.7.6.1 (General Image), C.12.4 (General
Reference).
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from pipeline.encode.context import ResultContext
from pipeline.encode.image_attributes import PLACE
from pipeline.encode.image_series import image_series, references, source_images
from pipeline.encode.on_demand import ImagesOnDemand
from pipeline.encode.planes import images_in_planes, planes_across
from pipeline.errors import EncodingError
from pipeline.findings import DerivedVolume
from pipeline.volume import Volume


def encode_derived_volume(
    finding: DerivedVolume, volume: Volume, context: ResultContext
) -> Sequence[Dataset]:
    """Say a derived volume as images of the source's kind, in the order of its images.

    Each image is made when it is asked for, of the finding's voxels and the source's headers.

    Raises
    ------
    EncodingError
        The source is no CT, MR or PET, the volume is not on its grid, or its values do not fit.
    """
    _check(finding, volume)
    if finding.axis:
        return _across_slices(finding, volume, context)
    between_mm = volume.geometry.spacing.slice_mm
    series = image_series(
        finding,
        volume,
        context,
        finding.voxels,
        thickness_mm=finding.slab_mm,
        between_mm=between_mm,
    )
    preserved = finding.locations_preserved and not volume.resampled
    sources = volume.sources
    items = references(sources, preserved=preserved)

    def image(index: int) -> Dataset:
        made = series.image(index + 1, finding.voxels[index], sources[index].header, PLACE)
        used = source_images(items[number] for number in finding.source_slices[index])
        made[used.tag] = used
        return made

    return ImagesOnDemand(range(len(sources)), image)


def _across_slices(
    finding: DerivedVolume, volume: Volume, context: ResultContext
) -> Sequence[Dataset]:
    """Images that lie across the source's slices."""
    pixels, planes = planes_across(volume.geometry, finding.voxels, finding.axis)
    between_mm = volume.geometry.spacing.in_order[finding.axis]
    series = image_series(
        finding, volume, context, pixels, thickness_mm=finding.slab_mm, between_mm=between_mm
    )
    return images_in_planes(series, pixels, planes, volume)


def _check(finding: DerivedVolume, volume: Volume) -> None:
    if finding.voxels.shape != volume.voxels.shape:
        raise EncodingError(
            f"Finding {finding.name!r} has the shape {finding.voxels.shape}, its source "
            f"{volume.voxels.shape}: it is not slice for slice on the source's grid."
        )
    images = finding.voxels.shape[finding.axis]
    if len(finding.source_slices) != images or not all(finding.source_slices):
        raise EncodingError(
            f"Finding {finding.name!r} does not name the source slices of each of its slices."
        )
