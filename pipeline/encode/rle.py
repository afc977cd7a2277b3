"""Planes of bytes as RLE Lossless pixel data.

The encoders that pydicom knows are not used: GDCM's (3.2.6) ends the process on a plane of an odd
number of pixels, pylibjpeg's and pydicom's own take ten times as long.

Source: PS3.5 A.4.2 (RLE image compression), G.5 (RLE header).
"""

import struct
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate

from pipeline.kernels.packbits import pack_rows

_MOST_SEGMENTS = 15
_ONE_SEGMENT = struct.pack("<16L", 1, 64, *(0,) * (_MOST_SEGMENTS - 1))


def rle_frame(plane: npt.NDArray[np.uint8]) -> bytes:
    """Compress a plane (row, column), to an even number of bytes."""
    packed = pack_rows(plane)
    return _ONE_SEGMENT + packed + bytes(len(packed) % 2)


def encapsulated(frames: Iterable[bytes]) -> bytes:
    """Pixel Data of compressed frames: a Basic Offset Table and one fragment a frame."""
    return encapsulate(list(frames))
