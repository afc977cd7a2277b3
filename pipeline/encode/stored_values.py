"""How Hounsfield Units are stored in a derived CT: as the source stores them where that is exact.

Viewers keep window, look-up tables and value ranges of a series apart by its stored form, so a
result that shares the source's form behaves like the source.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pipeline.errors import EncodingError
from pipeline.volume import Volume

_BITS = 16


@dataclass(frozen=True, slots=True)
class StoredForm:
    """The form of stored values: HU = stored value + intercept.

    Parameters
    ----------
    intercept
        Rescale Intercept (0028,1052); the slope is 1.
    bits_stored
        Bits Stored (0028,0101), of 16 allocated.
    signed
        Pixel Representation (0028,0103).
    padding
        Pixel Padding Value (0028,0120) and, where there is one, Pixel Padding Range Limit
        (0028,0121); empty where no value of the result stands for padding.
    """

    intercept: int
    bits_stored: int
    signed: bool
    padding: tuple[int, ...] = ()

    @property
    def lowest_hu(self) -> int:
        """The lowest value that it holds."""
        return self.intercept - (1 << (self.bits_stored - 1) if self.signed else 0)

    @property
    def highest_hu(self) -> int:
        """The highest value that it holds."""
        return self.lowest_hu + (1 << self.bits_stored) - 1

    def add_to(self, target: Dataset, plane: npt.NDArray[np.integer[Any]]) -> None:
        """Store a plane (row, column) of HU: the attributes of PS3.3 C.7.6.3 and C.11.1."""
        stored = (plane.astype(np.int32) - self.intercept).astype("<i2" if self.signed else "<u2")
        target.SamplesPerPixel = 1
        target.BitsAllocated = _BITS
        target.BitsStored = self.bits_stored
        target.HighBit = self.bits_stored - 1
        target.PixelRepresentation = int(self.signed)
        target.RescaleSlope = "1"
        target.RescaleIntercept = str(self.intercept)
        self._add_pixel_value(target, "SmallestImagePixelValue", int(stored.min()))
        self._add_pixel_value(target, "LargestImagePixelValue", int(stored.max()))
        for keyword, value in zip(
            ("PixelPaddingValue", "PixelPaddingRangeLimit"), self.padding, strict=False
        ):
            self._add_pixel_value(target, keyword, value)
        target.add(DataElement("PixelData", "OW", stored.tobytes()))

    def _add_pixel_value(self, target: Dataset, keyword: str, value: int) -> None:
        """Add an attribute whose representation follows Pixel Representation (PS3.5 A.2)."""
        target.add(DataElement(keyword, "SS" if self.signed else "US", value))


_PLAIN = StoredForm(intercept=0, bits_stored=_BITS, signed=True)


def stored_form(volume: Volume, voxels: npt.NDArray[Any]) -> StoredForm:
    """The source's form where all slices share one that holds the voxels, else int16 HU.

    Parameters
    ----------
    volume
        The source series.
    voxels
        HU (slice, row, column), whole numbers.

    Raises
    ------
    EncodingError
        The voxels are no whole numbers, or do not fit 16 bits.
    """
    if not np.issubdtype(voxels.dtype, np.integer):
        raise EncodingError(
            f"A derived CT series stores whole Hounsfield Units; the algorithm gave {voxels.dtype} "
            "values. Round them in the algorithm."
        )
    lowest, highest = int(voxels.min()), int(voxels.max())
    for form in (_form_of_source(volume, lowest), _PLAIN):
        if form is not None and form.lowest_hu <= lowest and highest <= form.highest_hu:
            return form
    raise EncodingError(
        f"The algorithm gave values from {lowest} to {highest}, more than the 16 bits of a CT "
        "image hold."
    )


def _form_of_source(volume: Volume, lowest_hu: int) -> StoredForm | None:
    """The form that all slices share, None where they differ or scale by more than an offset."""
    headers = [source.header for source in volume.sources]
    if len({_rescale(header) for header in headers}) != 1:
        return None
    slope, intercept, bits_allocated, bits_stored, representation = _rescale(headers[0])
    if slope != 1 or not intercept.is_integer() or bits_allocated != _BITS:
        return None
    signed = representation == 1
    paddings = {_padding(header, signed=signed) for header in headers}
    padding = paddings.pop() if len(paddings) == 1 else ()
    if padding and min(padding) + intercept > lowest_hu:
        padding = ()
    return StoredForm(int(intercept), bits_stored, signed, padding)


def _rescale(header: Dataset) -> tuple[float, float, int, int, int]:
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    return (
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
        int(header.get("BitsAllocated") or 0),
        int(header.get("BitsStored") or 0),
        int(header.get("PixelRepresentation") or 0),
    )


def _padding(header: Dataset, *, signed: bool) -> tuple[int, ...]:
    """Padding value and range limit as stored values, whatever type the header gives them."""
    padding = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        value = header.get(keyword)
        if not isinstance(value, int):
            break
        unsigned = value % 2**_BITS
        padding.append(unsigned - 2**_BITS if signed and unsigned >= 2 ** (_BITS - 1) else unsigned)
    return tuple(padding)
