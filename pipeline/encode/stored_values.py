"""How the values of a derived series are stored: as the source stores them, wherever that does.

Viewers keep window, look-up tables and value ranges of a series apart by its stored form, so a
result that shares the source's form behaves like the source.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pipeline.encode.values import decimal_string
from pipeline.errors import EncodingError
from pipeline.volume import Volume

_BITS = 16
_HIGHEST_UNSIGNED, _HIGHEST_SIGNED = 2**_BITS - 1, 2 ** (_BITS - 1) - 1


@dataclass(frozen=True, slots=True)
class StoredForm:
    """The form of stored values: value = stored value x slope + intercept.

    Parameters
    ----------
    intercept
        Rescale Intercept (0028,1052).
    bits_stored
        Bits Stored (0028,0101), of 16 allocated.
    signed
        Pixel Representation (0028,0103).
    padding
        Pixel Padding Value (0028,0120) and, where there is one, Pixel Padding Range Limit
        (0028,0121); empty where no value of the result stands for padding.
    slope
        Rescale Slope (0028,1053), above 0.
    rescaled
        Whether images say slope and intercept also where they are 1 and 0: those of MR do not.
    blank
        The value that is stored as Pixel Padding Value; None where padding is a value as others.
    """

    intercept: float
    bits_stored: int
    signed: bool
    padding: tuple[int, ...] = ()
    slope: float = 1.0
    rescaled: bool = True
    blank: float | None = None

    def with_blank(self, blank: float, lowest: float) -> "StoredForm | None":
        """The same form with a stored value for padding, below that of the lowest of all others.

        The source's own serves where it is that low, else the least there is. None where there is
        no room.
        """
        below = self._nearest(lowest)
        for padding in (self.padding, (self._least,)):
            if padding and max(padding) < below:
                return replace(self, padding=padding, blank=blank)
        return None

    def holds(self, lowest: float, highest: float) -> bool:
        """Whether values from lowest to highest are stored without being cut."""
        most = self._least + (1 << self.bits_stored) - 1
        return self._least <= self._nearest(lowest) and self._nearest(highest) <= most

    @property
    def _least(self) -> int:
        return -(1 << (self.bits_stored - 1)) if self.signed else 0

    def stored(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The stored values of a plane (row, column): exact, or the nearest there are."""
        if self.blank is None:
            return self._converted(plane)
        blank = plane == self.blank
        stored = np.full(plane.shape, self.padding[0], self._dtype)
        stored[~blank] = self._converted(plane[~blank])
        return stored

    @property
    def _dtype(self) -> str:
        return "<i2" if self.signed else "<u2"

    def _converted(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if values.dtype.kind in "iu" and self.slope == 1 and self.intercept.is_integer():
            # Modulo 2^16, which is exact for all that fits 16 bits in the end.
            stored = values.astype("<u2")
            stored -= np.uint16(int(self.intercept) % 2**_BITS)
            return stored.view(self._dtype)
        exact = (values.astype(np.float64) - self.intercept) / self.slope
        return np.rint(exact, out=exact).astype(self._dtype)

    def describe(self, target: Dataset, rows: int, columns: int) -> None:
        """Say how planes of this size are stored: attributes of PS3.3 C.7.6.3 and C.11.1.

        A Rescale Type of the source is left out where values are not rescaled.
        """
        target.SamplesPerPixel = 1
        target.Rows, target.Columns = rows, columns
        target.BitsAllocated = _BITS
        target.BitsStored = self.bits_stored
        target.HighBit = self.bits_stored - 1
        target.PixelRepresentation = int(self.signed)
        if self.rescaled or (self.slope, self.intercept) != (1.0, 0.0):
            target.RescaleSlope = _number_text(self.slope)
            target.RescaleIntercept = _number_text(self.intercept)
        else:
            target.pop("RescaleType", None)
        for keyword, value in zip(
            ("PixelPaddingValue", "PixelPaddingRangeLimit"), self.padding, strict=False
        ):
            self._add_pixel_value(target, keyword, value)

    def add_pixels(self, target: Dataset, plane: npt.NDArray[Any]) -> None:
        """Store a plane (row, column) of values: what differs from image to image."""
        stored = self.stored(plane)
        self._add_pixel_value(target, "SmallestImagePixelValue", int(stored.min()))
        self._add_pixel_value(target, "LargestImagePixelValue", int(stored.max()))
        target.add(DataElement("PixelData", "OW", stored.tobytes()))

    def _nearest(self, value: float) -> float:
        return float(np.rint((float(value) - self.intercept) / self.slope))

    def _add_pixel_value(self, target: Dataset, keyword: str, value: int) -> None:
        """Add an attribute whose representation follows Pixel Representation (PS3.5 A.2)."""
        target.add(DataElement(keyword, "SS" if self.signed else "US", value))


def stored_form(volume: Volume, voxels: npt.NDArray[Any], blank: float | None = None) -> StoredForm:
    """One form for all images of a series.

    CT: the source's form where all slices share one that holds the values, else int16 HU; exact.
    Others: the same, and for values that no whole numbers of 16 bits are, these times the least
    slope that holds them. A value is then stored within half a slope: of the source's own, or of
    the largest absolute value / 65535 (/ 32767 where values are negative or some are padding).

    Parameters
    ----------
    volume
        The source series.
    voxels
        Values of the result in the volume's unit, in any shape.
    blank
        The one that stands for padding, lower than all others; None where none does.

    Raises
    ------
    EncodingError
        CT values are no whole numbers or do not fit 16 bits; others are not all finite.
    """
    lowest, highest = _extremes(voxels, blank)
    forms = _forms(volume, voxels, lowest, highest, padded=blank is not None)
    for form in forms:
        if form.holds(lowest, highest):
            found = form if blank is None else form.with_blank(blank, lowest)
            if found is not None:
                return found
    raise EncodingError(
        f"The algorithm gave values from {lowest:.0f} to {highest:.0f}, more than the 16 bits of a "
        "CT image hold."
    )


def _extremes(voxels: npt.NDArray[Any], blank: float | None) -> tuple[float, float]:
    """The lowest and the highest value that is no padding."""
    highest = voxels.max()
    if blank is None:
        return float(voxels.min()), float(highest)
    return float(voxels.min(where=voxels != blank, initial=highest)), float(highest)


def _forms(
    volume: Volume, voxels: npt.NDArray[Any], lowest: float, highest: float, *, padded: bool
) -> Iterable[StoredForm]:
    """The forms that values may take, the best first; of CT none may hold them."""
    whole = voxels.dtype.kind in "iu"
    of_source = _form_of_source(volume, lowest)
    if volume.modality == "CT":
        _check_whole(voxels)
        if of_source is not None and of_source.slope == 1 and of_source.intercept.is_integer():
            yield of_source  # else its voxels were rounded to whole Hounsfield Units
        yield StoredForm(0.0, _BITS, signed=True)
        return
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise EncodingError("The algorithm gave values that are not finite; no image holds these.")
    if of_source is not None and whole == (volume.voxels.dtype.kind in "iu"):
        yield of_source  # else they are finer than anything the source says
    signs = dict.fromkeys((lowest < 0, lowest < 0 or padded))
    if whole:
        for signed in signs:
            yield StoredForm(0.0, _BITS, signed=signed, rescaled=volume.modality != "MR")
    for signed in signs:
        yield _scaled_form(max(abs(lowest), abs(highest)), signed=signed)


def _check_whole(voxels: npt.NDArray[Any]) -> None:
    if voxels.dtype.kind not in "iu":
        raise EncodingError(
            f"A derived CT series stores whole Hounsfield Units; the algorithm gave {voxels.dtype} "
            "values. Round them in the algorithm."
        )


def _scaled_form(largest: float, *, signed: bool) -> StoredForm:
    """The finest form without intercept that holds values up to a size."""
    steps = _HIGHEST_SIGNED if signed else _HIGHEST_UNSIGNED
    slope = float(decimal_string(largest / steps))
    return StoredForm(0.0, _BITS, signed=signed, slope=slope or 1.0)


def _form_of_source(volume: Volume, lowest: float) -> StoredForm | None:
    """The form that all slices share, None where they differ or none of ours is like it."""
    headers = [source.header for source in volume.sources]
    if len({_rescale(header) for header in headers}) != 1:
        return None
    slope, intercept, bits_allocated, bits_stored, representation = _rescale(headers[0])
    if not slope > 0 or bits_allocated != _BITS or "ModalityLUTSequence" in headers[0]:
        return None
    if volume.modality == "PT" and intercept:
        return None  # PS3.3 C.8.9.4: it is 0
    signed = representation == 1
    paddings = {_padding(header, signed=signed) for header in headers}
    padding = paddings.pop() if len(paddings) == 1 else ()
    if padding and min(padding) * slope + intercept > lowest:
        padding = ()
    return StoredForm(intercept, bits_stored, signed, padding, slope, volume.modality != "MR")


def _rescale(header: Dataset) -> tuple[float, float, int, int, int]:
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    return (
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
        int(header.get("BitsAllocated") or 0),
        int(header.get("BitsStored") or 0),
        int(header.get("PixelRepresentation") or 0),
    )


def _number_text(value: float) -> str:
    return str(int(value)) if value.is_integer() else decimal_string(value)


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
