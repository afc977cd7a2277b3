"""From a pipeline's settings to the pipeline that runs."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from config.crosscheck import read_parameters
from config.dialect import Kind
from config.model import Settings, StepSettings
from config.problems import Problem, SettingsError
from config.rebuild import RebuildSettings
from pipeline.algorithms import registry
from pipeline.plan import Pipeline, Step
from pipeline.products import Dialect, Form, Product
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
        content_qualification=settings.results.content_qualification,
        notice=settings.results.notice,
        rebuild=_rebuild_policy(settings.pipelines[name].rebuild),
    )


def build_dialects(settings: Settings, peers: Iterable[str]) -> dict[str, Dialect]:
    """What each destination takes, and in which form; the usual where it is no peer any more."""
    return {name: _dialect(settings, name) for name in peers}


def _dialect(settings: Settings, peer: str) -> Dialect:
    form = build_form(settings)
    if peer not in settings.peers:
        return Dialect(form=form)
    dialect = settings.peers[peer].dialect
    return Dialect(
        products=products_of(dialect.wanted),
        form=replace(
            form,
            first_series_number=dialect.first_series_number or form.first_series_number,
            unicode=dialect.character_set == "utf-8",
        ),
    )


def build_form(settings: Settings) -> Form:
    """The form of results that no destination has another wish for."""
    return Form(
        first_series_number=settings.results.first_series_number,
        series_number_offsets=tuple(sorted(settings.results.series_number_offsets.items())),
    )


def products_of(kinds: Collection[Kind]) -> frozenset[Product]:
    """The products that are made for kinds of results: a report refers to the masks among them."""
    products = {Product(kind) for kind in kinds if kind != "sr"}
    if "sr" in kinds:
        products.add(_report_on(products))
    return frozenset(products)


def _report_on(products: Collection[Product]) -> Product:
    if Product.SEG in products:
        return Product.SR
    return Product.SR_ON_LABELMAP if Product.LABELMAP in products else Product.SR_ALONE


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
