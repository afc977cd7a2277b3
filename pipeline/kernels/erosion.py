"""Erosion by the cross of six neighbours, sixty-four voxels at a time."""

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel
from pipeline.kernels.packed import WORD_BITS
from pipeline.kernels.slabs import in_slabs

WordArray = npt.NDArray[np.uint64]


def erode(words: WordArray) -> WordArray:
    """Keep the voxels whose six neighbours are all set; outside of the mask nothing is.

    Parameters
    ----------
    words
        As `pipeline.kernels.packed` lays them out. Not changed.

    Source: ``scipy.ndimage.binary_erosion`` with its default structure and border.
    """
    slices, _rows, row_words = words.shape
    eroded = np.zeros_like(words)
    flat, target = words.reshape(slices, -1), eroded.reshape(slices, -1)
    in_slabs(lambda first, last: _erode(flat, target, row_words, first, last), slices - 2)
    return eroded


@kernel
def _erode(words: WordArray, eroded: WordArray, row_words: int, first: int, last: int) -> None:
    """Erode slices, each in one line: the bit before a row is the never set last one of another."""
    one, top = np.uint64(1), np.uint64(WORD_BITS - 1)
    for index in range(1 + first, 1 + last):
        below, here, above = words[index - 1], words[index], words[index + 1]
        target = eroded[index]
        for word in range(row_words, here.size - row_words):
            before = (here[word] << one) | (here[word - 1] >> top)
            after = (here[word] >> one) | (here[word + 1] << top)
            in_row = here[word] & before & after
            in_slice = in_row & here[word - row_words] & here[word + row_words]
            target[word] = in_slice & below[word] & above[word]
