"""The whole way with real peers: storescu sends, the node works, Orthanc receives."""

import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pipeline.phantom import chest_phantom, write_phantom
from tests.support.node import AE_TITLE, NodeProcess, running
from tests.support.orthanc import Orthanc
from tests.support.tools import dciodvfy_errors, require, store

SHARED = Path(__file__).parents[3] / "shared" / "data"
REAL_CHEST = SHARED / "chest_ct_lungdx_a0002_b40f"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"

pytestmark = pytest.mark.peers


def test_echoscu_is_answered(tmp_path: Path) -> None:
    """DCMTK's echoscu gets success, and a wrong called AE title a rejection."""
    echoscu = require("echoscu")
    with running(NodeProcess(tmp_path / "node")) as node:
        right = [echoscu, "-aec", AE_TITLE, "127.0.0.1", str(node.port)]
        wrong = [echoscu, "-aec", "SOMEONE", "127.0.0.1", str(node.port)]
        assert subprocess.run(right, check=False).returncode == 0
        assert subprocess.run(wrong, check=False, capture_output=True).returncode != 0


def test_phantom_comes_back_as_seg_mip_and_report(
    tmp_path: Path, orthanc_node: NodeProcess, orthanc: Orthanc
) -> None:
    """A phantom sent by storescu arrives at Orthanc as valid results of the same study."""
    source = write_phantom(tmp_path / "phantom", chest_phantom(slices=64, size=256))
    store(tmp_path / "phantom", AE_TITLE, orthanc_node.port)
    _check_results(tmp_path, orthanc_node, orthanc, source)


def test_real_chest_ct_comes_back_as_seg_mip_and_report(
    tmp_path: Path, orthanc_node: NodeProcess, orthanc: Orthanc
) -> None:
    """Both lungs of a real CT are found on their own sides, and the results are valid."""
    if not REAL_CHEST.exists():
        pytest.skip(f"{REAL_CHEST.name} of the shared data is not beside this checkout")
    store(REAL_CHEST, AE_TITLE, orthanc_node.port)
    _check_results(tmp_path, orthanc_node, orthanc, sorted(REAL_CHEST.iterdir()))


def _check_results(tmp_path: Path, node: NodeProcess, orthanc: Orthanc, source: list[Path]) -> None:
    job = node.wait_for_delivery()
    assert job["state"] == "done"
    header = pydicom.dcmread(source[0], stop_before_pixels=True)
    study = str(header.StudyInstanceUID)
    assert orthanc.kinds() == {
        (study, "SEG"): 1,
        (study, "CT"): len(source),
        (study, "SR"): 1,
    }
    results = orthanc.download(tmp_path / "results")
    for path in results:
        assert dciodvfy_errors(path) == []
    datasets = [pydicom.dcmread(path) for path in results]
    assert str(header.SeriesInstanceUID) not in {str(item.SeriesInstanceUID) for item in datasets}
    images = [item for item in datasets if item.Modality != "SR"]
    assert {item.FrameOfReferenceUID for item in images} == {header.FrameOfReferenceUID}
    segmentation = next(item for item in datasets if item.SOPClassUID == SEGMENTATION)
    _check_both_lungs(segmentation)


def _check_both_lungs(segmentation: pydicom.Dataset) -> None:
    """A right and a left lung of more than half a litre, the left one at larger x."""
    litres, x_mm = {}, {}
    frames = segmentation.pixel_array.astype(bool)
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    measures = shared.PixelMeasuresSequence[0]
    row_mm, column_mm = map(float, measures.PixelSpacing)
    thickness = float(measures.get("SpacingBetweenSlices", measures.SliceThickness))
    sides = {
        item.SegmentNumber: item.SegmentedPropertyTypeCodeSequence[0]
        .SegmentedPropertyTypeModifierCodeSequence[0]
        .CodeMeaning
        for item in segmentation.SegmentSequence
    }
    for number, side in sides.items():
        of_segment = [
            groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number
            for groups in segmentation.PerFrameFunctionalGroupsSequence
        ]
        mask = frames[np.array(of_segment)]
        litres[side] = mask.sum() * row_mm * column_mm * thickness / 1e6
        x_mm[side] = np.nonzero(mask)[2].mean() * column_mm
    assert set(litres) == {"Right", "Left"}
    assert min(litres.values()) > 0.5
    assert x_mm["Left"] > x_mm["Right"]
