"""Algorithms of the tests' own, so that no test depends on which are installed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.load import load_settings
from config.model import Settings
from config.problems import Problem, SettingsError
from pipeline.algorithms import registry
from pipeline.algorithms.registry import Algorithm


@dataclass(frozen=True, slots=True)
class NoParameters:
    """An algorithm that takes none."""


@dataclass(frozen=True, slots=True)
class SlabParameters:
    """Parameters of each kind."""

    window: int = 10
    step_mm: float = 1.0
    extent: tuple[int, int] = (0, 100)

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError("window must be at least 1 slice")


def _algorithm(name: str, parameters: type[object]) -> Algorithm:
    return Algorithm(
        name=name,
        version="1",
        title=name,
        modalities=frozenset({"CT"}),
        parameters=parameters,
        analyse=lambda _volume, _parameters: (),
    )


@pytest.fixture(autouse=True)
def _fake_algorithms(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = {
        "lungs": _algorithm("lungs", NoParameters),
        "sliding-mip": _algorithm("sliding-mip", SlabParameters),
    }
    monkeypatch.setattr(registry, "installed", lambda: fakes)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Settings]:
    """Load TOML text as a site file; keyword arguments are environment variables."""

    def _load(text: str, **environment: str) -> Settings:
        path = tmp_path / "site.toml"
        path.write_text(text, "utf-8")
        return load_settings(path, environment)

    return _load


@pytest.fixture
def problems(load: Callable[..., Settings]) -> Callable[..., dict[str, Problem]]:
    """The problems of TOML text as a site file, by place."""

    def _problems(text: str, **environment: str) -> dict[str, Problem]:
        with pytest.raises(SettingsError) as caught:
            load(text, **environment)
        found = {problem.place: problem for problem in caught.value.problems}
        assert len(found) == len(caught.value.problems), "two problems share a place"
        return found

    return _problems
