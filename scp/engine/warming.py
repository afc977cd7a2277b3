"""Compiling kernels in the workers before the first job, beside whatever else they do."""

import threading
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from distributed import WorkerPlugin

NEEDED = "pipeline.warm_up"
"""What a worker imports when it starts; the node itself does without."""


@dataclass(frozen=True, slots=True)
class WarmUp(WorkerPlugin):
    """Begins to warm up in every worker that starts, those started anew included.

    A job that comes meanwhile waits for no more than the kernels it calls.

    Parameters
    ----------
    algorithms
        Names of the algorithms that jobs will run.
    workers
        How many workers there are.
    """

    algorithms: tuple[str, ...]
    workers: int

    def setup(self, worker: Any) -> None:
        """Start a thread of the worker's process; it does not outlive the worker."""
        share = int(worker.name)
        threading.Thread(target=self._run, args=(share,), name="warm up", daemon=True).start()

    def _run(self, share: int) -> None:
        import_module(NEEDED).warm_up(self.algorithms, share, self.workers)
