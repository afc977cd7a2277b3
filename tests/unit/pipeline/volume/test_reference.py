"""Where the reference's `load_scan` is sound, the rebuild gives the same slices in the same order.

Source: seed 003, ``load_scan``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.instance import Instance
from pipeline.volume import build_volume
from tests.support.stacks import Grid, stored_plane, unwritten, write_planes

MOST_PASSES = 3


@dataclass(frozen=True)
class Slice:
    """What `load_scan` looks at, and which plane it is."""

    z_mm: float
    number: int
    phase: int
    index: int


def reference(slices: list[Slice]) -> tuple[list[Slice], float]:
    """The slices that the reference keeps, from the lowest up, and its slice thickness.

    Sorted by z, it counts how often the lowest z occurs; where that is m times and more than one,
    the first len / m by Instance Number stay.
    """
    by_height = sorted(slices, key=lambda item: item.z_mm)
    times = sum(item.z_mm == by_height[0].z_mm for item in by_height)
    if times > 1:
        share = int(len(by_height) / times)
        by_number = sorted(by_height, key=lambda item: float(item.number))
        by_height = sorted(by_number[:share], key=lambda item: item.z_mm)
    return by_height, abs(by_height[0].z_mm - by_height[1].z_mm)


def is_sound(kept: list[Slice], slices: list[Slice], spacing_mm: float) -> bool:
    """Whether the reference's result has every position once, at even distances, of one pass."""
    heights = [item.z_mm for item in kept]
    return (
        sorted(set(heights)) == sorted({item.z_mm for item in slices}) == heights
        and np.allclose(np.diff(heights), spacing_mm, atol=1e-6)
        and len({item.phase for item in kept}) == 1
    )


@st.composite
def axial_series(draw: st.DrawFn) -> tuple[Grid, list[Slice]]:
    """An axial series, some or all of its positions scanned again, in any file order."""
    spacing = draw(st.sampled_from([0.625, 1.0, 2.5, 5.0, 8.0]))
    start = draw(st.floats(-1500, 1500).map(lambda value: round(value, 3)))
    grid = Grid(spacing_mm=spacing, origin_mm=(-20.0, 11.5, start))
    count = draw(st.integers(3, 12))
    passes = draw(st.integers(1, MOST_PASSES))
    upward = draw(st.booleans())
    first = draw(st.sampled_from([0, 1, 17]))
    slices = []
    for phase in range(passes):
        indices = range(count)
        if phase and draw(st.integers(0, 3)) == 0:
            indices = sorted(draw(st.sets(st.integers(0, count - 1))))
        for index in indices:
            place = index if upward else count - 1 - index
            number = first + phase * count + place
            slices.append(Slice(start + index * spacing, number, phase, index))
    return grid, draw(st.permutations(slices))


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pixels of all planes."""
    return write_planes(tmp_path_factory.mktemp("planes") / "planes.bin", MOST_PASSES)


def instances_of(pixels: Path, grid: Grid, slices: list[Slice]) -> list[Instance]:
    """The instances of slices."""
    x, y, _ = grid.origin_mm
    return [
        unwritten(
            pixels,
            item.index,
            item.phase,
            grid=grid,
            InstanceNumber=item.number,
            ImagePositionPatient=[f"{value:.10g}" for value in (x, y, item.z_mm)],
        )
        for item in slices
    ]


@settings(deadline=None, derandomize=True, max_examples=100)
@given(drawn=axial_series())
def test_rebuild_gives_what_the_reference_gives_where_it_is_sound(
    pixels: Path, drawn: tuple[Grid, list[Slice]]
) -> None:
    """Same slices, same order, same thickness."""
    grid, slices = drawn
    slices = [
        Slice(float(f"{item.z_mm:.10g}"), item.number, item.phase, item.index) for item in slices
    ]
    kept, thickness = reference(slices)
    assume(is_sound(kept, slices, grid.spacing_mm))
    result = build_volume(instances_of(pixels, grid, slices))
    expected = np.stack([stored_plane(item.index, item.phase) for item in kept])
    assert np.array_equal(result.volume.voxels, expected)
    assert result.receipt.slice_thickness_mm == thickness
    assert result.volume.geometry.spacing.slice_mm == pytest.approx(thickness, abs=1e-4)


def test_the_reference_drops_half_a_scan_where_one_position_is_doubled() -> None:
    """Why the rule is checked: 20 slices, the first one twice, and ten are left."""
    slices = [Slice(float(index), index + 1, 0, index) for index in range(20)]
    kept, _ = reference([*slices, Slice(0.0, 21, 1, 0)])
    assert len(kept) == 10
    assert not is_sound(kept, slices, 1.0)


def test_one_position_doubled_keeps_the_whole_scan(pixels: Path) -> None:
    slices = [Slice(float(index), index + 1, 0, index) for index in range(20)]
    doubled = [*slices, Slice(0.0, 21, 1, 0)]
    result = build_volume(instances_of(pixels, Grid(spacing_mm=1.0), doubled))
    expected = np.stack([stored_plane(index) for index in range(20)])
    assert np.array_equal(result.volume.voxels, expected)
    assert result.receipt.rule.startswith("1 of 20 positions shared; the first by acquisition")
