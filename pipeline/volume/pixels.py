"""Pixels of a frame, decoded and rescaled straight into their slice of the volume.

CT becomes Hounsfield Units in int16 with the reference's arithmetic; other modalities keep their
stored values, or become float32 where the header rescales them. A value that does not fit is an
error, never wrapped.

Source: seed 003, ``get_pixels_hu``; PS3.3 C.11.1 (Modality LUT).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import UID

from pipeline.elements import DAMAGED_ELEMENT_ERRORS
from pipeline.errors import PixelDecodeError
from pipeline.kernels.compiled import threads
from pipeline.kernels.stored_values import add_in_place
from pipeline.volume.frame import Frame
from pipeline.volume.pixel_form import PixelForm, form_of, is_plain
from pipeline.volume.stored_pixels import decode, read_native

Array = npt.NDArray[Any]

_PLANES_AT_ONCE = 8
_HOUNSFIELD_BITS = 16
_DECODER_ERRORS = (*DAMAGED_ELEMENT_ERRORS, MemoryError, OSError, RuntimeError)


@dataclass(frozen=True, eq=False, slots=True)
class PlaneOrder:
    """A frame and the slice of the volume that it fills.

    Parameters
    ----------
    form
        How its pixels are stored, where that is known already.
    """

    frame: Frame
    index: int
    form: PixelForm | None = None


class PlaneDecoder(Protocol):
    """Who decodes the planes of a volume: this process, or others beside it."""

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array for a volume, which `decode` of the same decoder can fill."""

    def decode(
        self, orders: Sequence[PlaneOrder], target: Array, on_plane: Callable[[int], None]
    ) -> None:
        """Fill slices of the target; tell how many more are done as they are.

        Raises
        ------
        PixelDecodeError
            A plane does not decode, or its values do not fit.
        """


class LocalDecoder:
    """Decodes in this process: plain pixels on threads, compressed ones one after the other.

    The compressed syntaxes' decoders hold the interpreter lock, so threads gain nothing there.
    """

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array in this process's memory."""
        return np.empty(shape, dtype)

    def decode(
        self, orders: Sequence[PlaneOrder], target: Array, on_plane: Callable[[int], None]
    ) -> None:
        """Fill slices of the target.

        Raises
        ------
        PixelDecodeError
            A plane does not decode, or its values do not fit.
        """

        def some(start: int) -> int:
            batch = orders[start : start + _PLANES_AT_ONCE]
            for order in batch:
                decode_plane(order, target)
            return len(batch)

        plain = all(is_plain(order.frame) for order in orders)
        with ThreadPoolExecutor(threads() if plain else 1) as pool:
            for done in pool.map(some, range(0, len(orders), _PLANES_AT_ONCE)):
                on_plane(done)


def decode_plane(order: PlaneOrder, target: Array) -> None:
    """Decode and rescale a frame into its slice of a volume.

    Parameters
    ----------
    target
        (slice, row, column), of the type that `voxel_type` gives for the frames of the volume.

    Raises
    ------
    PixelDecodeError
        The pixel data is missing, cut short, in a syntax or state that no decoder takes, or its
        values do not fit.
    """
    frame, plane = order.frame, target[order.index]
    try:
        form = order.form or form_of(frame)
        if _reads_straight(frame, form, plane):
            _read_straight(frame, form, plane)
        else:
            _store(frame, form, _rescaled(frame, form, _stored(frame, form)), plane)
    except PixelDecodeError:
        raise
    except _DECODER_ERRORS as error:
        syntax = UID(frame.instance.transfer_syntax_uid).name
        raise PixelDecodeError(
            f"The pixel data of instance {frame.name} ({syntax}) is missing, cut short or damaged "
            f"({type(error).__name__}). Send the series again, or check it where it was made."
        ) from error


def _reads_straight(frame: Frame, form: PixelForm, plane: Array) -> bool:
    """Whether the stored bytes, plus a whole number, are the voxels."""
    if not is_plain(frame) or form.slope != 1.0 or form.has_table:
        return False
    if form.is_ct:
        return form.stored.itemsize == plane.dtype.itemsize
    return form.stored == plane.dtype and form.intercept == 0.0


def _read_straight(frame: Frame, form: PixelForm, plane: Array) -> None:
    """Read into the slice itself and add the intercept there."""
    stored = plane.view(form.stored)
    read_native(frame, stored)
    _drop_unused_bits(form, stored)
    if form.is_ct:
        intercept = int(form.intercept)
        addend = np.array(intercept % 2**_HOUNSFIELD_BITS).astype(stored.dtype)[()]
        lowest, highest = add_in_place(stored.reshape(-1), addend)
        _check_fits(frame, form, int(lowest) + intercept, int(highest) + intercept, plane.dtype)


def _drop_unused_bits(form: PixelForm, stored: Array) -> None:
    """Shift out what is above Bits Stored; the sign comes from the highest stored bit."""
    if form.unused_bits:
        np.left_shift(stored, form.unused_bits, out=stored)
        np.right_shift(stored, form.unused_bits, out=stored)


def _stored(frame: Frame, form: PixelForm) -> Array:
    """(row, column): the stored values of a frame."""
    shape = (int(frame.number_of("Rows") or 0), int(frame.number_of("Columns") or 0))
    if is_plain(frame):
        stored: Array = np.empty(shape, form.stored)
        read_native(frame, stored)
        _drop_unused_bits(form, stored)
        return stored
    decoded = decode(frame)
    if decoded.shape != shape:
        raise PixelDecodeError(
            f"Instance {frame.name} decodes to {decoded.shape}, its header says {shape}. Check the "
            "series where it was made."
        )
    return decoded


def _rescaled(frame: Frame, form: PixelForm, stored: Array) -> Array:
    """The values that stored ones stand for, in a type that holds them exactly."""
    if form.has_table:
        return np.asarray(apply_modality_lut(stored, frame.header))
    if not form.is_ct:
        if not form.is_rescaled:
            return stored
        return np.asarray(stored * form.slope + form.intercept)
    whole = form.slope == 1.0
    scaled = stored.astype(np.int64) if whole else np.trunc(form.slope * stored.astype(float))
    return np.asarray(scaled + int(form.intercept))


def _store(frame: Frame, form: PixelForm, values: Array, plane: Array) -> None:
    if plane.dtype.kind in "iu":
        _check_fits(frame, form, values.min(), values.max(), plane.dtype)
    plane[...] = values


def _check_fits(
    frame: Frame, form: PixelForm, lowest: float, highest: float, dtype: np.dtype[Any]
) -> None:
    """Raise where values would wrap."""
    limits = np.iinfo(dtype)
    if lowest < limits.min or highest > limits.max:
        unit = "Hounsfield Units" if form.is_ct else "as values"
        raise PixelDecodeError(
            f"Instance {frame.name} holds {lowest:.0f} to {highest:.0f} {unit}, more than "
            f"{limits.bits} bits take: its rescale or pixel data is wrong. Check the series where "
            "it was made."
        )
