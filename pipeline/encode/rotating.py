"""A rotating projection as a series of images, each in the plane that it was seen in.

A reader that stacks images into a volume makes nonsense of such a series, so its description says
what it is.

Source: PS3.3 C.7.6.2 (Image Plane), C.8.9.1 (PET Series: reprojections).
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from pipeline.encode.context import ResultContext
from pipeline.encode.image_series import image_series
from pipeline.encode.planes import images_in_planes
from pipeline.errors import EncodingError
from pipeline.findings import RotatingProjection
from pipeline.volume import Volume


def encode_rotating_projection(
    finding: RotatingProjection, volume: Volume, context: ResultContext
) -> Sequence[Dataset]:
    """Say a rotating projection as images of the source's kind, in the order of its views.

    Each image is made when it is asked for, of the finding's views and the source's headers.

    Raises
    ------
    EncodingError
        The source is no CT, MR or PET, not every view has a plane, or values do not fit.
    """
    if not len(finding.views) == len(finding.planes) > 0:
        raise EncodingError(
            f"Finding {finding.name!r} has {len(finding.views)} views and {len(finding.planes)} "
            "planes to put them in."
        )
    depth_mm = finding.depth_mm
    series = image_series(finding, volume, context, finding.views, thickness_mm=depth_mm)
    return images_in_planes(series, finding.views, finding.planes, volume)
