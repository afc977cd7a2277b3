"""The embedded Dask cluster: worker processes with a memory limit, restarted when they die."""

import logging
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, LocalCluster, Security, get_worker

from config import EngineSettings
from pipeline.run import Progress
from scp.engine import warming
from scp.engine.work import JobOrder, JobReport, run_job

_STAGES = "hounsfield-stages"
_STAGE_INTERVAL_S = 0.2
_CLOSE_TIMEOUT_S = 1
_MIB = 2**20


class EmbeddedCluster:
    """Workers on this machine, one job each at a time.

    Parameters
    ----------
    engine
        Number of workers and what they may take.
    scratch
        Folder for the workers' temporary files.

    Notes
    -----
    Scheduler and workers listen on loopback and speak TLS with keys of this run, so that no other
    user of the machine can hand them work.
    """

    def __init__(self, engine: EngineSettings, scratch: Path) -> None:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        dask.config.set({"distributed.scheduler.allowed-failures": engine.attempts - 1})
        self._cluster = LocalCluster(
            n_workers=engine.workers or None,
            threads_per_worker=1,
            processes=True,
            memory_limit=engine.memory_limit_mb * _MIB or "auto",
            host="127.0.0.1",
            protocol="tls://",
            security=Security.temporary(),
            dashboard_address=None,
            local_directory=str(scratch),
            silence_logs=logging.CRITICAL,
            # Before the worker has threads: two that import at once may see half a module.
            preload=[warming.NEEDED],
        )
        self._client = Client(self._cluster, set_as_default=False)
        self._stages: dict[int, str] = {}
        self._client.subscribe_topic(_STAGES, self._note_stage)

    @property
    def workers(self) -> int:
        """How many jobs run at one time."""
        return len(self._cluster.workers)

    def warm_up(self, algorithms: tuple[str, ...]) -> None:
        """Let every worker compile what these algorithms need; does not wait for it."""
        with suppress(OSError):  # a worker that was lost meanwhile is told when it is back
            self._client.register_plugin(warming.WarmUp(algorithms, self.workers))

    def stage(self, job_id: int) -> str:
        """What a job was at when it last said so."""
        return self._stages.get(job_id, "")

    def _note_stage(self, event: tuple[Any, tuple[int, str]]) -> None:
        job_id, stage = event[1]
        self._stages[job_id] = stage

    def submit(self, order: JobOrder) -> "Future[JobReport]":
        """Send a job to a worker."""
        self._stages.pop(order.job_id, None)
        return self._client.submit(_run_on_worker, order, pure=False)

    def stop_job(self, future: "Future[JobReport]") -> None:
        """End a job that runs, by restarting its worker."""
        addresses = [
            address for address, keys in self._client.processing().items() if future.key in keys
        ]
        future.cancel()
        if addresses:
            self._client.restart_workers(addresses, raise_for_error=False)

    def close(self) -> None:
        """Stop the workers at once; the ledger has what they were at for the next start.

        Dask would wait for a busy worker and then raise: nothing of a job is worth that wait.
        """
        for nanny in self._cluster.workers.values():
            nanny.auto_restart = False
            if nanny.pid:
                with suppress(ProcessLookupError):
                    os.kill(nanny.pid, signal.SIGKILL)
        self._client.close(timeout=_CLOSE_TIMEOUT_S)
        self._cluster.close(timeout=_CLOSE_TIMEOUT_S)


def _run_on_worker(order: JobOrder) -> JobReport:
    return run_job(order, _Stages(order.job_id))


class _Stages:
    """Sends a job's stages to the node, not more often than anybody can read."""

    def __init__(self, job_id: int) -> None:
        self._job_id = job_id
        self._worker: Any = get_worker()
        self._told_at = 0.0
        self._stage = ""

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage != self._stage or now - self._told_at >= _STAGE_INTERVAL_S:
            self._told_at, self._stage = now, progress.stage
            text = f"{progress.stage} {progress.done}/{progress.total}"
            self._worker.log_event(_STAGES, (self._job_id, text))
