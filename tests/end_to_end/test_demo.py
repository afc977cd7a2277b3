"""The demonstration, as README's first command runs it."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.waiting import wait_for


def test_demo_ends_with_results_and_pictures(tmp_path: Path) -> None:
    """Exit status 0, every stage named, results listed, lungs in two colours on the picture."""
    answer = subprocess.run(
        [sys.executable, "-m", "scp", "demo", "--slices", "60", "--out", tmp_path / "demo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for words in (
        "C-STORE 60 slices",
        "wait for quiet",
        "deliver to the PACS",
        "Segmentation",
        "Comprehensive 3D SR",
    ):
        assert words in answer.stdout
    lungs = np.asarray(Image.open(tmp_path / "demo" / "lungs.png")).astype(int)
    red, blue = lungs[..., 0] - lungs[..., 2], lungs[..., 2] - lungs[..., 0]
    assert (red > 30).sum() > 5000
    assert (blue > 30).sum() > 5000
    with Image.open(tmp_path / "demo" / "summary.png") as summary:
        assert summary.size == (1400, 1000)
    mip = np.asarray(Image.open(tmp_path / "demo" / "mip.png")).astype(int)
    left, right = np.array_split(mip[40:, :, 0], 2, axis=1)
    assert right.sum() > left.sum()


def test_demo_refuses_a_folder_that_is_in_use(tmp_path: Path) -> None:
    """Nothing of the user's is overwritten."""
    (tmp_path / "mine").write_text("keep me")
    answer = subprocess.run(
        [sys.executable, "-m", "scp", "demo", "--out", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "not empty" in answer.stderr


@pytest.mark.timeout(240)
def test_demo_keeps_running_until_ctrl_c(tmp_path: Path) -> None:
    """--keep prints lines to try, and Ctrl-C ends node and PACS with status 0."""
    # A shell starts what runs in its background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = tmp_path / "out.txt"
    command = [sys.executable, "-m", "scp", "demo", "--keep", "--slices", "60"]
    with out.open("wb") as sink:
        process = subprocess.Popen(
            [*command, "--out", tmp_path / "demo"], stdout=sink, stderr=sink, start_new_session=True
        )
    try:
        wait_for("the lines to try", lambda: "Ctrl-C stops both" in out.read_text(), 200.0)
        text = out.read_text()
        assert "echoscu -aec HOUNSFIELD 127.0.0.1" in text
        assert "storescu -aec HOUNSFIELD 127.0.0.1" in text
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
