"""A node sends its results to Orthanc's DICOMweb plug-in."""

from pathlib import Path

import pytest

from pipeline.phantom import chest_phantom, write_phantom
from tests.support.node import AE_TITLE, NodeProcess, running
from tests.support.orthanc import running_orthanc
from tests.support.tools import store

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

pytestmark = pytest.mark.peers


def test_results_arrive_by_stow_rs(tmp_path: Path) -> None:
    """Each once, and Orthanc's answer names each."""
    if not PLUGIN.exists():
        pytest.skip("Orthanc's DICOMweb plug-in is not on this machine (orthanc-dicomweb)")
    with running_orthanc(tmp_path / "orthanc", PLUGIN) as orthanc:
        peer = (
            '[peers.web]\nkind = "dicomweb"\n'
            f'url = "http://127.0.0.1:{orthanc.http_port}/dicom-web"\n'
            '[[routes]]\nname = "web"\npipelines = ["chest"]\ndestinations = ["web"]\n'
            'quiet_time_s = 1.5\nmatch = { modality = "CT" }\n'
        )
        with running(NodeProcess(tmp_path / "node", extra=peer)) as node:
            write_phantom(tmp_path / "phantom", chest_phantom(slices=24, size=64))
            store(tmp_path / "phantom", AE_TITLE, node.port)
            job = node.wait_for_delivery()
        assert job["set_aside"] == 0
        assert len(orthanc.instances()) == job["delivered"] == job["deliveries"] > 24
