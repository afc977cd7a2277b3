"""The defaults, the example and every way a file can be unreadable."""

import tomllib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from copy import copy
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import config
from config.ae_title import AeTitle
from config.assemble import build_pipeline
from config.load import default_values, load_settings
from config.model import Settings
from config.problems import Problem, SettingsError

Load = Callable[..., Settings]
EXAMPLE = Path(str(files("config") / "examples" / "site.toml"))


def _only_problem(path: Path) -> Problem:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    (problem,) = caught.value.problems
    return problem


def test_without_a_file_the_node_listens_on_this_machine_and_runs_the_chest_pipeline() -> None:
    defaults = load_settings(None, {})
    assert (defaults.node.ae_title, defaults.node.host, defaults.node.port) == (
        "HOUNSFIELD",
        "127.0.0.1",
        11112,
    )
    assert [step.algorithm for step in defaults.pipelines["chest"].steps] == [
        "lungs",
        "sliding-mip",
    ]
    (route,) = defaults.routes
    assert (route.name, route.pipelines, route.destinations) == ("chest-ct", ("chest",), ())
    assert route.match.modality == ("CT",)


def test_example_is_accepted() -> None:
    example = load_settings(EXAMPLE, {})
    assert example.routes[0].destinations == ("orthanc",)
    assert not example.peers["ct-room-1"].receives_results


def test_installed_algorithms_accept_the_defaults_and_the_example(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    for path in (None, EXAMPLE):
        site = load_settings(path, {})
        for name in site.pipelines:
            assert build_pipeline(site, name).steps


def test_default_file_leaves_scalar_defaults_to_the_models() -> None:
    assert set(default_values()) == {"pipelines", "routes"}


def test_site_without_pipelines_and_routes_gets_the_default_ones(load: Load) -> None:
    site = load("[node]\nport = 104")
    assert site.pipelines == load_settings(None, {}).pipelines
    assert site.routes == load_settings(None, {}).routes


def test_site_with_routes_only_can_name_the_default_pipeline(load: Load) -> None:
    site = load('[[routes]]\nname = "r"\npipelines = ["chest"]')
    assert [route.name for route in site.routes] == ["r"]


def test_site_with_pipelines_only_gets_no_routes(load: Load) -> None:
    site = load('[[pipelines.p.steps]]\nalgorithm = "lungs"')
    assert list(site.pipelines) == ["p"]
    assert site.routes == ()


def test_empty_routes_turn_the_default_route_off(load: Load) -> None:
    assert load("routes = []").routes == ()


def test_settings_are_frozen_and_reach_another_process(load: Load) -> None:
    example = load_settings(EXAMPLE, {})
    with ProcessPoolExecutor(1, get_context("spawn")) as another_process:
        returned = another_process.submit(copy, example).result()
    assert returned == example
    assert isinstance(returned.node.ae_title, AeTitle)
    with pytest.raises(ValueError, match="frozen"):
        load("").node.port = 1


def test_missing_file_is_one_problem(tmp_path: Path) -> None:
    problem = _only_problem(tmp_path / "none.toml")
    assert problem.place == str(tmp_path / "none.toml")
    assert problem.message == "cannot be read: No such file or directory"


def test_folder_is_one_problem(tmp_path: Path) -> None:
    assert "Is a directory" in _only_problem(tmp_path).message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[node]\nport = \n", "is not valid TOML: Invalid value (at line 2, column 8)"),
        (b"[node]\n[node]\n", "at line 2, column 6"),
        (b"[node]\nhost = '\xff'", "must be UTF-8 text; byte 15 is not"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_file_that_is_no_toml_is_one_problem(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(content)
    assert message in _only_problem(path).message


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"\xef\xbb\xbf[node]\r\nport = 104\r\n")
    assert load_settings(path, {}).node.port == 104


def test_error_reads_as_a_list() -> None:
    one = Problem("node.port", "'x'", "must be a whole number")
    two = Problem("peers.pacs.host", None, "is required")
    assert str(SettingsError((one,))) == (
        "1 problem in the settings:\n  - node.port: must be a whole number (given: 'x')"
    )
    assert str(SettingsError((one, two))).splitlines() == [
        "2 problems in the settings:",
        "  - node.port: must be a whole number (given: 'x')",
        "  - peers.pacs.host: is required",
    ]


def test_problem_is_one_line_that_steers_no_terminal() -> None:
    problem = Problem("peers.a\nb", None, "there are \x1b[2J")
    assert str(problem) == r"peers.a\nb: there are \x1b[2J"


def test_every_exported_name_is_there() -> None:
    assert all(hasattr(config, name) for name in config.__all__)


_KEYS = st.sampled_from(
    ("node", "peers", "pipelines", "routes", "name", "steps", "algorithm", "parameters", "match")
) | st.sampled_from(
    ("where", "keyword", "matches", "at_least", "host", "port", "role", "destinations", "pacs")
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.datetimes()
    | st.text()
    | st.sampled_from(["chest", "sliding-mip", "pacs", "BodyPartExamined", "SliceThickness", "("])
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(), inner, max_size=4)
    ),
    max_leaves=20,
)
_SITES = st.dictionaries(st.sampled_from(list(Settings.model_fields)), _VALUES, max_size=5)


@st.composite
def _spoiled_examples(draw: st.DrawFn) -> dict[str, Any]:
    """The example with one value, at any depth, replaced by another."""
    site = tomllib.loads(EXAMPLE.read_text("utf-8"))
    table: Any = site
    while True:
        key = draw(st.sampled_from(list(table) if isinstance(table, dict) else range(len(table))))
        if not isinstance(table[key], dict | list) or not table[key] or draw(st.booleans()):
            table[key] = draw(_VALUES)
            return site
        table = table[key]


@given(site=_SITES | _spoiled_examples(), port=st.text(st.characters(codec="utf-8")))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_mapping_gives_settings_or_a_settings_error(
    site: dict[str, Any], port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.load._read_file", lambda _path: site)
    problems: tuple[Problem, ...] = ()
    try:
        load_settings(Path("site.toml"), {"HOUNSFIELD_NODE__PORT": port})
    except SettingsError as error:
        problems = error.problems
    assert all(problem.place and problem.message for problem in problems)
    assert "another value" not in " ".join(problem.message for problem in problems)
    assert len(str(SettingsError(problems)).splitlines()) == len(problems) + 1
