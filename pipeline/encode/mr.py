"""What an MR image says of its acquisition only under conditions.

Source: PS3.3 C.8.3.1 (MR Image).
"""

from pydicom.dataset import Dataset

from pipeline.encode.header import fill_missing
from pipeline.encode.values import values_of

# Scan Options that stand for gating to the heart.
_CARDIAC_GATING = frozenset({"CG", "PPG"})


def settle_mr(header: Dataset) -> None:
    """Put in what the kind of acquisition asks for, and take out what it forbids."""
    _only_where(header, "InversionTime", wanted="IR" in values_of(header.get("ScanningSequence")))
    gated = not _CARDIAC_GATING.isdisjoint(values_of(header.get("ScanOptions")))
    _only_where(header, "TriggerTime", wanted=gated)


def _only_where(header: Dataset, keyword: str, *, wanted: bool) -> None:
    if wanted:
        fill_missing(header, (keyword,))
    elif keyword in header:
        delattr(header, keyword)
