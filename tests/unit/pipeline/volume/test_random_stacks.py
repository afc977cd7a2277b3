"""Random series: the true volumes come back, or a refusal; never a wrong voxel."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.instance import Instance
from pipeline.volume import Fill, RebuildPolicy, Tilt, VolumeResult, build_volumes
from tests.support.stacks import (
    ORIENTATIONS,
    Grid,
    stored_plane,
    unwritten,
    write_planes,
)

MOST_PHASES = 4
# Enough to notice a change; thousands were run when the rules were made.
EXAMPLES = 80
Tell = Callable[[int, int], dict[str, object]]

# What tells phases apart: attributes by phase and index.
PLAIN: dict[str, Tell] = {
    "EchoNumbers": lambda phase, _: {"EchoNumbers": phase + 1},
    "EchoTime": lambda phase, _: {"EchoTime": 10 + 5 * phase},
    "TemporalPositionIdentifier": lambda phase, _: {"TemporalPositionIdentifier": phase + 1},
    "DiffusionBValue": lambda phase, _: {"DiffusionBValue": 400.0 * phase},
    "ImageType": lambda phase, _: {"ImageType": ["ORIGINAL", "PRIMARY", "MPRI"[phase]]},
    "TriggerTime": lambda phase, _: {"TriggerTime": 35 * phase},
    "two together": lambda phase, _: {
        "EchoTime": 10 + phase % 2,
        "ImageType": ["ORIGINAL", "PRIMARY", "MP"[phase // 2]],
    },
    "EchoTime among acquisitions": lambda phase, index: {
        "EchoTime": 10 + 5 * phase,
        "AcquisitionNumber": index % 2 + 1,
        "AcquisitionTime": f"1010{phase:02}.{index:06}",
    },
}
REPEATED: dict[str, Tell] = {
    "AcquisitionNumber": lambda phase, _: {"AcquisitionNumber": phase + 1},
    "AcquisitionTime": lambda phase, _: {"AcquisitionTime": f"1010{phase:02}"},
}
ORDERED: dict[str, Tell] = {
    "TriggerTime by slice": lambda phase, index: {"TriggerTime": 35 * phase + index},
    "AcquisitionTime by slice": lambda phase, index: {
        "AcquisitionTime": f"1010{phase:02}.{index:06}"
    },
    "AcquisitionTime slice by slice": lambda phase, index: {
        "AcquisitionTime": f"10{index:02}{phase:02}"
    },
}
NOTHING: dict[str, Tell] = {"nothing": lambda _phase, _index: {}}
CONTRAST = PLAIN.keys() - {"TriggerTime"}
TELLS = {**PLAIN, **REPEATED, **ORDERED, **NOTHING}


@dataclass(frozen=True)
class Series:
    """A series as drawn; planes are (phase, index)."""

    grid: Grid
    count: int
    phases: int
    told_by: str
    numbering: str
    planes: tuple[tuple[int, int], ...]
    offsets_mm: tuple[float, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all planes are there."""
        return len(self.planes) == self.count * self.phases

    def number(self, phase: int, index: int) -> int | None:
        """Instance Number."""
        match self.numbering:
            case "phase after phase":
                return phase * self.count + index + 1
            case "position after position":
                return index * self.phases + phase + 1
            case "downwards":
                return phase * self.count + self.count - index
            case _:
                return None

    def position_mm(self, index: int) -> npt.NDArray[np.float64]:
        """Image Position (Patient) with its jitter."""
        return self.grid.position_mm(index) + self.offsets_mm[index] * self.grid.normal

    def instances(self, pixels: Path) -> list[Instance]:
        """In the order drawn."""
        return [self._instance(pixels, phase, index) for phase, index in self.planes]

    def _instance(self, pixels: Path, phase: int, index: int) -> Instance:
        position = [f"{value:.10g}" for value in self.position_mm(index)]
        attributes = {
            "InstanceNumber": self.number(phase, index),
            "ImagePositionPatient": position,
            **TELLS[self.told_by](phase, index),
        }
        return unwritten(pixels, index, phase, grid=self.grid, **attributes)


