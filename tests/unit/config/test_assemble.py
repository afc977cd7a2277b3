"""A pipeline's settings become the pipeline that runs."""

from collections.abc import Callable

import pytest

from config.assemble import build_form, build_pipeline
from config.model import Settings
from config.problems import SettingsError
from pipeline.algorithms import registry
from pipeline.plan import Step
from pipeline.volume import Fill, Phases, RebuildPolicy, Tilt

Load = Callable[..., Settings]


def test_pipeline_has_typed_parameters_and_the_results_settings(load: Load) -> None:
    settings = load(
        "[results]\nfirst_series_number = 700\ncontent_qualification = 'SERVICE'\n"
        "[pipelines.p]\nsteps = [{algorithm = 'lungs'}, "
        "{algorithm = 'sliding-mip', parameters = {window = 5, extent = [1, 2]}}]"
    )
    pipeline = build_pipeline(settings, "p")
    slab = registry.installed()["sliding-mip"].parameters
    assert pipeline.name == "p"
    assert pipeline.steps[1] == Step("sliding-mip", slab(window=5, extent=(1, 2)))
    assert build_form(settings).first_series_number == 700
    assert pipeline.content_qualification == "SERVICE"
    assert len(pipeline.settings_digest) == 64


def test_pipeline_rebuilds_as_the_settings_say(load: Load) -> None:
    """Each key arrives, and changes the digest that results are known by."""
    steps = "[pipelines.p]\nsteps = [{algorithm = 'lungs'}]\n"
    plain = build_pipeline(load(steps), "p")
    settings = load(
        f"{steps}[pipelines.p.rebuild]\nphases = 'last'\nphase = 'EchoNumbers=2'\n"
        "fill = 'interpolate'\ntilt = 'resample'\ntolerance_mm = 0.2\ntolerance_share = 0.02"
    )
    pipeline = build_pipeline(settings, "p")
    assert plain.rebuild == RebuildPolicy()
    assert pipeline.rebuild == RebuildPolicy(
        phases=Phases.LAST,
        phase="EchoNumbers=2",
        fill=Fill.INTERPOLATE,
        tilt=Tilt.RESAMPLE,
        tolerance_mm=0.2,
        tolerance_share=0.02,
    )
    assert pipeline.settings_digest != plain.settings_digest


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fill = 'guess'", "rebuild.fill"),
        ("phase = 'second'", "rebuild.phase"),
        ("tolerance_mm = -1", "rebuild.tolerance_mm"),
        ("tilts = 'refuse'", "rebuild.tilts"),
    ],
)
def test_a_rebuild_setting_that_is_none_is_named(load: Load, line: str, words: str) -> None:
    steps = "[pipelines.p]\nsteps = [{algorithm = 'lungs'}]\n"
    with pytest.raises(SettingsError, match=words):
        load(f"{steps}[pipelines.p.rebuild]\n{line}")


def test_unknown_pipeline_is_refused_with_the_known_ones(load: Load) -> None:
    with pytest.raises(SettingsError, match="there are: chest"):
        build_pipeline(load(""), "brain")
