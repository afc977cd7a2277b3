"""Positions that are shared: phases are split, passes kept one by one, mixtures refused."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.errors import SeriesGeometryError
from pipeline.volume import Fill, Phases, RebuildPolicy, VolumeResult, build_volumes
from tests.support.stacks import plane_dataset, stack, stored_planes, written

Tell = Callable[[int, int], Mapping[str, object]]

COUNT = 5
TELLS: dict[str, Tell] = {
    "AcquisitionNumber": lambda phase, _: {"AcquisitionNumber": phase + 1},
    "TemporalPositionIdentifier": lambda phase, _: {"TemporalPositionIdentifier": phase + 1},
    "EchoNumbers": lambda phase, _: {"EchoNumbers": phase + 1},
    "EchoTime": lambda phase, _: {"EchoTime": [4.6, 9.2, 13.8][phase]},
    "DiffusionBValue": lambda phase, _: {"DiffusionBValue": 500.0 * phase},
    "TriggerTime": lambda phase, _: {"TriggerTime": 40 * phase},
    "AcquisitionTime": lambda phase, _: {"AcquisitionTime": f"10100{phase}"},
    "ImageType": lambda phase, _: {"ImageType": ["ORIGINAL", "PRIMARY", "MPR"[phase]]},
    "FlipAngle": lambda phase, _: {"FlipAngle": 5 * (phase + 1)},
    "ConvolutionKernel": lambda phase, _: {"ConvolutionKernel": ["B30f", "B50f", "B70f"][phase]},
    "KVP": lambda phase, _: {"KVP": [80, 100, 140][phase]},
}


def build(
    folder: Path, slices: Sequence[Dataset], policy: RebuildPolicy | None = None
) -> list[VolumeResult]:
    """All volumes of slices, through files."""
    return list(build_volumes(written(folder, slices), policy))


def shuffled(slices: Sequence[Dataset]) -> list[Dataset]:
    """Slices in an order of no meaning, always the same."""
    order = np.random.default_rng(5).permutation(len(slices))
    return [slices[index] for index in order]


def uids(slices: Sequence[Dataset]) -> set[str]:
    """SOP Instance UIDs of slices."""
    return {str(dataset.SOPInstanceUID) for dataset in slices}


def dropped(result: VolumeResult) -> set[str]:
    """What the receipt names as dropped."""
    return {item.name for item in result.receipt.dropped}


@pytest.mark.parametrize("numbering", ["phase by phase", "slice by slice", "none"])
@pytest.mark.parametrize("keyword", TELLS)
def test_phases_become_volumes_whatever_tells_them_apart(
    tmp_path: Path, keyword: str, numbering: str
) -> None:
    """Case 2: in any file order, with any Instance Numbers or none."""
    numbers = {
        "phase by phase": lambda phase, index: phase * COUNT + index + 1,
        "slice by slice": lambda phase, index: index * 3 + phase + 1,
        "none": lambda _phase, _index: None,
    }[numbering]

    def tell(phase: int, index: int) -> dict[str, object]:
        return {**TELLS[keyword](phase, index), "InstanceNumber": numbers(phase, index)}

    slices = stack(COUNT, phases=3, tell=tell)
    results = build(tmp_path, shuffled(slices))
    assert len(results) == 3
    for result in results:
        assert result.volume.phase is not None
        phase = int(str(result.receipt.kept[0]).split(".")[-2])
        assert np.array_equal(result.volume.voxels, stored_planes(range(COUNT), phase))
        assert result.receipt.rule == f"split by {keyword}"
        assert [name for name, _ in result.volume.phase.attributes] == [keyword]
        assert len(dropped(result)) == 2 * COUNT
        assert {item.reason for item in result.receipt.dropped} == {
            "of another volume of the series"
        }
    if numbering != "none" or keyword not in ("ImageType", "ConvolutionKernel"):
        phases = [int(str(result.receipt.kept[0]).split(".")[-2]) for result in results]
        assert phases == [0, 1, 2]
    assert [result.volume.phase.number for result in results if result.volume.phase] == [1, 2, 3]


def test_two_attributes_together_tell_phases_apart(tmp_path: Path) -> None:
    """Case 2: magnitude and phase images of two echoes."""
    slices = stack(
        COUNT,
        phases=4,
        tell=lambda phase, _: {
            "EchoTime": [5, 10][phase % 2],
            "ImageType": ["ORIGINAL", "PRIMARY", "MP"[phase // 2]],
        },
    )
    results = build(tmp_path, shuffled(slices))
    assert len(results) == 4
    for phase, result in enumerate(results):
        assert np.array_equal(result.volume.voxels, stored_planes(range(COUNT), phase))
        assert result.receipt.rule == "split by EchoTime and ImageType"
        assert str(result.volume.phase) == (
            f"EchoTime {[5, 10][phase % 2]}, ImageType ORIGINAL\\PRIMARY\\{'MP'[phase // 2]}"
        )


@pytest.mark.parametrize(
    ("creator", "element", "value"),
    [
        ((0x0019, "SIEMENS MR HEADER"), 0x0C, "IS"),
        ((0x0043, "GEMS_PARM_01"), 0x39, "IS"),
        ((0x2001, "Philips Imaging DD 001"), 0x03, "FL"),
    ],
)
def test_private_b_values_tell_diffusion_volumes_apart(
    tmp_path: Path, creator: tuple[int, str], element: int, value: str
) -> None:
    """Case 2: what many scanners have in place of the standard's attribute."""
    slices = stack(COUNT, phases=2)
    for number, dataset in enumerate(slices):
        block = dataset.private_block(*creator, create=True)
        b_value = 1000 * (number // COUNT)
        block.add_new(element, value, b_value if value == "FL" else [b_value, 8, 0, 0])
    results = build(tmp_path, shuffled(slices))
    assert [str(result.volume.phase)[:17] for result in results] == [
        "DiffusionBValue 0",
        "DiffusionBValue 1",
    ]


def test_a_private_element_of_another_vendor_is_no_b_value(tmp_path: Path) -> None:
    """The same number stands for other things elsewhere, and may differ from slice to slice."""
    slices = stack(COUNT)
    for number, dataset in enumerate(slices):
        dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x0C, "IS", number)
    (result,) = build(tmp_path, slices)
    assert result.receipt.rule == "every position once"


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("TriggerTime", lambda phase, index: 200 * phase + 3 * index),
        ("AcquisitionTime", lambda phase, index: f"10{index:02}{phase:02}"),
        ("AcquisitionTime", lambda phase, index: f"1010{10 * phase + index:02}"),
    ],
    ids=["times near one another", "slice by slice", "volume by volume"],
)
def test_the_order_of_times_tells_phases_apart(
    tmp_path: Path, keyword: str, values: Callable[[int, int], object]
) -> None:
    """Case 2: a time that differs from slice to slice, as in cine and dynamic scans."""
    slices = stack(
        COUNT,
        phases=3,
        tell=lambda phase, index: {
            keyword: values(phase, index),
            "InstanceNumber": index * 3 + phase + 1,
        },
    )
    results = build(tmp_path, shuffled(slices))
    assert len(results) == 3
    for phase, result in enumerate(results):
        assert np.array_equal(result.volume.voxels, stored_planes(range(COUNT), phase))
        assert str(result.volume.phase) == f"{keyword} in order {phase + 1}"


