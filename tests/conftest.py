"""Fixtures of the tests with real peers, and which tests run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import NodeProcess, running
from tests.support.opencv import stand_in_for_opencv
from tests.support.orthanc import Orthanc, running_orthanc

stand_in_for_opencv()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--slow``: also what takes long."""
    parser.addoption(
        "--slow", action="store_true", help="also run the tests marked slow, as CI does"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it is asked for or this is CI."""
    if config.getoption("--slow") or os.environ.get("CI") == "true":
        return
    skip = pytest.mark.skip(reason="takes long: runs with --slow, and where CI=true")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(skip)


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
