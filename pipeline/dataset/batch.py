"""One job for each volume of a folder, and what came of it: one that fails stops no other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from pipeline.dataset.files import check_out, doubled_prefixes, find_volumes, prefix_of
from pipeline.dataset.nifti import stored_bytes
from pipeline.errors import PipelineError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Done:
    """What a job wrote.

    Parameters
    ----------
    written
        Its results, whole.
    notes
        What a person should know of them: a sentence each.
    """

    written: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job(Generic[Result]):
    """The work on one volume; it can be handed to another process.

    Parameters
    ----------
    source
        A file, or a folder of one series.
    work
        What to do; it may raise what `perform` catches.
    memory_bytes
        About what it takes at most.
    """

    source: Path
    work: Callable[[], Result]
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Result]):
    """What came of a job.

    Parameters
    ----------
    source
        As in the job.
    result
        What the work gave; None where it failed.
    reason
        Why it failed: one line that names the file; empty where it did not.
    """

    source: Path
    result: Result | None
    reason: str = ""


def perform(job: Job[Result]) -> Outcome[Result]:
    """Do a job; what is wrong with its volume, or with writing its results, becomes the reason."""
    try:
        return Outcome(job.source, job.work())
    except MemoryError:
        return Outcome(job.source, None, f"{job.source}: it does not fit into memory")
    except (OSError, ValueError) as error:
        return Outcome(job.source, None, str(error))
    except PipelineError as error:
        return Outcome(job.source, None, f"{job.source}: {error}")


def perform_all(jobs: Sequence[Job[Result]]) -> tuple[Outcome[Result], ...]:
    """Do the jobs one after another."""
    return tuple(perform(job) for job in jobs)


def plan_volumes(
    source: Path, out: Path, work: Callable[[Path], Done], times_in_memory: int
) -> tuple[Job[Done], ...]:
    """One job for each NIfTI file of a folder, or for the one file.

    Files whose results would have the same name are jobs that fail.

    Parameters
    ----------
    source
        A NIfTI file, or a folder of such files; sub-folders are not looked into.
    out
        The folder for results.
    work
        From a file to what came of it.
    times_in_memory
        About how many times the stored voxels the work takes at most.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder, or no NIfTI file in it.
    ValueError
        The file is no NIfTI file by its name, or ``out`` is no place for results.
    """
    volumes = find_volumes(source)
    check_out(source, out)
    doubled = doubled_prefixes(volumes)
    return tuple(
        Job(path, partial(_refuse_doubled, path), 0)
        if prefix_of(path) in doubled
        else Job(path, partial(work, path), stored_bytes(path) * times_in_memory)
        for path in volumes
    )


def _refuse_doubled(path: Path) -> NoReturn:
    raise ValueError(
        f"{path}: both {prefix_of(path)}.nii and {prefix_of(path)}.nii.gz are in the folder, and "
        "their results would have one name. Rename one of them."
    )