def test_times_in_disorder_are_no_proof_where_slices_are_missing(tmp_path: Path) -> None:
    """Each position lost another time point: the second here is the third there."""
    slices = stack(
        3,
        phases=3,
        tell=lambda phase, index: {"AcquisitionTime": f"10{index:02}{phase:02}"},
    )
    left = [dataset for number, dataset in enumerate(slices) if number not in (0, 4, 8)]
    with pytest.raises(SeriesGeometryError, match="nothing in their headers tells"):
        build(tmp_path, left)


POLICIES = {
    Phases.EACH: [0, 1, 2],
    Phases.FIRST: [0],
    Phases.LAST: [2],
}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_says_which_phases_are_made(tmp_path: Path, policy: Phases) -> None:
    slices = stack(COUNT, phases=3, tell=TELLS["EchoNumbers"])
    results = build(tmp_path, shuffled(slices), RebuildPolicy(phases=policy))
    assert [result.volume.phase.number - 1 for result in results if result.volume.phase] == (
        POLICIES[policy]
    )
    for phase, result in zip(POLICIES[policy], results, strict=True):
        assert np.array_equal(result.volume.voxels, stored_planes(range(COUNT), phase))


def test_phases_are_refused_where_a_site_wants_that(tmp_path: Path) -> None:
    slices = stack(COUNT, phases=2, tell=TELLS["EchoTime"])
    with pytest.raises(SeriesGeometryError, match=r"EchoTime=4\.6; EchoTime=9\.2"):
        build(tmp_path, slices, RebuildPolicy(phases=Phases.REFUSE))


@pytest.mark.parametrize("phase", ["EchoTime=9.2", " EchoTime = 9.2 "])
def test_a_route_names_the_phase_it_wants(tmp_path: Path, phase: str) -> None:
    """It goes before which phases are made else."""
    slices = stack(COUNT, phases=3, tell=TELLS["EchoTime"])
    policy = RebuildPolicy(phase=phase, phases=Phases.REFUSE)
    (result,) = build(tmp_path, slices, policy)
    assert np.array_equal(result.volume.voxels, stored_planes(range(COUNT), 1))
    assert result.receipt.phase == result.volume.phase


