"""``hounsfield run``: a pipeline on a folder of DICOM files, without any network."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.encode import part10_bytes
from pipeline.errors import PipelineError
from pipeline.kernels.compiled import threads
from pipeline.run import Outcome, Pipeline, run_pipeline
from pipeline.run import Progress as StageProgress
from scp.decoding import DecoderPool
from scp.receive.identifiers import PARSE_ERRORS
from scp.report_text import report_lines


def run_folder(folder: Path, out: Path, pipeline: Pipeline, content_time: datetime) -> bool:
    """Run a pipeline on every series below a folder; say what came of each.

    Parameters
    ----------
    folder
        Searched with its sub-folders; what is no DICOM is passed over.
    out
        Gets one folder for each source series, numbered in the order of their UIDs.
    pipeline
        What to run.
    content_time
        Written into the results, with its time zone.

    Returns
    -------
    Whether there was a series and every one gave results.
    """
    console = Console(markup=False, highlight=False)
    series = find_series(folder, leave_out=out)
    if not series:
        console.print(f"No DICOM files in {folder}.", soft_wrap=True)
        return False
    good = True
    with DecoderPool(threads()) as decoder:
        run = partial(run_pipeline, pipeline=pipeline, content_time=content_time, decoder=decoder)
        for number, (uid, paths) in enumerate(sorted(series.items()), start=1):
            console.print(f"Series {uid}: {len(paths)} instances", soft_wrap=True)
            try:
                outcome = _run_with_bars(run, paths, console)
            except PipelineError as error:
                console.print(f"  no result: {error}", style="red", soft_wrap=True)
                good = False
                continue
            for line in _write(outcome, out / f"{number:03d}"):
                console.print(f"  {line}", soft_wrap=True)
    return good


def find_series(folder: Path, leave_out: Path) -> dict[str, list[Path]]:
    """The DICOM files below a folder by Series Instance UID, those of one folder left out."""
    series: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == "DICOMDIR" or path.is_relative_to(leave_out):
            continue
        try:
            header = pydicom.dcmread(path, specific_tags=["SeriesInstanceUID"])
        except (InvalidDicomError, *PARSE_ERRORS):
            continue
        if header.get("SeriesInstanceUID"):
            series[str(header.SeriesInstanceUID)].append(path)
    return dict(series)


def _run_with_bars(run: Callable[..., Outcome], paths: list[Path], console: Console) -> Outcome:
    """Run with one bar a stage."""
    columns = (
        TextColumn("  {task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks = {}

        def show(progress: StageProgress) -> None:
            if progress.stage not in tasks:
                tasks[progress.stage] = bars.add_task(progress.stage, total=progress.total)
            bars.update(tasks[progress.stage], completed=progress.done)

        return run(paths, on_progress=show)


def _write(outcome: Outcome, folder: Path) -> Iterator[str]:
    """Write the results, one folder a series; yield a line on each and on each measurement."""
    for number, datasets in enumerate(outcome.series, start=1):
        target = folder / f"{number:02d}"
        target.mkdir(parents=True, exist_ok=True)
        for index, dataset in enumerate(datasets, start=1):
            (target / f"{index:04d}.dcm").write_bytes(part10_bytes(dataset))
        first = datasets[0]
        yield f"{first.Modality} {first.SeriesDescription}: {len(datasets)} instances in {target}"
    for volume in outcome.volumes:
        yield from report_lines(volume)
