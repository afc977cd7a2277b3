"""Dilation by whole steps along the axes, sixty-four voxels at a time.

Voxels are packed into words, and a step moves whole slices of words as if each were one long row:
what runs over the end of a row comes to lie in spare bits, of which every row has more than there
are steps. So it never gets to the next row, and no word needs to know where its row ends.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel
from pipeline.kernels.slabs import in_slabs

BoolArray = npt.NDArray[np.bool_]
WordArray = npt.NDArray[np.uint64]

_WORD_BITS = 64


@dataclass(frozen=True, eq=False, slots=True)
class PackedMask:
    """A mask with a bit a voxel, and the room to grow it.

    Parameters
    ----------
    words
        (1 + slice + 1, 1 + row + 1, word), uint64: column c is bit c % 64 of word c // 64. The
        slices and rows around it stay empty; bits after the last column mean nothing.
    shape
        (slice, row, column) of the mask.
    steps
        How often it can be dilated in all.
    """

    words: WordArray
    shape: tuple[int, int, int]
    steps: int

    @classmethod
    def empty(cls, shape: tuple[int, int, int], steps: int) -> "PackedMask":
        """Nothing set yet: paint slice ``index`` into ``words[1 + index, 1:-1]``."""
        slices, rows, columns = shape
        row_words = (columns + steps) // _WORD_BITS + 1
        return cls(np.zeros((slices + 2, rows + 2, row_words), np.uint64), shape, steps)

    def slice_mask(self, index: int) -> BoolArray:
        """(row, column) of one slice."""
        octets = self.words[1 + index, 1:-1].astype("<u8", copy=False).view(np.uint8)
        columns = self.shape[2]
        return np.unpackbits(octets, axis=1, count=columns, bitorder="little").view(np.bool_)


@kernel
def set_span(row: WordArray, first: int, stop: int) -> None:
    """Set the columns ``first`` to ``stop - 1`` of a packed row.

    Parameters
    ----------
    row
        (word,), changed.
    first, stop
        Nothing is set where ``stop`` is not above ``first``.
    """
    ones = ~np.uint64(0)
    for word in range(first // _WORD_BITS, (stop + _WORD_BITS - 1) // _WORD_BITS):
        start = max(first - word * _WORD_BITS, 0)
        unused = max((word + 1) * _WORD_BITS - stop, 0)
        if start + unused < _WORD_BITS:
            row[word] |= (ones << np.uint64(start)) & (ones >> np.uint64(unused))


def dilate(mask: PackedMask) -> PackedMask:
    """Add every voxel that can be reached in ``mask.steps`` steps to a neighbour along an axis.

    Parameters
    ----------
    mask
        Its words are used up as working memory.

    Returns
    -------
    One that allows for no further step.

    Source: `scipy.ndimage.binary_dilation` with the structure of connectivity 1 and as many
    iterations; outside of the volume nothing is set.
    """
    slices, _rows, row_words = mask.words.shape
    source = mask.words.reshape(slices, -1)
    target = np.zeros_like(source)
    for _ in range(mask.steps):
        in_slabs(partial(_step, source, target, row_words), slices - 2)
        source, target = target, source
    return PackedMask(source.reshape(mask.words.shape), mask.shape, 0)


@kernel
def _step(source: WordArray, target: WordArray, row_words: int, start: int, stop: int) -> None:
    """Write the slices ``start`` to ``stop - 1``, not counting the frame, one step larger."""
    one, high = np.uint64(1), np.uint64(_WORD_BITS - 1)
    for index in range(start + 1, stop + 1):
        below, here, above = source[index - 1], source[index], source[index + 1]
        grown = target[index]
        for word in range(row_words, here.size - row_words):
            bits = here[word]
            along = bits | (bits << one) | (bits >> one)
            along |= (here[word - 1] >> high) | (here[word + 1] << high)
            across = here[word - row_words] | here[word + row_words]
            grown[word] = along | across | below[word] | above[word]
