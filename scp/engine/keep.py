"""A job's results into their folder: all or none, durable, the same at every attempt."""

import filecmp
import os
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset

from pipeline.encode import write_part10
from pipeline.errors import PipelineError
from pipeline.results import ResultSeries
from scp.ledger.outbox import StoredResult
from scp.spool import sync_folder

_DRAFT = ".draft-"
_SYNCING = 4
_MOST_SYNCING = 16


class UnequalResultsError(PipelineError):
    """The same job gave different bytes: sending them would change what was sent."""


def keep_results(
    results_folder: Path, name: str, series: Sequence[ResultSeries]
) -> tuple[StoredResult, ...]:
    """Write results into a folder of their own, all or none, durably.

    The same job under the same settings gives the same files; those of an attempt before are
    kept, as they may have been sent already.

    Parameters
    ----------
    results_folder
        Where results of all jobs are kept.
    name
        Of the folder below it.

    Raises
    ------
    UnequalResultsError
        An attempt before gave other bytes under the same UIDs.
    """
    if not series:
        return ()
    final = results_folder / name
    draft = results_folder / f"{_DRAFT}{name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        stored = _write_all(draft, name, series)
        sync_folder(draft)
        if not final.exists():
            draft.rename(final)
        elif not _equal_files(draft, final):
            raise UnequalResultsError(
                "The job gave other results than before under the same UIDs; those of before are "
                f"kept in {final}. Please report it."
            )
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sync_folder(results_folder)
    return stored


def discard_drafts(results_folder: Path) -> None:
    """Remove result folders that a worker did not finish; call while no job runs."""
    for draft in results_folder.glob(f"{_DRAFT}*"):
        shutil.rmtree(draft)


def _write_all(folder: Path, name: str, series: Sequence[ResultSeries]) -> tuple[StoredResult, ...]:
    """Write one file after the other, while those before are on their way to the disk.

    Few are on that way at a time, so that open files stay few.
    """
    stored = []
    syncing: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_SYNCING, thread_name_prefix="sync") as pool:
        for file_name, product, dataset in _named(series):
            file = (folder / file_name).open("xb")
            try:
                stored.append(_write(file, f"{name}/{file_name}", product, dataset))
            finally:
                syncing.append(pool.submit(_sync_and_close, file))
            if len(syncing) > _MOST_SYNCING:
                syncing.popleft().result()
        for each in syncing:
            each.result()
    return tuple(stored)


def _named(series: Sequence[ResultSeries]) -> Iterator[tuple[str, ResultSeries, Dataset]]:
    for number, item in enumerate(series, start=1):
        for index, dataset in enumerate(item.instances, start=1):
            yield f"{number:02d}-{index:04d}.dcm", item, dataset


def _write(file: BinaryIO, path: str, series: ResultSeries, dataset: Dataset) -> StoredResult:
    return StoredResult(
        sop_instance_uid=str(dataset.SOPInstanceUID),
        sop_class_uid=str(dataset.SOPClassUID),
        series_instance_uid=str(dataset.SeriesInstanceUID),
        file=path,
        sha256=write_part10(dataset, file),
        product=series.product,
        form=series.form,
    )


def _sync_and_close(file: BinaryIO) -> None:
    with file:
        file.flush()
        os.fsync(file.fileno())


def _equal_files(one: Path, other: Path) -> bool:
    names = sorted(path.name for path in one.iterdir())
    if names != sorted(path.name for path in other.iterdir()):
        return False
    _, different, unreadable = filecmp.cmpfiles(one, other, names, shallow=False)
    return not different and not unreadable
