"""The whole way of one series in one call: instances, volume, findings, DICOM objects."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.algorithms import registry
from pipeline.algorithms.registry import Algorithm
from pipeline.errors import NotApplicableError, UnreadableInstanceError
from pipeline.findings import Finding
from pipeline.instance import Instance, instance_digest, read_instance
from pipeline.kernels.compiled import threads
from pipeline.plan import Pipeline
from pipeline.products import Dialect, Product, by_form
from pipeline.results import (
    AnalysedVolume,
    Refusal,
    ResultSeries,
    note_on,
    number_findings,
    say,
)
from pipeline.volume import Volume, VolumeResult, build_volumes
from pipeline.volume.pixels import PlaneDecoder
from pipeline.volume_report import VolumeReport, report_on


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ``done`` of ``total`` parts of the stage named ``stage``."""

    stage: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """What a pipeline made of a series.

    Parameters
    ----------
    series
        The results.
    volumes
        What there is to say of each volume that they came from.
    """

    series: tuple[ResultSeries, ...]
    volumes: tuple[VolumeReport, ...]


def run_pipeline(
    paths: Sequence[Path],
    pipeline: Pipeline,
    *,
    content_time: datetime,
    dialects: tuple[Dialect, ...] = (),
    decoder: PlaneDecoder | None = None,
    on_progress: OnProgress = lambda _progress: None,
) -> Outcome:
    """Run a pipeline on the instances of one series.

    Parameters
    ----------
    paths
        Part 10 files of one series, in any order.
    pipeline
        What to do.
    content_time
        Written into the results (time zone aware). The same inputs, settings and time give the
        same bytes.
    dialects
        What is made of the findings, for each destination; by default the usual products.
    decoder
        Who decodes compressed pixels; this process by default.
    on_progress
        Told of each stage.

    Raises
    ------
    PipelineError
        The series gives no result; the message says why.
    """
    instances = _read(paths, on_progress)
    run = _Run(pipeline, content_time, dialects, on_progress)
    series: list[ResultSeries] = []
    volumes: list[VolumeReport] = []
    for result in build_volumes(
        instances,
        pipeline.rebuild,
        decoder=decoder,
        on_slice=lambda done, of: on_progress(Progress("rebuild", done, of)),
    ):
        _check_modality(result.volume, pipeline)
        found = run.findings(result.volume)
        series += run.results(result, found, len(volumes))
        findings = [finding for _, step in found for finding in step]
        volumes.append(report_on(result.receipt, findings))
    return Outcome(tuple(series), tuple(volumes))


def _read(paths: Sequence[Path], on_progress: OnProgress) -> list[Instance]:
    instances = []
    for done, path in enumerate(paths, start=1):
        instances.append(read_instance(path))
        on_progress(Progress("read headers", done, len(paths)))
    return instances


def _check_modality(volume: Volume, pipeline: Pipeline) -> None:
    """Raise before any work where one step is not meant for the series."""
    for step in pipeline.steps:
        wanted = registry.find(step.algorithm).modalities
        if volume.modality not in wanted:
            raise NotApplicableError(
                f"Pipeline {pipeline.name!r} runs {step.algorithm!r}, which takes "
                f"{', '.join(sorted(wanted))}; the series is "
                f"{volume.modality or 'of no modality'}. Narrow the route's match."
            )


_Found = list[tuple[Algorithm, tuple[Finding, ...]]]


@dataclass(frozen=True, eq=False, slots=True)
class _Run:
    """A pipeline on the volumes of one series."""

    pipeline: Pipeline
    content_time: datetime
    dialects: tuple[Dialect, ...]
    on_progress: OnProgress

    def findings(self, volume: Volume) -> _Found:
        """Run every step."""
        found = []
        for step in self.pipeline.steps:
            self.on_progress(Progress(f"run {step.algorithm}", 0, 1))
            algorithm = registry.find(step.algorithm)
            found.append((algorithm, algorithm.analyse(volume, step.parameters)))
            self.on_progress(Progress(f"run {step.algorithm}", 1, 1))
        return found

    def results(self, result: VolumeResult, found: _Found, ordinal: int) -> list[ResultSeries]:
        """Say the findings on a volume in every form that is wanted."""
        analysed = AnalysedVolume(
            pipeline=self.pipeline,
            result=result,
            ordinal=ordinal,
            steps=number_findings(found),
            input_digests=_digests(result.volume),
            content_time=self.content_time,
        )
        forms = by_form(self.dialects)
        series: list[ResultSeries] = []
        for done, (form, wanted) in enumerate(forms.items()):
            self.on_progress(Progress("encode", done, len(forms)))
            series += say(analysed, form, wanted)
        self.on_progress(Progress("encode", len(forms), len(forms)))
        return series


def _digests(volume: Volume) -> tuple[str, ...]:
    """The digest of each instance that the volume was made of, sorted."""
    instances = {source.sop_instance_uid: source.instance for source in volume.sources}
    return _digests_of(list(instances.values()))


def _digests_of(instances: Sequence[Instance]) -> tuple[str, ...]:
    with ThreadPoolExecutor(threads()) as pool:
        return tuple(sorted(pool.map(instance_digest, instances)))


def notes_on(
    paths: Sequence[Path],
    pipeline: Pipeline,
    reason: str,
    *,
    content_time: datetime,
    dialects: tuple[Dialect, ...],
) -> tuple[ResultSeries, ...]:
    """The notes that destinations want where a series gives no result.

    Parameters
    ----------
    paths
        Part 10 files of the series, in any order.
    pipeline
        What was to be done.
    reason
        Why there is no result.
    content_time, dialects
        As for `run_pipeline`.

    Raises
    ------
    PipelineError
        No instance can be read, or the note cannot be put into the source's study.
    """
    forms = [form for form, wanted in by_form(dialects).items() if Product.NOTE in wanted]
    if not forms:
        return ()
    instances = sorted(_readable(paths), key=lambda instance: instance.sop_instance_uid)
    source = instances[len(instances) // 2].header
    refusal = Refusal(reason, source, _digests_of(instances))
    return tuple(note_on(refusal, pipeline, form, content_time) for form in forms)


def _readable(paths: Sequence[Path]) -> list[Instance]:
    """The instances that can be read; at least one."""
    readable: list[Instance] = []
    failure: UnreadableInstanceError | None = None
    for path in paths:
        try:
            readable.append(read_instance(path))
        except UnreadableInstanceError as error:
            failure = error
    if failure is not None and not readable:
        raise failure
    return readable