def test_a_phase_is_named_by_its_number_however_it_is_written(tmp_path: Path) -> None:
    """A scanner that writes 9.200 means 9.2, on every slice."""
    slices = stack(COUNT, phases=2, tell=lambda phase, _: {"EchoTime": ["4.6", "9.2"][phase]})
    for dataset in slices[COUNT + 2 :]:
        dataset.EchoTime = "9.200"
    (result,) = build(tmp_path, slices, RebuildPolicy(phase="EchoTime=9.2"))
    assert np.array_equal(result.volume.voxels, stored_planes(range(COUNT), 1))


def test_a_phase_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    slices = stack(COUNT, phases=2, tell=TELLS["EchoTime"])
    with pytest.raises(SeriesGeometryError, match="wants EchoTime=7, which is none of them"):
        build(tmp_path, slices, RebuildPolicy(phase="EchoTime=7"))
    with pytest.raises(SeriesGeometryError, match="one volume without phases"):
        build(tmp_path, stack(COUNT), RebuildPolicy(phase="EchoTime=7"))


@pytest.mark.parametrize("phase", ["EchoTime", "=7", "EchoTime="])
def test_a_phase_without_keyword_or_value_is_no_policy(phase: str) -> None:
    with pytest.raises(ValueError, match="KEYWORD=VALUE"):
        RebuildPolicy(phase=phase)


