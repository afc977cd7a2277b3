"""A node has Orthanc prove that it has the results."""

from pathlib import Path

import pytest

from pipeline.phantom import chest_phantom, write_phantom
from tests.support.node import AE_TITLE, NodeProcess, running
from tests.support.orthanc import Orthanc
from tests.support.tools import store

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("proof", ["commitment", "readback"])
def test_orthanc_proves_that_it_has_the_results(
    tmp_path: Path, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch, proof: str
) -> None:
    """Orthanc reports on an association of its own, or is found to have each result."""
    monkeypatch.setenv("HOUNSFIELD_PEERS__PACS__PROOF", proof)
    monkeypatch.setenv("HOUNSFIELD_PEERS__PACS__ASSOCIATIONS", "2")
    with running(NodeProcess(tmp_path / "node", orthanc.destination)) as node:
        us = {"AET": AE_TITLE, "Host": "127.0.0.1", "Port": node.port}
        orthanc.tell("PUT", "/modalities/hounsfield", us)
        write_phantom(tmp_path / "phantom", chest_phantom(slices=24, size=64))
        store(tmp_path / "phantom", AE_TITLE, node.port)
        job = node.wait_for_delivery()
        log = node.log_file.read_text()
    assert job["sent"] == job["set_aside"] == 0
    assert len(orthanc.instances()) == job["delivered"]
    assert '"delivery proven"' in log
    assert "delivery postponed" not in log
