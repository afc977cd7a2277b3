"""Which encoder takes which finding."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from pipeline.encode.context import ResultContext
from pipeline.encode.derived import encode_derived_volume
from pipeline.encode.fractional_segmentation import encode_probability_map
from pipeline.encode.labelmap_segmentation import encode_labelmap_segmentation
from pipeline.encode.rotating import encode_rotating_projection
from pipeline.encode.segmentation import encode_label_map
from pipeline.encode.structure_set import encode_structure_set
from pipeline.errors import EncodingError
from pipeline.findings import (
    DerivedVolume,
    ImageFinding,
    LabelMap,
    ProbabilityMap,
    RotatingProjection,
)
from pipeline.products import Product
from pipeline.volume import Volume


def encode_as(
    product: Product, finding: ImageFinding, volume: Volume, context: ResultContext
) -> Sequence[Dataset]:
    """Say a finding in DICOM.

    Parameters
    ----------
    product
        What it is said as.
    finding
        What an algorithm found on ``volume``.
    volume
        The rebuilt source series. Its headers are read, never changed.
    context
        Who made the finding, from what, and when.

    Returns
    -------
    The instances of one new series in the source's study, in order of Instance Number, with
    their file meta information; none where a mask has no voxel. The same arguments give the same
    objects.

    Raises
    ------
    EncodingError
        The finding cannot be said as the object made for its kind; the message says why.
    """
    match finding, product:
        case LabelMap(), Product.SEG:
            return encode_label_map(finding, volume, context)
        case LabelMap(), Product.LABELMAP:
            return encode_labelmap_segmentation(finding, volume, context)
        case LabelMap(), Product.RTSTRUCT:
            return encode_structure_set(finding, volume, context)
        case ProbabilityMap(), Product.FRACTIONAL:
            return encode_probability_map(finding, volume, context)
        case DerivedVolume(), Product.SERIES:
            return encode_derived_volume(finding, volume, context)
        case RotatingProjection(), Product.SERIES:
            return encode_rotating_projection(finding, volume, context)
        case _:
            raise EncodingError(
                f"Finding {finding.name!r} ({type(finding).__name__}) cannot be said as {product}."
            )
