"""How a volume was made from its instances, so that anyone can check it."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from pipeline.volume.suv import SuvFactor

_NAMED_IN_SUMMARY = 20


@dataclass(frozen=True, slots=True)
class Dropped:
    """An instance or frame that is not in the volume.

    Parameters
    ----------
    name
        SOP Instance UID, with ``#`` and the frame number in a multi-frame instance.
    reason
        Why it is not.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Phase:
    """Which of the volumes of a series this is.

    Parameters
    ----------
    number, count
        This is volume ``number`` of ``count``, in the order of Instance Number.
    attributes
        Keyword and value of what tells it from the others.
    """

    number: int
    count: int
    attributes: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return ", ".join(f"{keyword} {value}" for keyword, value in self.attributes)


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a volume was made.

    Parameters
    ----------
    series_instance_uid
        The series it was made of.
    phase
        Which of several volumes of the series it is; None where there is one.
    rule
        What was done about instances that share a position.
    kept
        What is in the volume, in slice order: SOP Instance UIDs, with ``#`` and the frame number
        where they hold several. A slice that was made up names none.
    dropped
        What is not, and why.
    shape
        Slices, rows, columns.
    spacing_mm
        Between slices, rows, columns.
    spacing_rule
        Where the distance between slices comes from.
    slice_thickness_mm
        Distance of the first two positions: what the reference takes for it.
    affine
        4 x 4, (slice, row, column, 1) to LPS mm.
    rescale
        How stored values became the volume's.
    padding
        Pixel Padding Value (0028,0120) and Range Limit of the slices, as stored.
    suv
        The body-weight SUV factor of a PET series; None for others.
    warnings
        What a reader of the result should know; a sentence each.
    """

    series_instance_uid: str
    phase: Phase | None
    rule: str
    kept: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    spacing_rule: str
    slice_thickness_mm: float
    affine: tuple[tuple[float, ...], ...]
    rescale: str
    padding: tuple[int, ...]
    suv: SuvFactor | None
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The receipt as plain values, fit for JSON."""
        return asdict(self)

    def summary(self) -> dict[str, Any]:
        """The same with long lists cut: what every result object carries."""
        short = replace(self, dropped=self.dropped[:_NAMED_IN_SUMMARY]).as_dict()
        short["kept"] = len(self.kept)
        short["dropped_count"] = len(self.dropped)
        return short
