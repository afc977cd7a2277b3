"""Warming up in workers: beside their other work, and nowhere else."""

import pickle
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import pytest

from config import EngineSettings
from scp.engine.cluster import EmbeddedCluster
from scp.engine.warming import NEEDED, WarmUp

_PATIENCE_S = 20.0


class Worker(NamedTuple):
    """What a plugin is told of a worker."""

    name: int


def test_worker_goes_on_while_it_warms_up_with_its_share(monkeypatch):
    begun: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
    may_end = threading.Event()

    def warm_up(*share: Any) -> None:
        begun.put(share)
        may_end.wait(_PATIENCE_S)

    monkeypatch.setattr("pipeline.warm_up.warm_up", warm_up)

    WarmUp(("lungs", "brain"), 4).setup(Worker(3))

    assert begun.get(timeout=_PATIENCE_S) == (("lungs", "brain"), 3, 4)
    assert not may_end.is_set()
    may_end.set()


@pytest.mark.parametrize(
    "program",
    [
        "import click; from scp.cli import main; main(['--help'], standalone_mode=False)",
        f"import pickle; pickle.loads({pickle.dumps(WarmUp(('lungs',), 2))!r})",
    ],
    ids=["help", "a worker that is told to warm up"],
)
def test_nothing_is_compiled_or_imported_for(program):
    code = f"{program}\nimport sys; print('numba' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "False"


def state_of(dask_worker: Any) -> tuple[bool, list[str]]:
    """Runs on a worker: whether what it needs is imported, and its plugins."""
    return NEEDED in sys.modules, [repr(plugin) for plugin in dask_worker.plugins.values()]


@pytest.mark.filterwarnings("ignore:.*Port 8787 is already in use")  # by others on the machine
def test_every_worker_has_imported_what_it_needs_and_is_told_to_warm_up(tmp_path: Path) -> None:
    cluster = EmbeddedCluster(EngineSettings(workers=2), tmp_path)
    try:
        before = cluster._client.run(state_of)
        cluster.warm_up(())
        states = cluster._client.run(state_of)
    finally:
        cluster.close()

    assert [has_imported for has_imported, _plugins in before.values()] == [True, True]
    assert len(states) == 2
    for _has_imported, plugins in states.values():
        assert repr(WarmUp((), 2)) in plugins
