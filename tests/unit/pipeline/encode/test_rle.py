"""Planes as RLE Lossless frames."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders import RLELosslessDecoder

from pipeline.encode.rle import encapsulated, rle_frame

planes = npst.arrays(
    np.uint8,
    npst.array_shapes(min_dims=2, max_dims=2, max_side=200),
    elements=st.sampled_from([0, 1, 255]),
)


def decoded(frame: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """By pydicom's own decoder, which is in Python."""
    rows, columns = shape
    pixels, _ = RLELosslessDecoder.as_array(
        encapsulated([frame]),
        decoding_plugin="pydicom",
        rows=rows,
        columns=columns,
        number_of_frames=1,
        samples_per_pixel=1,
        bits_allocated=8,
        bits_stored=8,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        pixel_keyword="PixelData",
    )
    return pixels


@settings(max_examples=50, deadline=None)
@given(plane=planes)
def test_any_plane_comes_back(plane: np.ndarray) -> None:
    np.testing.assert_array_equal(decoded(rle_frame(plane), plane.shape), plane)


@pytest.mark.parametrize(
    ("row", "packed"),
    [
        ([7], "00 07"),
        ([7, 7], "01 07 07"),
        ([7, 7, 7], "fe 07"),
        ([1, 2, 2, 3, 3, 3], "02 01 02 02 fe 03"),
        ([3, 3, 3, 1, 2], "fe 03 01 01 02"),
        ([5] * 130, "81 05 01 05 05"),
    ],
)
def test_runs_of_three_and_more_are_written_once(row: list[int], packed: str) -> None:
    """In the layout of PS3.5 annex G: a count of 257 - n for n equal bytes, n - 1 for others."""
    frame = rle_frame(np.array([row], np.uint8))
    wanted = bytes.fromhex(packed)
    assert frame[:64] == struct.pack("<2L", 1, 64) + bytes(56)
    assert frame[64:] == wanted + bytes(len(wanted) % 2)


@pytest.mark.parametrize("columns", [1, 127, 128, 129, 255, 256, 257, 1000])
def test_bytes_that_never_repeat_take_one_more_for_each_128(columns: int) -> None:
    plane = np.resize(np.array([1, 2], np.uint8), (3, columns))
    packed = 3 * (columns + -(-columns // 128))
    assert len(rle_frame(plane)) == 64 + packed + packed % 2


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order_changes_no_byte(order: str) -> None:
    plane = np.arange(200, dtype=np.uint8).reshape(10, 20)
    laid_out = np.array(plane, order=order)
    assert rle_frame(laid_out) == rle_frame(plane)


def test_each_frame_is_a_fragment_found_by_its_offset() -> None:
    frames = [rle_frame(np.full((3, 5), value, np.uint8)) for value in (0, 7, 255)]
    content = encapsulated(frames)
    assert list(generate_frames(content, number_of_frames=3)) == frames
    offsets = np.frombuffer(content[8:20], "<u4")
    assert offsets.tolist() == [sum(len(item) + 8 for item in frames[:n]) for n in range(3)]
