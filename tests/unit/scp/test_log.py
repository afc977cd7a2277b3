"""Logs: no forged lines, no patient's data from libraries."""

import json
import warnings

import pydicom
import pytest
import structlog
from pydicom.dataset import Dataset

from scp.log import configure_logging, silence_libraries


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> object:
    """Other tests keep the default set-up."""
    yield
    structlog.reset_defaults()


def test_a_peers_line_break_does_not_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters are escaped."""
    configure_logging("info", "json")
    structlog.get_logger().info("association accepted", calling="EVIL\n{}\x1b[31m")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["calling"] == "EVIL\\n{}\\x1b[31m"


def test_levels_below_the_set_one_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """At 'warning' nothing of level info is written."""
    configure_logging("warning", "console")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert "quiet" not in (written := capsys.readouterr().err)
    assert "loud" in written


def test_pydicom_cannot_quote_values(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A bad value makes pydicom warn with the value; neither warning nor log gets out."""
    with warnings.catch_warnings():
        silence_libraries()
        dataset = Dataset()
        dataset.PatientBirthDate = "CANARY"
        dataset.StudyInstanceUID = "CANARY"
        pydicom.misc.warn_and_log("CANARY")
    captured = capsys.readouterr()
    assert "CANARY" not in captured.out + captured.err + caplog.text