@st.composite
def series(draw: st.DrawFn) -> Series:
    """Any orientation, spacing, phases, numbering, file order, losses and jitter."""
    spacing = draw(st.sampled_from([0.3, 0.7, 1.25, 2.5, 7.0]))
    tilts = st.sampled_from([(0.0, 0.0)] * 3 + [(0.2 * spacing, 0.0), (0.1, -0.3 * spacing)])
    grid = Grid(draw(st.sampled_from(ORIENTATIONS)), spacing, shift_mm=draw(tilts))
    count = draw(st.integers(3, 7))
    phases = draw(st.integers(1, MOST_PHASES))
    everything = [(phase, index) for phase in range(phases) for index in range(count)]
    losses = st.lists(st.sampled_from(everything), max_size=draw(st.sampled_from([0, 0, 1, 4, 9])))
    lost = set(draw(losses))
    kept = draw(st.permutations([plane for plane in everything if plane not in lost]))
    jitter = draw(st.sampled_from([0.0, 0.0, 0.05 * min(1.0, spacing), 0.4 * spacing]))
    steps = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=count, max_size=count)
    offsets = tuple(jitter * step for step in draw(steps))
    return Series(
        grid=grid,
        count=count,
        phases=phases,
        told_by=draw(st.sampled_from(sorted(TELLS))),
        numbering=draw(
            st.sampled_from(["phase after phase", "position after position", "downwards", "none"])
        ),
        planes=tuple(kept),
        offsets_mm=offsets,
    )


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pixels of all planes."""
    return write_planes(tmp_path_factory.mktemp("planes") / "planes.bin", MOST_PHASES)


def planes_of(result: VolumeResult) -> list[tuple[int, int]]:
    """Phase and index of what was kept, from its UIDs."""
    return [_named(uid) for uid in result.receipt.kept]


def _named(uid: str) -> tuple[int, int]:
    *_, phase, index = uid.split(".")
    return int(phase), int(index)


def check(drawn: Series, result: VolumeResult) -> None:
    """Every slice is the plane that was measured there, and all are of one phase."""
    kept = planes_of(result)
    dropped = [_named(item.name) for item in result.receipt.dropped]
    assert sorted(kept + dropped) == sorted(drawn.planes)
    expected = np.stack([stored_plane(index, phase) for phase, index in kept])
    assert np.array_equal(result.volume.voxels, expected)
    tolerance = RebuildPolicy().tolerance_for(result.volume.geometry.spacing.slice_mm)
    for slot, (_, index) in enumerate(kept):
        off = result.volume.geometry.to_patient([slot, 0, 0]) - drawn.position_mm(index)
        assert np.linalg.norm(off) <= 1.5 * tolerance
    assert_of_one_phase(drawn, result)


def assert_of_one_phase(drawn: Series, result: VolumeResult) -> None:
    """Phases do not mix.

    Acquisitions may: where one goes on where the other ended, and where they share no position, as
    in interleaved and slice-by-slice scans.
    """
    phases = {phase for phase, _ in planes_of(result)}
    if drawn.told_by not in CONTRAST and result.receipt.rule == "every position once":
        return
    if drawn.told_by in REPEATED and "by acquisition" in result.receipt.rule:
        for one, other in combinations(phases, 2):
            places = [
                {index for at, index in drawn.planes if at == phase} for phase in (one, other)
            ]
            assert not places[0] & places[1] or all(map(is_run, places))
    else:
        assert len(phases) == 1, "phases are mixed"


def is_run(places: set[int]) -> bool:
    """Whether indices follow one another; in a stack from which positions are lost, nearly so."""
    return max(places) - min(places) + 1 <= len(places) + 1


@settings(deadline=None, derandomize=True, max_examples=EXAMPLES)
@given(drawn=series())
def test_a_random_series_gives_its_true_volumes_or_a_refusal(pixels: Path, drawn: Series) -> None:
    try:
        results = list(build_volumes(drawn.instances(pixels)))
    except PipelineError as refused:
        event(f"refused: {type(refused).__name__}")
        return
    event(f"{len(results)} volumes")
    for result in results:
        check(drawn, result)


@settings(deadline=None, derandomize=True, max_examples=EXAMPLES)
@given(drawn=series().filter(lambda drawn: drawn.is_whole and not any(drawn.grid.shift_mm)))
def test_a_whole_series_gives_all_its_volumes(pixels: Path, drawn: Series) -> None:
    """Without losses nothing that can be told apart is refused or left out."""
    if max(map(abs, drawn.offsets_mm)) > 0.1 * drawn.grid.spacing_mm:
        return
    told = drawn.phases == 1 or drawn.told_by != "nothing"
    by_number = drawn.numbering in ("phase after phase", "downwards")
    if drawn.told_by in ORDERED and drawn.numbering == "none":
        return
    if not told and not by_number:
        with pytest.raises(PipelineError, match="nothing in their headers"):
            list(build_volumes(drawn.instances(pixels)))
        return
    results = list(build_volumes(drawn.instances(pixels)))
    assert len(results) == (drawn.phases if told else 1)
    for result in results:
        check(drawn, result)
        assert len(result.receipt.kept) == drawn.count


@settings(deadline=None, derandomize=True, max_examples=EXAMPLES)
@given(drawn=series())
def test_interpolation_and_resampling_keep_what_was_measured(pixels: Path, drawn: Series) -> None:
    """With every policy on, measured slices stay as they are, unless the stack was tilted."""
    policy = RebuildPolicy(fill=Fill.INTERPOLATE, tilt=Tilt.RESAMPLE)
    try:
        results = list(build_volumes(drawn.instances(pixels), policy))
    except PipelineError:
        return
    for result in results:
        kept = planes_of(result)
        assert_of_one_phase(drawn, result)
        assert len(result.volume.sources) == len(result.volume.voxels)
        if not any(drawn.grid.shift_mm):
            heights = [drawn.position_mm(index) @ drawn.grid.normal for _, index in kept]
            spacing = result.volume.geometry.spacing.slice_mm
            slots = np.rint((np.array(heights) - heights[0]) / spacing).astype(int)
            measured = np.stack([stored_plane(index, phase) for phase, index in kept])
            assert np.array_equal(result.volume.voxels[slots], measured)
