"""Findings said as what is usual for their kind."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from pipeline.encode import ResultContext, encode_as
from pipeline.findings import (
    DerivedVolume,
    ImageFinding,
    LabelMap,
    ProbabilityMap,
    RotatingProjection,
)
from pipeline.products import Product
from pipeline.volume import Volume


def encode(finding: ImageFinding, volume: Volume, context: ResultContext) -> Sequence[Dataset]:
    """A mask as a Segmentation, binary or fractional, all else as images."""
    match finding:
        case LabelMap():
            usual = Product.SEG
        case ProbabilityMap():
            usual = Product.FRACTIONAL
        case DerivedVolume() | RotatingProjection():
            usual = Product.SERIES
    return encode_as(usual, finding, volume, context)
