"""Masks into packed words and back, for tests of what works on them."""

import numpy as np

from pipeline.kernels.packed import pack, runs_of
from pipeline.kernels.runs import encode, paint


def packed(mask):
    runs = encode(mask)
    return pack(runs, np.ones(runs.starts.size, dtype=bool))


def unpacked(words, columns):
    runs = runs_of(words, columns)
    return paint(runs, np.ones(runs.starts.size, dtype=bool))
