"""From files of every kind to results in one call: what is in them, and that validators agree."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, generate_uid

from pipeline.algorithms.lung import LungParameters
from pipeline.algorithms.mip import SlidingMipParameters
from pipeline.encode import part10_bytes
from pipeline.encode.receipt import CREATOR, GROUP, RECEIPT_ELEMENT
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.plan import Pipeline, Step
from pipeline.run import Outcome, run_pipeline
from pipeline.volume import Fill, Phases, RebuildPolicy, Tilt
from tests.support.enhanced import enhanced_ct

ErrorsOf = Callable[..., list[str]]
SLICES = 40
PHANTOM = chest_phantom(slices=SLICES, size=128)
STEPS = (Step("lungs", LungParameters()), Step("sliding-mip", SlidingMipParameters(window=2)))
TIME = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def slices() -> list[Dataset]:
    return list(phantom_instances(PHANTOM))


def later_pass(temporal_position: int) -> list[Dataset]:
    """The phantom again, as another time point of the same series."""
    planes = slices()
    for number, plane in enumerate(planes, start=1):
        plane.TemporalPositionIdentifier = temporal_position
        plane.InstanceNumber = temporal_position * SLICES + number
        plane.SOPInstanceUID = generate_uid(entropy_srcs=[f"{temporal_position} {number}"])
    return planes


def run(folder: Path, datasets: Iterable[Dataset], policy: RebuildPolicy | None = None) -> Outcome:
    folder.mkdir(exist_ok=True)
    paths = []
    for number, dataset in enumerate(datasets):
        paths.append(folder / f"{number:03}.dcm")
        paths[-1].write_bytes(part10_bytes(dataset))
    pipeline = Pipeline("test", STEPS, rebuild=policy or RebuildPolicy())
    return run_pipeline(paths, pipeline, content_time=TIME)


def said(outcome: Outcome) -> list[list[Dataset]]:
    """The instances of each series: lungs, their measurements, the MIP, and so on by phase."""
    return [list(series.instances) for series in outcome.series]


def receipt_of(result: Dataset) -> dict[str, object]:
    block = result.private_block(GROUP, CREATOR)
    content: dict[str, object] = json.loads(block[RECEIPT_ELEMENT].value)
    return content


def positions(results: Sequence[Dataset]) -> list[float]:
    return [float(result.ImagePositionPatient[2]) for result in results]


@pytest.fixture
def assert_valid(tmp_path: Path, errors_of: ErrorsOf) -> Callable[[Outcome], None]:
    def check(outcome: Outcome) -> None:
        for number, result in enumerate(
            [results[index] for results in said(outcome) for index in {0, len(results) - 1}]
        ):
            path = tmp_path / f"result-{number}.dcm"
            path.write_bytes(part10_bytes(result))
            assert errors_of("dciodvfy", [path]) == []

    return check


def test_multi_frame_gives_what_its_single_frames_give(
    tmp_path: Path, assert_valid: Callable[[Outcome], None]
) -> None:
    """Labels and MIP are the same; references name the instance and the frame."""
    image = enhanced_ct(slices())
    from_frames = run(tmp_path / "multi", [image])
    from_slices = run(tmp_path / "single", slices())
    (seg,), (report,), mip = said(from_frames)
    (seg_of_slices,), _, mip_of_slices = said(from_slices)
    assert seg.PixelData == seg_of_slices.PixelData
    assert [item.PixelData for item in mip] == [item.PixelData for item in mip_of_slices]
    assert {item.SOPClassUID for item in mip} == {CTImageStorage}
    referred = {
        (str(item.ReferencedSOPInstanceUID), int(item.ReferencedFrameNumber))
        for frame in seg.PerFrameFunctionalGroupsSequence
        for item in frame.DerivationImageSequence[0].SourceImageSequence
    }
    assert {uid for uid, _ in referred} == {image.SOPInstanceUID}
    assert {number for _, number in referred} <= set(range(1, SLICES + 1))
    assert [item.ReferencedFrameNumber for item in mip[0].SourceImageSequence] == [1, 2, 3]
    sources, _ = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in sources.ReferencedSOPSequence] == [
        image.SOPInstanceUID
    ]
    assert_valid(from_frames)


def test_each_phase_gives_results_of_its_own(
    tmp_path: Path, assert_valid: Callable[[Outcome], None]
) -> None:
    """Series, UIDs and numbers are apart, and the description names the phase."""
    files = [*later_pass(2), *later_pass(1)]
    outcome = run(tmp_path / "phases", files[::-1])
    assert [len(results) for results in said(outcome)] == [1, 1, SLICES] * 2
    uids = [str(item.SOPInstanceUID) for results in said(outcome) for item in results]
    assert len(set(uids)) == len(uids)
    numbers = [results[0].SeriesNumber for results in said(outcome)]
    assert numbers == [9100, 9104, 9300, 10100, 10104, 10300]
    assert [str(volume.receipt.phase) for volume in outcome.volumes] == [
        "TemporalPositionIdentifier 1",
        "TemporalPositionIdentifier 2",
    ]
    assert "TemporalPositionIdentifier 2" in said(outcome)[3][0].SeriesDescription
    assert_valid(outcome)


def test_a_phase_alone_gives_the_results_that_it_gives_among_others(tmp_path: Path) -> None:
    """Choosing one of several changes nothing of it but its settings' UIDs."""
    files = [*later_pass(1), *later_pass(2)]
    chosen = RebuildPolicy(phase="TemporalPositionIdentifier=2")
    (seg,), *_ = said(run(tmp_path / "one", files, chosen))
    everything = run(tmp_path / "all", files, RebuildPolicy(phases=Phases.LAST))
    assert seg.PixelData == said(everything)[0][0].PixelData
    assert len(everything.volumes) == 1


