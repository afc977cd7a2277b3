"""A result in the transfer syntax that a destination accepted, without loss.

Source: PS3.5 section 8.2 (native and encapsulated pixel data), annex A.
"""

from collections.abc import Collection

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)

_LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)

# Segmentations of one bit a pixel stay as they are: readers fail on compressed ones.
_COMPRESSIBLE = frozenset(
    {
        CTImageStorage,
        MRImageStorage,
        PositronEmissionTomographyImageStorage,
        SecondaryCaptureImageStorage,
    }
)


def offers(sop_class: str, preferred: str) -> list[list[str]]:
    """The transfer syntaxes to propose for a SOP Class, one list for each presentation context.

    A peer chooses one of each list: the preferred one stands by itself, so that a peer that has it
    cannot choose another, and one that has not still takes the plain ones.
    """
    plain: list[str] = list(PLAIN)
    if preferred in PLAIN:
        plain.sort(key=lambda syntax: syntax != preferred)
    elif sop_class in _COMPRESSIBLE:
        return [[preferred], plain]
    elif sop_class == _LABEL_MAP_SEGMENTATION:
        return [[RLELossless], plain]
    return [plain]


def in_accepted_syntax(
    dataset: Dataset, accepted: Collection[str], preferred: str = ExplicitVRLittleEndian
) -> Dataset:
    """The data set in one of the accepted transfer syntaxes, every pixel as it was.

    The preferred one where it is accepted and the object is an image; else its own; else a plain
    one. A compression that cannot hold the image, as JPEG 2000 those of less than 32 rows or
    columns, counts as not accepted.

    Parameters
    ----------
    dataset
        With its file meta information; it may be changed.
    accepted
        UIDs of what the peer accepted for its SOP Class.

    Raises
    ------
    ValueError
        None of the accepted syntaxes can hold it.
    """
    own = dataset.file_meta.TransferSyntaxUID
    wished = [preferred] if preferred in PLAIN or dataset.SOPClassUID in _COMPRESSIBLE else []
    for syntax in (*wished, own, *PLAIN):
        if syntax in accepted and _convert(dataset, UID(syntax)):
            return dataset
    raise ValueError("none of the accepted transfer syntaxes can hold the object")


def _convert(dataset: Dataset, target: UID) -> bool:
    """Change how pixels are held; between the plain syntaxes the association converts itself.

    Returns
    -------
    Whether it could be done; if not, the pixels are whole and held in some syntax.
    """
    held = dataset.file_meta.TransferSyntaxUID
    if held == target:
        return True
    if held.is_compressed:
        dataset.decompress(generate_instance_uid=False)
    if target.is_compressed:
        try:
            dataset.compress(target, generate_instance_uid=False)
        except RuntimeError:  # what pydicom raises where every encoder has refused
            return False
    return True
