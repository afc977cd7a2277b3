"""Warming up leaves nothing to compile, whatever volume comes first."""

import subprocess
import sys

import pytest

from pipeline.algorithms import registry
from pipeline.warm_up import _WORK, warm_up

# In a process of its own: in this one other tests have compiled already.
_PROBE = """
import sys
from tests.support import first_volumes
from pipeline.warm_up import warm_up
warm_up({names!r})
before = first_volumes.compiled()
first_volumes.analyse({names!r})
print(*sorted(first_volumes.compiled() - before))
"""


@pytest.mark.parametrize(
    "names", [["lungs", "prepare"], ["sliding-mip"], ["rotating-mip"], ["brain"]]
)
def test_first_volumes_find_everything_compiled(names):
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(names=names)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_every_algorithm_of_ours_is_warmed_up():
    ours = {
        name
        for name, algorithm in registry.installed().items()
        if algorithm.analyse.__module__.startswith("pipeline.")
    }

    assert ours <= set(_WORK)


def test_every_share_does_all_of_the_work_and_begins_elsewhere(monkeypatch):
    done: list[str] = []
    work = {"one": tuple(lambda name=name: done.append(name) for name in "abc")}
    monkeypatch.setattr("pipeline.warm_up._WORK", work)
    monkeypatch.setattr("pipeline.warm_up._read", lambda: done.append("r"))
    monkeypatch.setattr("pipeline.warm_up._masks", lambda: done.append("m"))

    for share in range(3):
        warm_up(["one"], share, 2)
    warm_up(["another"])

    assert "".join(done) == "rmabc" + "abcrm" + "rmabc" + "rm"
