"""``hounsfield run``: a pipeline on a folder of DICOM files, without any network."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.encode import write_part10
from pipeline.errors import PipelineError
from pipeline.kernels.compiled import threads
from pipeline.plan import Pipeline
from pipeline.products import Dialect
from pipeline.results import ResultSeries
from pipeline.run import Outcome, notes_on, run_pipeline
from pipeline.run import Progress as StageProgress
from scp.decoding import DecoderPool
from scp.receive.identifiers import PARSE_ERRORS
from scp.report_text import report_lines


@dataclass(frozen=True, slots=True)
class FolderRun:
    """What is done with every series of a folder.

    Parameters
    ----------
    pipeline
        What to run.
    dialect
        What is made of the findings.
    content_time
        Written into the results, with its time zone.
    """

    pipeline: Pipeline
    dialect: Dialect
    content_time: datetime

    def on(self, folder: Path, out: Path) -> bool:
        """Run the pipeline on every series below a folder; say what came of each.

        Parameters
        ----------
        folder
            Searched with its sub-folders; what is no DICOM is passed over.
        out
            Gets one folder for each source series, numbered in the order of their UIDs.

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
            for number, (uid, paths) in enumerate(sorted(series.items()), start=1):
                console.print(f"Series {uid}: {len(paths)} instances", soft_wrap=True)
                target = out / f"{number:03d}"
                try:
                    lines = _written(self._outcome(paths, decoder, console), target)
                except PipelineError as error:
                    console.print(f"  no result: {error}", style="red", soft_wrap=True)
                    good = False
                    lines = self._refused(paths, error, target)
                for line in lines:
                    console.print(f"  {line}", soft_wrap=True)
        return good

    def _outcome(self, paths: list[Path], decoder: DecoderPool, console: Console) -> Outcome:
        """Run with one bar a stage."""
        with _bars(console) as bars:
            tasks = {}

            def show(progress: StageProgress) -> None:
                if progress.stage not in tasks:
                    tasks[progress.stage] = bars.add_task(progress.stage, total=progress.total)
                bars.update(tasks[progress.stage], completed=progress.done)

            return run_pipeline(
                paths,
                self.pipeline,
                content_time=self.content_time,
                dialects=(self.dialect,),
                decoder=decoder,
                on_progress=show,
            )

    def _refused(self, paths: list[Path], refusal: PipelineError, folder: Path) -> Iterator[str]:
        """Write the notes that are wanted; yield a line on each, or on why there is none."""
        try:
            notes = notes_on(
                paths,
                self.pipeline,
                str(refusal),
                content_time=self.content_time,
                dialects=(self.dialect,),
            )
        except PipelineError as error:
            yield f"no note of it could be made: {error}"
        else:
            yield from _series_written(notes, folder)


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


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("  {task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _written(outcome: Outcome, folder: Path) -> Iterator[str]:
    """Write the results, one folder a series; yield a line on each and on each measurement."""
    yield from _series_written(outcome.series, folder)
    for volume in outcome.volumes:
        yield from report_lines(volume)


def _series_written(results: Sequence[ResultSeries], folder: Path) -> Iterator[str]:
    for number, series in enumerate(results, start=1):
        target = folder / f"{number:02d}"
        target.mkdir(parents=True, exist_ok=True)
        for index, dataset in enumerate(series.instances, start=1):
            with (target / f"{index:04d}.dcm").open("wb") as file:
                write_part10(dataset, file)
        first = series.instances[0]
        count = len(series.instances)
        yield f"{first.Modality} {first.SeriesDescription}: {count} instances in {target}"
