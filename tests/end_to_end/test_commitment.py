"""Orthanc sends, and asks the node for storage commitment."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.phantom import chest_phantom, write_phantom
from tests.support.node import AE_TITLE, NodeProcess
from tests.support.orthanc import Orthanc
from tests.support.tools import store
from tests.support.waiting import wait_for

CT = "1.2.840.10008.5.1.4.1.1.2"

pytestmark = pytest.mark.peers


def test_orthanc_is_told_what_is_committed_and_what_is_not(
    tmp_path: Path, orthanc_node: NodeProcess, orthanc: Orthanc
) -> None:
    """A study that Orthanc has sent here is safe; an instance that it never sent is not."""
    write_phantom(tmp_path / "phantom", chest_phantom(slices=3, size=32))
    store(tmp_path / "phantom", "ORTHANC", orthanc.dicom_port)
    orthanc.tell(
        "PUT",
        "/modalities/hounsfield",
        {
            "AET": AE_TITLE,
            "Host": "127.0.0.1",
            "Port": orthanc_node.port,
            "Manufacturer": "Generic",
            "AllowStorageCommitment": True,
        },
    )
    sent = orthanc.instances()
    job = orthanc.tell(
        "POST",
        "/modalities/hounsfield/store",
        {"Resources": list(sent.values()), "StorageCommitment": True, "Synchronous": False},
    )
    wait_for("Orthanc to send", lambda: orthanc.get(job["Path"])["State"] == "Success")
    transaction = orthanc.get(job["Path"])["Content"]["StorageCommitmentTransactionUID"]
    assert _outcome(orthanc, transaction)["Status"] == "Success"
    asked = {"DicomInstances": [{"SOPClassUID": CT, "SOPInstanceUID": "1.2.3"}]}
    answer = orthanc.tell("POST", "/modalities/hounsfield/storage-commitment", asked)
    outcome = _outcome(orthanc, answer["ID"])
    assert outcome["Status"] == "Failure"
    assert [each["FailureReason"] for each in outcome["Failures"]] == [0x0112]


def _outcome(orthanc: Orthanc, transaction: str) -> dict[str, Any]:
    """What Orthanc was told of a transaction."""

    def told() -> dict[str, Any] | None:
        report: dict[str, Any] = orthanc.get(f"/storage-commitment/{transaction}")
        return None if report["Status"] == "Pending" else report

    return wait_for("the report to Orthanc", told, 30.0)
