"""Linear resampling of 8-bit volumes, to the last bit what `scipy.ndimage.zoom` gives.

scipy forms each voxel from its eight neighbours in float64, in a fixed order, and rounds halves
up. Here the same sum is formed in float32, a row at a time, with a known bound on its error. Only
a voxel whose sum lies so near a half that the bound does not decide is formed again scipy's way.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.compiled import kernel
from pipeline.kernels.slabs import in_slabs

ByteArray = npt.NDArray[np.uint8]
IndexArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]

# On its way into a sum a voxel is rounded nine times at most (shares, products, additions), each
# time by no more than 2**-24 of 255.5: 1.4e-4 together.
_DOUBT = np.float32(3e-4)


class Taps(NamedTuple):
    """Where the samples along one axis come from.

    Parameters
    ----------
    indices
        (2, sample): the voxels below and above, of those the axis has.
    weights
        (2, sample): their shares.
    """

    indices: IndexArray
    weights: FloatArray


class _Edge(NamedTuple):
    """The four rows of voxels around a row of samples.

    Parameters
    ----------
    slices, rows
        (2,): the two slices and the two rows in each.
    slice_weights, row_weights
        (2,): their shares.
    """

    slices: IndexArray
    rows: IndexArray
    slice_weights: FloatArray
    row_weights: FloatArray


def zoom_step(size: int, samples: int) -> float:
    """The distance of neighbouring samples in voxels: first and last samples lie on the ends.

    Parameters
    ----------
    size, samples
        How many voxels and samples the axis has, 1 or more. A single sample is the first voxel.
    """
    return (size - 1) / (samples - 1) if samples > 1 else 1.0


def linear_taps(size: int, samples: int, start: int, stop: int) -> Taps:
    """Weigh the neighbours of the samples ``start`` to ``stop`` of an axis.

    The last sample can come to lie a rounding error beyond the last voxel. As in scipy, its
    shares follow from the raw coordinate, and the voxel that is not there is the last one.

    Parameters
    ----------
    size, samples
        How many voxels and samples the whole axis has.
    start, stop
        The samples that are wanted.
    """
    coordinates = np.arange(start, stop) * zoom_step(size, samples)
    below = np.floor(coordinates)
    below_share = 1.0 - (coordinates - below)
    indices = np.minimum(np.stack((below, below + 1)).astype(np.int64), size - 1)
    return Taps(indices, np.stack((below_share, 1.0 - below_share)))


def resample_linear(voxels: ByteArray, taps: tuple[Taps, Taps, Taps]) -> ByteArray:
    """Interpolate between the eight neighbours of every sample.

    Parameters
    ----------
    voxels
        (slice, row, column). Not changed.
    taps
        Of the three axes; their indices count from the first voxel of ``voxels``.

    Returns
    -------
    (slice, row, column), as many along each axis as it has samples.

    Source: `scipy.ndimage.zoom` of scipy 1.17 with ``order=1``, ``mode="nearest"``.
    """
    slices, rows, columns = taps
    shape = [axis.indices.shape[1] for axis in taps]
    samples = np.empty(shape, dtype=np.uint8)

    def fill(start: int, stop: int) -> None:
        part = Taps(slices.indices[:, start:stop], slices.weights[:, start:stop])
        _fill_slices(voxels, (part, rows, columns), samples[start:stop])

    in_slabs(fill, len(samples))
    return samples


@kernel
def _fill_slices(voxels: ByteArray, taps: tuple[Taps, Taps, Taps], samples: ByteArray) -> None:
    """Fill every row of ``samples``: quickly, then the voxels in doubt exactly."""
    slices, rows, columns = taps
    blended = np.empty(voxels.shape[2], np.float32)
    sums = np.empty(samples.shape[2], np.float32)
    for index in range(samples.shape[0]):
        for row in range(samples.shape[1]):
            edge = _Edge(
                slices.indices[:, index],
                rows.indices[:, row],
                slices.weights[:, index],
                rows.weights[:, row],
            )
            _blend_rows(voxels, edge, blended)
            _sum_along_row(blended, columns, sums)
            if _round_row(sums, samples[index, row]):
                _settle_row(voxels, edge, columns, sums, samples[index, row])


@kernel
def _blend_rows(voxels: ByteArray, edge: _Edge, blended: SingleArray) -> None:
    """Blend the four rows of voxels into one."""
    lower, upper = voxels[edge.slices[0]], voxels[edge.slices[1]]
    lower_first, lower_second = lower[edge.rows[0]], lower[edge.rows[1]]
    upper_first, upper_second = upper[edge.rows[0]], upper[edge.rows[1]]
    lower_first_share = np.float32(edge.slice_weights[0] * edge.row_weights[0])
    lower_second_share = np.float32(edge.slice_weights[0] * edge.row_weights[1])
    upper_first_share = np.float32(edge.slice_weights[1] * edge.row_weights[0])
    upper_second_share = np.float32(edge.slice_weights[1] * edge.row_weights[1])
    for column in range(blended.size):
        blended[column] = (
            np.float32(lower_first[column]) * lower_first_share
            + np.float32(lower_second[column]) * lower_second_share
            + np.float32(upper_first[column]) * upper_first_share
            + np.float32(upper_second[column]) * upper_second_share
        )


@kernel
def _sum_along_row(blended: SingleArray, columns: Taps, sums: SingleArray) -> None:
    """Interpolate along the blended row, and add a half: the whole part is then the nearest."""
    indices, weights = columns.indices, columns.weights
    for column in range(sums.size):
        sums[column] = (
            blended[indices[0, column]] * np.float32(weights[0, column])
            + blended[indices[1, column]] * np.float32(weights[1, column])
            + np.float32(0.5)
        )


@kernel
def _round_row(sums: SingleArray, samples: ByteArray) -> bool:
    """Take the whole part of every sum; tell whether any is in doubt."""
    doubtful = False
    for column in range(sums.size):
        samples[column] = np.int32(sums[column])
        doubtful |= _is_doubtful(sums[column])
    return doubtful


@kernel
def _is_doubtful(total: np.float32) -> bool:
    """Whether the error of a sum may have carried it over a whole number."""
    part = total - np.float32(np.int32(total))
    return bool((part < _DOUBT) | (part > np.float32(1.0) - _DOUBT))


@kernel
def _settle_row(
    voxels: ByteArray, edge: _Edge, columns: Taps, sums: SingleArray, samples: ByteArray
) -> None:
    """Form the samples in doubt anew in float64, neighbour by neighbour in scipy's order."""
    for column in range(samples.size):
        if _is_doubtful(sums[column]):
            total = 0.0
            for i in range(2):
                for j in range(2):
                    for k in range(2):
                        voxel = voxels[edge.slices[i], edge.rows[j], columns.indices[k, column]]
                        share = voxel * edge.slice_weights[i] * edge.row_weights[j]
                        total += share * columns.weights[k, column]
            samples[column] = np.uint8(total + 0.5)
