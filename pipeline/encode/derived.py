"""A derived volume as a series of CT, MR or PET images on the source's grid.

Source: PS3.3 A.3, A.4, A.21 (CT, MR, PET Image IODs), C.7.6.1 (General Image), C.12.4 (General
Reference).
"""

from pydicom.dataset import Dataset

from pipeline.encode.context import ResultContext
from pipeline.encode.image_attributes import PLACE
from pipeline.encode.image_series import image_series, reference
from pipeline.encode.planes import images_in_planes, planes_across
from pipeline.encode.values import decimal_string
from pipeline.errors import EncodingError
from pipeline.findings import DerivedVolume
from pipeline.volume import Volume


def encode_derived_volume(
    finding: DerivedVolume, volume: Volume, context: ResultContext
) -> tuple[Dataset, ...]:
    """Say a derived volume as images of the source's kind, in the order of its images.

    Raises
    ------
    EncodingError
        The source is no CT, MR or PET, the volume is not on its grid, or its values do not fit.
    """
    _check(finding, volume)
    if finding.axis:
        return _across_slices(finding, volume, context)
    series = image_series(finding, volume, context, finding.voxels, finding.slab_mm)
    series.header.SpacingBetweenSlices = decimal_string(volume.geometry.spacing.slice_mm)
    preserved = finding.locations_preserved and not volume.resampled
    references = [reference(source, preserved=preserved) for source in volume.sources]
    images = []
    for index, (source, plane) in enumerate(zip(volume.sources, finding.voxels, strict=True)):
        image = series.image(index + 1, plane, source.header, PLACE)
        image.SourceImageSequence = [references[used] for used in finding.source_slices[index]]
        images.append(image)
    return tuple(images)


def _across_slices(
    finding: DerivedVolume, volume: Volume, context: ResultContext
) -> tuple[Dataset, ...]:
    """Images that lie across the source's slices."""
    pixels, planes = planes_across(volume.geometry, finding.voxels, finding.axis)
    series = image_series(finding, volume, context, pixels, finding.slab_mm)
    spacing_mm = volume.geometry.spacing.in_order[finding.axis]
    series.header.SpacingBetweenSlices = decimal_string(spacing_mm)
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