@pytest.mark.parametrize("tolerance", [-0.1, 1.5, float("nan")])
def test_a_tolerance_is_a_number_from_0_to_1(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance_mm"):
        RebuildPolicy(tolerance_mm=tolerance)


def test_a_second_pass_is_dropped_by_instance_number(tmp_path: Path) -> None:
    """The reference's rule, where it is sound: every position twice, one pass after the other."""
    slices = stack(COUNT, phases=2)
    (result,) = build(tmp_path, shuffled(slices))
    assert np.array_equal(result.volume.voxels, stored_planes(range(COUNT)))
    assert result.receipt.rule == "every position 2 times; the first 5 by Instance Number kept"
    assert dropped(result) == uids(slices[COUNT:])
    assert {item.reason for item in result.receipt.dropped} == {
        "a later pass over the same positions"
    }
    assert result.volume.phase is None


@pytest.mark.parametrize("again", [(0,), (4,), (1, 2), (0, 1, 2, 3)])
def test_positions_scanned_again_are_kept_once(tmp_path: Path, again: tuple[int, ...]) -> None:
    """Case 1: the reference would drop a part of the scan, or keep a slice twice."""
    copies = [plane_dataset(index, 1) for index in again]
    (result,) = build(tmp_path, shuffled([*stack(COUNT), *copies]))
    assert np.array_equal(result.volume.voxels, stored_planes(range(COUNT)))
    assert result.receipt.rule == (
        f"{len(again)} of 5 positions shared; the first by acquisition, then by Instance Number "
        "kept"
    )
    assert dropped(result) == uids(copies)
    assert all(item.reason.startswith("at the position of") for item in result.receipt.dropped)


def test_the_first_acquisition_goes_before_the_lower_number(tmp_path: Path) -> None:
    """Case 1: a scan taken up again: the second acquisition begins where the first one ended."""
    first = [
        plane_dataset(index, 0, AcquisitionNumber=1, InstanceNumber=20 + index)
        for index in range(5)
    ]
    second = [
        plane_dataset(index, 1, AcquisitionNumber=2, InstanceNumber=index) for index in range(4, 8)
    ]
    (result,) = build(tmp_path, shuffled([*first, *second]))
    expected = np.concatenate([stored_planes(range(5)), stored_planes(range(5, 8), 1)])
    assert np.array_equal(result.volume.voxels, expected)
    assert dropped(result) == uids(second[:1])


def test_acquisitions_that_fill_each_others_gaps_are_refused(tmp_path: Path) -> None:
    """Two phases that each lost a slice are no scan taken up again."""
    slices = stack(COUNT, phases=2, tell=TELLS["AcquisitionNumber"])
    left = [dataset for number, dataset in enumerate(slices) if number not in (2, COUNT + 3)]
    with pytest.raises(SeriesGeometryError, match="volumes that differ in AcquisitionNumber"):
        build(tmp_path, left)


@pytest.mark.parametrize("lost", [(0,), (4,), (2,), (1, 8)])
def test_passes_that_lost_slices_do_not_fill_each_others_gaps(
    tmp_path: Path, lost: tuple[int, ...]
) -> None:
    """Nothing but Instance Numbers tells the two passes apart, and the first has a hole."""
    left = [dataset for number, dataset in enumerate(stack(COUNT, phases=2)) if number not in lost]
    with pytest.raises(SeriesGeometryError, match="Instance Numbers do not tell"):
        build(tmp_path, shuffled(left))


def test_all_positions_doubled_and_nothing_to_tell_by_is_refused(tmp_path: Path) -> None:
    """Case 2: with Instance Numbers that alternate, and without any."""
    for numbers in (lambda phase, index: 2 * index + phase, lambda _phase, _index: None):
        slices = stack(
            COUNT,
            phases=2,
            tell=lambda phase, index, numbers=numbers: {  # type: ignore[misc]
                "InstanceNumber": numbers(phase, index)
            },
        )
        with pytest.raises(SeriesGeometryError, match="10 instances lie at 5 positions"):
            build(tmp_path, slices)


def test_a_position_doubled_with_nothing_to_tell_by_is_refused(tmp_path: Path) -> None:
    """Case 1: the same Instance Number twice under different UIDs."""
    slices = [*stack(COUNT), plane_dataset(2, 1, InstanceNumber=3)]
    with pytest.raises(SeriesGeometryError, match="tells which came first") as error:
        build(tmp_path, slices)
    assert str(slices[2].SOPInstanceUID) in str(error.value)


def test_a_phase_that_lost_slices_is_left_out_with_a_warning(tmp_path: Path) -> None:
    """Case 2 and 3: the whole one is made; nothing is silent."""
    slices = stack(COUNT, phases=2, tell=TELLS["EchoNumbers"])
    lost = slices.pop(COUNT + 2)
    (result,) = build(tmp_path, shuffled(slices))
    assert np.array_equal(result.volume.voxels, stored_planes(range(COUNT)))
    assert dropped(result) == uids(slices[COUNT:]) - uids([lost])
    (warning,) = result.receipt.warnings
    assert "also holds 4 slices of EchoNumbers 2, which do not cover all positions" in warning
    with pytest.raises(SeriesGeometryError, match="wants EchoNumbers=2"):
        build(tmp_path, slices, RebuildPolicy(phase="EchoNumbers=2"))


def test_phases_that_all_lost_slices_are_refused(tmp_path: Path) -> None:
    """Case 2 and 3: never a volume made of two echoes."""
    slices = stack(COUNT, phases=2, tell=TELLS["EchoNumbers"])
    left = [dataset for number, dataset in enumerate(slices) if number not in (1, COUNT + 3)]
    for policy in (RebuildPolicy(), RebuildPolicy(fill=Fill.INTERPOLATE)):
        with pytest.raises(SeriesGeometryError, match="2 volumes over 5 positions, and none"):
            build(tmp_path, left, policy)


@pytest.mark.parametrize("lost", [(0, 2, 4, 6, 8), (0, 1, 7, 8, 9)])
@pytest.mark.parametrize("keyword", ["EchoTime", "ImageType", "ConvolutionKernel", "KVP"])
def test_what_is_left_of_two_phases_is_no_volume_of_one(
    tmp_path: Path, keyword: str, lost: tuple[int, ...]
) -> None:
    """Every position is there once, and half of the slices are of another echo."""
    slices = stack(COUNT, phases=2, tell=TELLS[keyword])
    left = [dataset for number, dataset in enumerate(slices) if number not in lost]
    with pytest.raises(SeriesGeometryError, match=f"one volume differ in {keyword}"):
        build(tmp_path, left)


def test_acquisitions_of_one_volume_may_interleave(tmp_path: Path) -> None:
    """Odd slices first, then even ones; each with its own time: one volume all the same."""
    slices = stack(
        6,
        tell=lambda _phase, index: {
            "AcquisitionNumber": index % 2 + 1,
            "AcquisitionTime": f"10100{index}",
            "TriggerTime": 7 * index,
        },
    )
    (result,) = build(tmp_path, slices)
    assert np.array_equal(result.volume.voxels, stored_planes(range(6)))


def test_the_result_does_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    """To the last bit, also where orientations differ in the last digit."""
    slices = stack(COUNT, phases=2, tell=TELLS["EchoNumbers"])
    for number, dataset in enumerate(slices):
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, round(1e-6 * number, 9)]
    one, other = build(tmp_path / "1", slices), build(tmp_path / "2", shuffled(slices))
    assert [result.receipt for result in one] == [result.receipt for result in other]


def test_the_receipt_is_plain_and_its_summary_short(tmp_path: Path) -> None:
    slices = stack(15, phases=3, tell=TELLS["EchoNumbers"])
    receipt = build(tmp_path, slices)[0].receipt
    assert receipt.as_dict()["phase"] == {
        "number": 1,
        "count": 3,
        "attributes": (("EchoNumbers", "1"),),
    }
    summary = receipt.summary()
    assert summary["kept"] == 15
    assert summary["dropped_count"] == 30
    assert len(summary["dropped"]) == 20
