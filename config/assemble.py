"""From a pipeline's settings to the pipeline that runs."""

from config.crosscheck import read_parameters
from config.model import Settings, StepSettings
from config.problems import Problem, SettingsError
from config.rebuild import RebuildSettings
from pipeline.algorithms import registry
from pipeline.run import Pipeline, Step
from pipeline.volume import Fill, Phases, RebuildPolicy, Tilt


def build_pipeline(settings: Settings, name: str) -> Pipeline:
    """The pipeline of this name, with typed parameters.

    Raises
    ------
    SettingsError
        No pipeline has this name.
    """
    if name not in settings.pipelines:
        known = ", ".join(sorted(settings.pipelines)) or "none"
        raise SettingsError(
            (Problem("pipelines", repr(name), f"no such pipeline is set; there are: {known}"),)
        )
    return Pipeline(
        name=name,
        steps=tuple(_step(step) for step in settings.pipelines[name].steps),
        first_series_number=settings.results.first_series_number,
        content_qualification=settings.results.content_qualification,
        rebuild=_rebuild_policy(settings.pipelines[name].rebuild),
    )


def _rebuild_policy(settings: RebuildSettings) -> RebuildPolicy:
    return RebuildPolicy(
        phases=Phases(settings.phases),
        phase=settings.phase,
        fill=Fill(settings.fill),
        tilt=Tilt(settings.tilt),
        tolerance_mm=settings.tolerance_mm,
        tolerance_share=settings.tolerance_share,
    )


def _step(step: StepSettings) -> Step:
    algorithm = registry.find(step.algorithm)
    return Step(algorithm.name, read_parameters(algorithm, step.parameters))
