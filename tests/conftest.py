"""Fixtures of the tests with real peers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import NodeProcess, running
from tests.support.opencv import stand_in_for_opencv
from tests.support.orthanc import Orthanc, running_orthanc

stand_in_for_opencv()


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    """An empty Orthanc."""
    with running_orthanc(tmp_path / "orthanc") as server:
        yield server


@pytest.fixture
def orthanc_node(tmp_path: Path, orthanc: Orthanc) -> Iterator[NodeProcess]:
    """A node that delivers to Orthanc."""
    with running(NodeProcess(tmp_path / "node", orthanc.destination)) as process:
        yield process
