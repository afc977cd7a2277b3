"""Which encoder takes which finding."""

from pydicom.dataset import Dataset

from pipeline.encode.context import ResultContext
from pipeline.encode.derived import encode_derived_volume
from pipeline.encode.rotating import encode_rotating_projection
from pipeline.encode.segmentation import encode_label_map
from pipeline.findings import DerivedVolume, ImageFinding, LabelMap, RotatingProjection
from pipeline.volume import Volume


def encode(finding: ImageFinding, volume: Volume, context: ResultContext) -> tuple[Dataset, ...]:
    """Say a finding in DICOM.

    Parameters
    ----------
    finding
        What an algorithm found on ``volume``.
    volume
        The rebuilt source series. Its headers are read, never changed.
    context
        Who made the finding, from what, and when.

    Returns
    -------
    The instances of one new series in the source's study, in order of Instance Number, with
    their file meta information. The same arguments give the same objects.

    Raises
    ------
    EncodingError
        The finding cannot be said as the object made for its kind; the message says why.
    """
    match finding:
        case LabelMap():
            return encode_label_map(finding, volume, context)
        case DerivedVolume():
            return encode_derived_volume(finding, volume, context)
        case RotatingProjection():
            return encode_rotating_projection(finding, volume, context)
