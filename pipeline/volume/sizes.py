"""Whether the pixels that headers declare can be in the files, asked before memory is taken."""

from collections.abc import Iterable
from math import prod

from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from pipeline.elements import Value
from pipeline.errors import PixelDecodeError, SeriesGeometryError
from pipeline.instance import Instance

# An even image packs well, but no codec makes a megabyte of less than some bytes.
_BEST_COMPRESSION = 10_000
_SMALL_FRAME_BYTES = 1 << 20
_FRAGMENT_HEADER_BYTES = 8
_MOST_VOLUME_BYTES = 8 << 30
_FLOAT_BITS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
_NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian})


def announced_frames(instance: Instance) -> int:
    """Number of Frames (0028,0008); 1 where there is none."""
    return _whole(instance.elements.get("NumberOfFrames") or 1)


def check_sizes(instances: Iterable[Instance]) -> None:
    """Raise where the pixel data of an instance cannot be what its header declares.

    Raises
    ------
    PixelDecodeError
        Pixel data is missing, cut short, far too long, or not as its transfer syntax has it.
    """
    for instance in {id(instance): instance for instance in instances}.values():
        _check_size(instance)


def check_volume(series: str, shape: tuple[int, ...], item_size: int) -> None:
    """Raise where a volume would take more memory than any real one.

    Raises
    ------
    SeriesGeometryError
        It would.
    """
    wanted = prod(shape) * item_size
    if wanted > _MOST_VOLUME_BYTES:
        raise SeriesGeometryError(
            series,
            f"its {' x '.join(str(size) for size in shape)} voxels would take "
            f"{wanted / 2**30:.0f} GiB, and at most {_MOST_VOLUME_BYTES >> 30} GiB are given to a "
            "volume. Send it in parts.",
        )


def _check_size(instance: Instance) -> None:
    pixels = instance.pixels
    if pixels is None:
        raise PixelDecodeError(
            f"Instance {instance.sop_instance_uid} has no pixel data. Send the series again, or "
            "check it where it was made."
        )
    if (pixels.length is None) == (instance.transfer_syntax_uid in _NATIVE):
        raise PixelDecodeError(
            f"The pixel data of instance {instance.sop_instance_uid} is not stored as its transfer "
            f"syntax {instance.transfer_syntax_uid} says: compressed and plain pixels are mixed "
            "up. Check the series where it was made."
        )
    header, frames = instance.elements, announced_frames(instance)
    wanted = _frame_bytes(instance) * frames
    there = max(0, instance.file_size - pixels.offset)
    if pixels.length is not None:
        cut_short = wanted > min(there, pixels.length)
    else:
        fragments_missing = frames * _FRAGMENT_HEADER_BYTES > there
        most = _BEST_COMPRESSION * there + _SMALL_FRAME_BYTES * frames
        cut_short = fragments_missing or wanted > most
    if frames < 1 or cut_short:
        raise PixelDecodeError(
            f"The pixel data of instance {instance.sop_instance_uid} is cut short: its header "
            f"declares {frames} frame(s) of {header.get('Rows')} x {header.get('Columns')}, and "
            f"the file has {there} bytes of them. Send the series again, or check it where it was "
            "made."
        )
    _check_not_longer(instance, wanted, pixels.length or 0)


def _check_not_longer(instance: Instance, wanted: int, length: int) -> None:
    """Raise where all frames would fit in twice: bits, matrix or frames must be wrong then."""
    if length >= 2 * wanted + 2:
        raise PixelDecodeError(
            f"Instance {instance.sop_instance_uid} declares {wanted} bytes of pixels and holds "
            f"{length}: Rows, Columns, Bits Allocated or Number of Frames is wrong. Check the "
            "series where it was made."
        )


def _frame_bytes(instance: Instance) -> int:
    header = instance.elements
    keyword = instance.pixels.keyword if instance.pixels else ""
    rows, columns = _whole(header.get("Rows")), _whole(header.get("Columns"))
    bits = _FLOAT_BITS.get(keyword) or _whole(header.get("BitsAllocated"))
    if min(rows, columns, bits) < 1:
        raise PixelDecodeError(
            f"Instance {instance.sop_instance_uid} does not say how large its pixels are: Rows, "
            "Columns or Bits Allocated is missing or no number above 0. Check the series where it "
            "was made."
        )
    return -(-rows * columns * bits // 8)


def _whole(value: Value) -> int:
    return int(value) if isinstance(value, int | float) else 0
