"""What a worker does for one job: run the pipeline, make the results durable, report."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, SeriesGeometryError
from pipeline.implementation import VERSION
from pipeline.kernels.compiled import threads
from pipeline.plan import Pipeline
from pipeline.products import Dialect, wishes_digest
from pipeline.results import ResultSeries
from pipeline.run import Progress, notes_on, run_pipeline
from scp.decoding import DecoderPool, DecoderStartError
from scp.engine.keep import UnequalResultsError, keep_results
from scp.ledger.outbox import StoredResult
from scp.log import silence_libraries

_MOST_DECODERS = 4


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A job as it goes to a worker.

    Parameters
    ----------
    job_id
        Its number in the ledger.
    paths
        The instances' Part 10 files.
    pipeline
        What to do.
    dialects
        What the destinations take.
    content_time
        Frozen time of the results.
    results_folder
        Where results of all jobs are kept.
    """

    job_id: int
    paths: tuple[Path, ...]
    pipeline: Pipeline
    dialects: tuple[Dialect, ...]
    content_time: datetime
    results_folder: Path

    @property
    def folder_name(self) -> str:
        """The folder of this job's results under these settings, below the results folder.

        Another version of this software makes other objects and has a folder of its own for them.
        """
        settings = f"{self.pipeline.settings_digest[:12]}-{wishes_digest(self.dialects)[:8]}"
        return f"{self.job_id}-{settings}-{VERSION}"


@dataclass(frozen=True, slots=True)
class JobReport:
    """What came of a job: durable results, or the reason why there are none but notes of it.

    Parameters
    ----------
    volumes
        How each volume was made and what was measured on it, as plain values.
    trace
        Where in our code an unforeseen error happened; names and line numbers only.
    """

    results: tuple[StoredResult, ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    failure: str = ""
    trace: str = ""


class _NotKeptError(Exception):
    """The disk did not take the results."""


def run_job(order: JobOrder, on_progress: Callable[[Progress], None]) -> JobReport:
    """Run a job to its report; nothing that the input provokes is raised.

    An unforeseen error becomes a report too: raising it would carry its message, which may quote
    a patient's data, into the log.
    """
    silence_libraries()
    try:
        return _run(order, on_progress)
    except Exception as error:  # noqa: BLE001 - reported with its place and without its message
        return JobReport(
            failure=f"An error of Hounsfield's own ({type(error).__name__}); please report it.",
            trace=_places(error),
        )


def _run(order: JobOrder, on_progress: Callable[[Progress], None]) -> JobReport:
    """Run a job; whatever can be foreseen becomes its report."""
    try:
        outcome = run_pipeline(
            order.paths,
            order.pipeline,
            content_time=order.content_time,
            dialects=order.dialects,
            decoder=_decoders(),
            on_progress=on_progress,
        )
        return JobReport(
            results=_keep(order, order.folder_name, outcome.series),
            volumes=tuple(volume.as_dict() for volume in outcome.volumes),
        )
    except (UnequalResultsError, DecoderStartError, _NotKeptError) as error:
        return JobReport(failure=str(error))
    except SeriesGeometryError as error:
        return _refused(order, f"The slices make no volume: {error.reason}")
    except PipelineError as error:
        return _refused(order, str(error))


def _refused(order: JobOrder, refusal: str) -> JobReport:
    """The report on a series that gives no result, with the notes that destinations want of it.

    The refusal stands whatever becomes of the notes.
    """
    try:
        notes = notes_on(
            order.paths,
            order.pipeline,
            refusal,
            content_time=order.content_time,
            dialects=order.dialects,
        )
        return JobReport(_keep(order, _note_folder(order, notes), notes), failure=refusal)
    except (PipelineError, _NotKeptError) as error:
        return JobReport(failure=f"{refusal} No note of it could be made: {error}")


def _note_folder(order: JobOrder, notes: Sequence[ResultSeries]) -> str:
    """Notes for another reason, or of other instances, are others and have another folder."""
    uids = (str(note.instances[0].SOPInstanceUID) for note in notes)
    return "-".join([order.folder_name, "note", *(uid[-8:] for uid in uids)])


def _keep(
    order: JobOrder, folder_name: str, series: Sequence[ResultSeries]
) -> tuple[StoredResult, ...]:
    try:
        return keep_results(order.results_folder, folder_name, series)
    except OSError as error:
        raise _NotKeptError(f"The results could not be kept: {error.strerror}.") from error


@cache
def _decoders() -> DecoderPool:
    """The worker's decoders: they start with its first compressed series and end with it."""
    return DecoderPool(min(threads(), _MOST_DECODERS))


def _places(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
