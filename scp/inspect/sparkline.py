"""A histogram in one line of text."""

import numpy as np

from scp.inspect.values import Histogram

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = ".:-=+*%#"

_BINS = 56


def sparkline(histogram: Histogram, ramp: str) -> str:
    """Counts on a logarithmic scale, a character a bin; blank where there are none.

    Parameters
    ----------
    histogram
        Of any number of bins.
    ramp
        Characters from low to high, `BLOCKS` or `PLAIN` where the terminal has no such.
    """
    counts = histogram.coarser(_BINS).counts
    heights = np.log1p(counts) / np.log1p(counts.max())
    steps = np.ceil(heights * len(ramp)).astype(int)
    return "".join(ramp[step - 1] if step else " " for step in steps)
