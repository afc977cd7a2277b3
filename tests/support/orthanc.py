"""Debian's Orthanc as the PACS: started on free ports with a folder of its own."""

import json
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

from tests.support.node import Destination
from tests.support.ports import free_port
from tests.support.tools import require
from tests.support.waiting import wait_for

_AE_TITLE = "ORTHANC"


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc and its REST interface."""

    dicom_port: int
    http_port: int

    @property
    def destination(self) -> Destination:
        """For a node's settings."""
        return Destination(_AE_TITLE, self.dicom_port)

    def get(self, path: str) -> Any:
        """What a REST path says, as JSON."""
        return json.loads(self.read(path))

    def read(self, path: str) -> bytes:
        """What a REST path gives."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.http_port}{path}", timeout=10
        ) as answer:
            content: bytes = answer.read()
        return content

    def tell(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """What a REST path answers to a request with a body, as JSON where there is any."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
            content = answer.read()
        return json.loads(content) if content else None

    def instances(self) -> dict[str, str]:
        """Orthanc's id of every SOP Instance it holds; each once."""
        ids = {
            item["MainDicomTags"]["SOPInstanceUID"]: item["ID"]
            for item in self.get("/instances?expand")
        }
        assert len(ids) == self.get("/statistics")["CountInstances"]
        return ids

    def kinds(self) -> Counter[tuple[str, str]]:
        """How many instances there are of each study and modality."""
        counts: Counter[tuple[str, str]] = Counter()
        for series in self.get("/series?expand"):
            study = self.get(f"/studies/{series['ParentStudy']}")["MainDicomTags"]
            key = (study["StudyInstanceUID"], series["MainDicomTags"]["Modality"])
            counts[key] += len(series["Instances"])
        return counts

    def download(self, folder: Path) -> list[Path]:
        """Every instance as a Part 10 file."""
        folder.mkdir()
        paths = []
        for number, orthanc_id in enumerate(self.instances().values()):
            path = folder / f"{number:04d}.dcm"
            path.write_bytes(self.read(f"/instances/{orthanc_id}/file"))
            paths.append(path)
        return paths


@contextmanager
def running_orthanc(folder: Path, *plugins: Path) -> Iterator[Orthanc]:
    """An empty Orthanc that takes what any AE title sends."""
    program = require("Orthanc")
    folder.mkdir()
    orthanc = Orthanc(free_port(), free_port())
    settings = folder / "orthanc.json"
    settings.write_text(
        json.dumps(
            {
                "Name": "test",
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "index"),
                "DicomAet": _AE_TITLE,
                "DicomPort": orthanc.dicom_port,
                "DicomAlwaysAllowStore": True,
                "DicomCheckCalledAet": True,
                "HttpPort": orthanc.http_port,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "Plugins": [str(plugin) for plugin in plugins],
            }
        )
    )
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, settings], stdout=log, stderr=log)
    try:
        wait_for("Orthanc to answer", lambda: _answers(orthanc))
        yield orthanc
    finally:
        process.terminate()
        process.wait(30)


def _answers(orthanc: Orthanc) -> bool:
    try:
        orthanc.get("/system")
    except (URLError, ConnectionError):
        return False
    return True
