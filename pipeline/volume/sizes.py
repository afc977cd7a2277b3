"""Whether the pixels that headers declare can be in the files, asked before memory is taken."""

from collections.abc import Sequence
from math import prod

import numpy as np

from pipeline.errors import PixelDecodeError, SeriesGeometryError
from pipeline.instance import Instance
from pipeline.volume.frame import Frame

# An even image packs well, but no codec makes a megabyte of less than some bytes.
_BEST_COMPRESSION = 10_000
_SMALL_FRAME_BYTES = 1 << 20
_FRAGMENT_HEADER_BYTES = 8
_MOST_VOLUME_BYTES = 8 << 30


def check_sizes(frames: Sequence[Frame]) -> None:
    """Raise where an instance is too short for what its header declares.

    Raises
    ------
    PixelDecodeError
        Pixel data is missing, or cut short, or its size is made up.
    """
    for instance in {id(frame.instance): frame.instance for frame in frames}.values():
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
    header = instance.header
    frames = int(header.get("NumberOfFrames") or 1)
    frame_bytes = _frame_bytes(instance)
    there = max(0, instance.file_size - pixels.offset)
    if pixels.length is not None:
        cut_short = frame_bytes * frames > min(there, pixels.length)
    else:
        fragments_missing = frames * _FRAGMENT_HEADER_BYTES > there
        most = _BEST_COMPRESSION * there + _SMALL_FRAME_BYTES * frames
        cut_short = fragments_missing or frame_bytes * frames > most
    if frames < 1 or cut_short:
        raise PixelDecodeError(
            f"The pixel data of instance {instance.sop_instance_uid} is cut short: its header "
            f"declares {frames} frame(s) of {header.get('Rows')} x {header.get('Columns')}, and "
            f"the file has {there} bytes of them. Send the series again, or check it where it was "
            "made."
        )


def _frame_bytes(instance: Instance) -> int:
    header = instance.header
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(
        instance.pixels.keyword if instance.pixels else "", header.get("BitsAllocated")
    )
    try:
        return int(np.ceil(int(header.Rows) * int(header.Columns) * int(bits) / 8))
    except (AttributeError, TypeError, ValueError):
        raise PixelDecodeError(
            f"Instance {instance.sop_instance_uid} does not say how large its pixels are: Rows, "
            "Columns or Bits Allocated is missing or no number. Check the series where it was made."
        ) from None
