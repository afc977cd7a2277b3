"""Which values a picture shows black and which white."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from pipeline.encode.values import values_of
from pipeline.volume import Volume

_LUNG_HU = (-1350.0, 150.0)
_SOFT_TISSUE_HU = (-160.0, 240.0)
_LEAST_SHARE_INSIDE = 0.005
_RAREST_PERCENT = (1.0, 99.5)
_LEAST_SUV, _MOST_SUV = 5, 15
_WHOLE, _HUGE = 100, 1e6


@dataclass(frozen=True, slots=True)
class Window:
    """A range of values.

    Parameters
    ----------
    low, high
        Black and white, or white and black where ``inverted``.
    unit
        For people; empty where values have none.
    factor
        What voxels are multiplied with to be in the unit.
    """

    low: float
    high: float
    unit: str = ""
    inverted: bool = False
    factor: float = 1.0

    def grey(self, pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """(row, column): the shades that pixels of a volume have."""
        values = pixels.astype(np.float32) * np.float32(self.factor)
        share = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        share = np.nan_to_num(share, copy=False, nan=0.0)
        shade = 1 - share if self.inverted else share
        grey: npt.NDArray[np.uint8] = np.rint(shade * 255).astype(np.uint8)
        return grey

    @property
    def text(self) -> str:
        """The range for people."""
        return f"{_rounded(self.low)} to {_rounded(self.high)} {self.unit}".strip()


def _rounded(value: float) -> str:
    return f"{value:.0f}" if _WHOLE <= abs(value) < _HUGE else f"{value:.3g}"


def volume_window(
    volume: Volume, shown: Sequence[npt.NDArray[Any]], *, of_lungs: bool = False
) -> Window:
    """The window of a volume's planes.

    CT has the lung window where lungs were segmented, else the header's where it suits, else that
    of soft tissue. PET is black on white from SUV 0. Others have all but their rarest values.

    Parameters
    ----------
    shown
        The planes, in the unit of the volume.
    of_lungs
        Whether lungs are what was segmented.
    """
    header = volume.sources[len(volume.sources) // 2].header
    match volume.modality:
        case "CT":
            low, high = _LUNG_HU if of_lungs else (_header_range(header) or _SOFT_TISSUE_HU)
            return Window(low, high, "HU") if _suits(low, high, shown) else spread(shown, "HU")
        case "PT":
            return _uptake(volume, shown)
    return spread(shown, inverted=header.get("PhotometricInterpretation") == "MONOCHROME1")


def spread(shown: Sequence[npt.NDArray[Any]], unit: str = "", *, inverted: bool = False) -> Window:
    """A window that all but the rarest values of planes fall into."""
    values = _finite(shown)
    low, high = np.percentile(values, _RAREST_PERCENT) if values.size else (0.0, 1.0)
    if high <= low:
        low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    return Window(float(low), float(high if high > low else low + 1), unit, inverted)


def _uptake(volume: Volume, shown: Sequence[npt.NDArray[Any]]) -> Window:
    """From 0 to what most of the body stays below."""
    values = _finite(shown)
    most = float(np.percentile(values, _RAREST_PERCENT[1])) if values.size else 0.0
    if volume.suv_factor is None:
        return Window(0.0, most if most > 0 else 1.0, inverted=True)
    suv = min(max(ceil(most * volume.suv_factor), _LEAST_SUV), _MOST_SUV)
    return Window(0.0, float(suv), "SUV", inverted=True, factor=volume.suv_factor)


def _finite(shown: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    values = np.concatenate([plane.ravel() for plane in shown]).astype(np.float64)
    return values[np.isfinite(values)]


def _header_range(header: Dataset) -> tuple[float, float] | None:
    """The first display window of a header; None where it has no usable one."""
    centres, widths = (values_of(header.get(f"Window{part}")) for part in ("Center", "Width"))
    if not centres or not widths:
        return None
    try:
        centre, width = float(centres[0]), float(widths[0])
    except ValueError:
        return None
    return (centre - width / 2, centre + width / 2) if width >= 1 else None


def _suits(low: float, high: float, shown: Sequence[npt.NDArray[Any]]) -> bool:
    """Whether planes show more than black and white in a window."""
    inside = sum(np.count_nonzero((plane > low) & (plane < high)) for plane in shown)
    return bool(inside >= _LEAST_SHARE_INSIDE * sum(plane.size for plane in shown))
