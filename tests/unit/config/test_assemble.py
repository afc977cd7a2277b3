"""A pipeline's settings become the pipeline that runs."""

from collections.abc import Callable

import pytest

from config.assemble import build_pipeline
from config.model import Settings
from config.problems import SettingsError
from pipeline.algorithms import registry
from pipeline.run import Step

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
    assert pipeline.first_series_number == 700
    assert pipeline.content_qualification == "SERVICE"
    assert len(pipeline.settings_digest) == 64


def test_unknown_pipeline_is_refused_with_the_known_ones(load: Load) -> None:
    with pytest.raises(SettingsError, match="there are: chest"):
        build_pipeline(load(""), "brain")