def test_results_on_interpolated_slices_say_so(
    tmp_path: Path, assert_valid: Callable[[Outcome], None]
) -> None:
    """They have every slice, at its place; nothing claims to lie where the source does."""
    files = [plane for index, plane in enumerate(slices()) if index not in (10, 20)]
    outcome = run(tmp_path / "gap", files, RebuildPolicy(fill=Fill.INTERPOLATE))
    _, (report,), mip = said(outcome)
    assert positions(mip) == pytest.approx(positions(slices()), abs=1e-3)
    preserved = {
        item.SpatialLocationsPreserved for image in mip for item in image.SourceImageSequence
    }
    assert preserved == {"NO"}
    (warning,) = outcome.volumes[0].receipt.warnings
    assert "2 slice(s) are missing" in warning
    assert receipt_of(mip[0])["warnings"] == [warning]
    assert [item.TextValue for item in report.ContentSequence[-1].ContentSequence] == [warning]
    assert_valid(outcome)


def test_results_on_a_tilted_series_lie_where_the_patient_is(
    tmp_path: Path, assert_valid: Callable[[Outcome], None]
) -> None:
    """The lungs have the same centre and volume as without tilt, within the interpolation."""
    tilted = slices()
    for index, plane in enumerate(tilted):
        x, y, z = (float(value) for value in plane.ImagePositionPatient)
        stored = np.frombuffer(plane.PixelData, "<u2").reshape(128, 128)
        shift = index // 4
        plane.PixelData = np.roll(stored, -shift, axis=0).tobytes()
        plane.ImagePositionPatient = [x, y + shift * PHANTOM.spacing.row_mm, z]
    for index, plane in enumerate(tilted):
        # A quarter of a row a slice, of which the pixels above follow only every fourth.
        plane.ImagePositionPatient[1] = PHANTOM.origin_mm[1] + index / 4 * PHANTOM.spacing.row_mm
    outcome = run(tmp_path / "tilt", tilted, RebuildPolicy(tilt=Tilt.RESAMPLE))
    upright = run(tmp_path / "upright", slices())
    (seg,), _, mip = said(outcome)
    assert seg.Rows > 128
    assert mip[0].Rows == seg.Rows
    assert any("gantry was tilted" in text for text in outcome.volumes[0].receipt.warnings)
    for ours, theirs in zip(
        outcome.volumes[0].measurements, upright.volumes[0].measurements, strict=True
    ):
        assert ours.measurements[0].value == pytest.approx(theirs.measurements[0].value, rel=0.03)
    assert_valid(outcome)


def test_both_lungs_are_measured_and_the_total_is_their_sum(tmp_path: Path) -> None:
    (volume,) = run(tmp_path / "plain", slices()).volumes
    labels = [group.label for group in volume.measurements]
    assert labels == ["Right lung", "Left lung", "Both lungs"]
    right, left, both = (group.measurements[0].value for group in volume.measurements)
    assert both == pytest.approx(right + left)
    voxel_ml = PHANTOM.spacing.voxel_volume_mm3 / 1000
    assert right == pytest.approx(np.count_nonzero(PHANTOM.right) * voxel_ml, rel=0.1)


def test_the_receipt_is_in_every_result(tmp_path: Path) -> None:
    """With counts in place of long lists, and the same in each."""
    outcome = run(tmp_path / "plain", slices())
    (volume,) = outcome.volumes
    receipts = [receipt_of(result) for results in said(outcome) for result in results]
    assert all(receipt == receipts[0] for receipt in receipts)
    assert receipts[0]["kept"] == SLICES
    assert receipts[0]["spacing_mm"] == list(volume.receipt.spacing_mm)
    assert len(volume.receipt.kept) == SLICES


def test_the_order_of_files_changes_no_byte(tmp_path: Path) -> None:
    one = run(tmp_path / "one", slices())
    other = run(tmp_path / "other", slices()[::-1])
    for results, others in zip(said(one), said(other), strict=True):
        assert [part10_bytes(item) for item in results] == [part10_bytes(item) for item in others]
