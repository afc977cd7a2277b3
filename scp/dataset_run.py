"""The jobs of a folder over the processors of this machine, with a bar and a report."""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.dataset.batch import Done, Job, Outcome, perform

Result = TypeVar("Result")

_MIB = 2**20
_PROCESS_BYTES = 300 * _MIB
# Below this the work is done before another process is there to do it.
_BYTES_WORTH_A_PROCESS = 256 * _MIB
_MEMORY = Path("/proc/meminfo")
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def run_jobs(
    jobs: Sequence[Job[Result]], title: str, workers: int | None = None
) -> tuple[Outcome[Result], ...]:
    """Do jobs, several at once, each in a process of its own; a bar is on standard error.

    A job that fails stops no other, nor does one whose process dies.

    Parameters
    ----------
    jobs
        What to do.
    title
        Before the bar.
    workers
        How many processes; by default as many as there are processors, fewer where memory is
        short or the work is small. With one the work is done in this process.

    Returns
    -------
    What came of each job, in the order of the jobs.
    """
    places = _places(_worker_count(jobs, workers))
    idle: SimpleQueue[_Place] = SimpleQueue()
    for place in places:
        idle.put(place)

    def take_place(job: Job[Result]) -> Outcome[Result]:
        place = idle.get()
        try:
            return place.perform(job)
        finally:
            idle.put(place)

    pool = ThreadPoolExecutor(len(places))
    try:
        futures = {pool.submit(take_place, job): job for job in jobs}
        _watch(futures, title)
        return tuple(_outcome(future, job) for future, job in futures.items())
    finally:
        pool.shutdown(cancel_futures=True)
        for place in places:
            place.close()


def report(outcomes: Sequence[Outcome[Done]], out: Path) -> bool:
    """Say what came of the jobs; failures and remarks go to standard error.

    Returns
    -------
    Whether all went well.
    """
    done = [outcome.result for outcome in outcomes if outcome.result is not None]
    complain([note for result in done for note in result.notes], style="yellow")
    complain([outcome.reason for outcome in outcomes if outcome.result is None], style="red")
    console = Console(markup=False, highlight=False)
    console.print(f"{len(done)} of {len(outcomes)} done, results in {out}", soft_wrap=True)
    return len(done) == len(outcomes)


def complain(lines: Sequence[str], style: str) -> None:
    """Print lines on standard error."""
    console = Console(stderr=True, markup=False, highlight=False)
    for line in lines:
        console.print(line, style=style, soft_wrap=True)


class _Place(Protocol):
    """Where one job at a time is done."""

    def perform(self, job: Job[Result]) -> Outcome[Result]: ...

    def close(self) -> None: ...


class _Here:
    """The process that is running."""

    def perform(self, job: Job[Result]) -> Outcome[Result]:
        """Do a job."""
        return perform(job)

    def close(self) -> None:
        """Nothing is held."""


class _Process:
    """Another process, on processors of its own; when it dies, the next job gets a new one."""

    def __init__(self, processors: frozenset[int]) -> None:
        self._processors = processors
        self._pool: ProcessPoolExecutor | None = None

    def perform(self, job: Job[Result]) -> Outcome[Result]:
        """Do a job, or say that the process died of it."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_settle,
                initargs=(self._processors,),
            )
        try:
            return self._pool.submit(perform, job).result()
        except BrokenProcessPool:
            self.close()
            return Outcome(
                job.source,
                None,
                f"{job.source}: the process that worked on it died, most likely for want of "
                "memory. Try again with --workers 1.",
            )

    def close(self) -> None:
        """End the process, after its present job."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _settle(processors: frozenset[int]) -> None:
    """Keep a new process, and so the number of its threads, to its processors.

    Ctrl-C is for the parent: it starts no further job and waits for those that run.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.sched_setaffinity(0, processors)


def _places(count: int) -> list[_Place]:
    if count == 1:
        return [_Here()]
    processors = sorted(os.sched_getaffinity(0))
    return [_Process(frozenset(processors[index::count])) for index in range(count)]


def _worker_count(jobs: Sequence[Job[Result]], wanted: int | None) -> int:
    """As many as there are processors, jobs, memory and work for."""
    most = min(len(os.sched_getaffinity(0)), len(jobs))
    if wanted is not None:
        return max(1, min(most, wanted))
    largest = max((job.memory_bytes for job in jobs), default=0) + _PROCESS_BYTES
    worthwhile = sum(job.memory_bytes for job in jobs) // _BYTES_WORTH_A_PROCESS
    return max(1, min(most, worthwhile, _available_bytes() // largest))


def _available_bytes() -> int:
    """Memory that can be had without swapping, in this machine or this container."""
    fields = dict(line.split(":") for line in _MEMORY.read_text().splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024
    limit = _CONTAINER_LIMIT.read_text().strip() if _CONTAINER_LIMIT.exists() else "max"
    return available if limit == "max" else min(available, int(limit))


def _watch(futures: dict["Future[Outcome[Result]]", Job[Result]], title: str) -> None:
    """Wait for all, with a bar where a person sees it."""
    console = Console(stderr=True, markup=False, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[latest]}", markup=False),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task(title, total=len(futures), latest="")
        for future in as_completed(futures):
            bars.update(bar, advance=1, latest=futures[future].source.name)


def _outcome(future: "Future[Outcome[Result]]", job: Job[Result]) -> Outcome[Result]:
    """What a job came to; an error that nobody foresaw is one job's failure too."""
    error = future.exception()
    if error is None:
        return future.result()
    return Outcome(job.source, None, f"{job.source}: {type(error).__name__}: {error}")
