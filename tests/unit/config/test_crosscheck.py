"""Names lead somewhere and parameters fit, whatever else is wrong."""

from collections.abc import Callable

import pytest

from config.problems import Problem
from pipeline.algorithms import registry

Problems = Callable[..., dict[str, Problem]]

PEERS = """
[peers.pacs]
ae_title = "PACS"
host = "h"
port = 104
[peers.ct]
ae_title = "CT"
host = "h"
port = 104
role = "sender"
"""


def _route(name: str, pipelines: str = '["chest"]', destinations: str = "[]") -> str:
    return f'[[routes]]\nname = "{name}"\npipelines = {pipelines}\ndestinations = {destinations}\n'


def test_unknown_pipeline_is_named_with_the_known_ones(problems: Problems) -> None:
    found = problems(_route("r", '["chest", "chst"]'))
    problem = found["routes[0] 'r' -> pipelines[1]"]
    assert problem.message == "no such pipeline is set; there are chest. Did you mean 'chest'?"
    assert problem.value == "'chst'"


def test_unknown_peer_is_named(problems: Problems) -> None:
    message = problems(_route("r", destinations='["pacs"]'))[
        "routes[0] 'r' -> destinations[0]"
    ].message
    assert message == "no such peer is set; there are none"


def test_sender_is_no_destination(problems: Problems) -> None:
    found = problems(PEERS + _route("r", destinations='["pacs", "ct"]'))
    assert list(found) == ["routes[0] 'r' -> destinations[1]"]
    assert "role 'sender'" in found["routes[0] 'r' -> destinations[1]"].message


def test_block_of_series_numbers_is_an_algorithms(problems: Problems) -> None:
    (known, *_) = sorted(registry.installed())
    found = problems(f"[results.series_number_offsets]\n{known} = 500\nnone-such = 600\n")
    assert list(found) == ["results.series_number_offsets.none-such"]
    message = found["results.series_number_offsets.none-such"].message
    assert message.startswith("no such algorithm is installed; there are ")


def test_name_is_given_once(problems: Problems) -> None:
    found = problems(PEERS + _route("r", '["chest", "chest"]', '["pacs", "pacs"]'))
    assert set(found) == {"routes[0] 'r' -> pipelines", "routes[0] 'r' -> destinations"}


def test_two_routes_of_one_name_are_named(problems: Problems) -> None:
    assert (
        "2 routes are named 'r'"
        in problems(_route("r") + _route("s") + _route("r"))["routes"].message
    )


@pytest.mark.parametrize(
    ("step", "place", "message"),
    [
        ("algorithm = 'lung'", "'lung' -> algorithm", "there are lungs, sliding-mip. Did you mean"),
        (
            "algorithm = 'sliding-mip', parameters = {wndow = 3}",
            "'sliding-mip' -> parameters.wndow",
            "allowed are window, step_mm, extent. Did you mean 'window'?",
        ),
        (
            "algorithm = 'sliding-mip', parameters = {window = '3'}",
            "'sliding-mip' -> parameters.window",
            "must be a whole number, not text",
        ),
        (
            "algorithm = 'sliding-mip', parameters = {window = 0}",
            "'sliding-mip' -> parameters",
            "window must be at least 1 slice",
        ),
        (
            "algorithm = 'sliding-mip', parameters = {extent = [1]}",
            "'sliding-mip' -> parameters.extent[1]",
            "is required: a whole number",
        ),
        (
            "algorithm = 'sliding-mip', parameters = {extent = 3}",
            "'sliding-mip' -> parameters.extent",
            "must be an array of 2 items",
        ),
        (
            "algorithm = 'sliding-mip', parameters = 3",
            "'sliding-mip' -> parameters",
            "must be a table",
        ),
    ],
)
def test_step_that_does_not_fit_its_algorithm_is_named(
    problems: Problems, step: str, place: str, message: str
) -> None:
    found = problems(f"[pipelines.p]\nsteps = [{{algorithm = 'lungs'}}, {{{step}}}]")
    assert list(found) == [f"pipelines.p.steps[1] {place}"]
    assert message in found[f"pipelines.p.steps[1] {place}"].message


def test_algorithm_that_does_not_load_is_a_problem(
    problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _broken() -> dict[str, registry.Algorithm]:
        raise ModuleNotFoundError("No module named 'site_nodules'")

    monkeypatch.setattr(registry, "installed", _broken)
    assert "site_nodules" in problems("")["pipelines"].message


def test_every_problem_is_named_in_one_run(problems: Problems) -> None:
    found = problems(
        "[node]\nport = 'x'\nprot = 1\n"
        + PEERS
        + _route("r", "['none']", "['ct', 3]")
        + _route("r", "3")
        + "[pipelines.p]\nsteps = [{algorithm = 'lung', parameter = 1}, 3]\n",
        HOUNSFIELD_NOED__PORT="1",
    )
    assert set(found) == {
        "node.port",
        "node.prot",
        "routes",
        "routes[0] 'r' -> pipelines[0]",
        "routes[0] 'r' -> destinations[0]",
        "routes[0] 'r' -> destinations[1]",
        "routes[1] 'r' -> pipelines",
        "pipelines.p.steps[0] 'lung' -> algorithm",
        "pipelines.p.steps[0] 'lung' -> parameter",
        "pipelines.p.steps[1]",
        "HOUNSFIELD_NOED__PORT",
    }
