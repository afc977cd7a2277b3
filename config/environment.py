"""Settings from environment variables: ``HOUNSFIELD_NODE__PORT=104`` sets ``node.port``."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as VariableError

from config.explain import expected, suggestion
from config.model import Settings
from config.problems import Location, Problem, RawSettings, shown

PREFIX = "HOUNSFIELD_"
CONFIG_VARIABLE = "HOUNSFIELD_CONFIG"
"""Path of the site file; read by the command line, no setting."""

_BETWEEN = "__"


class _Variables(Settings, BaseSettings):
    """The settings as pydantic-settings looks for them in the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=_BETWEEN)


class _OneVariable(EnvSettingsSource):
    """pydantic-settings' source, fed one variable instead of the process's environment."""

    def __init__(self, variable: str, text: str) -> None:
        self._variable = {variable.lower(): text}
        super().__init__(_Variables)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variable


def apply_environment(
    values: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[RawSettings, tuple[Problem, ...]]:
    """Lay the variables over settings from a file.

    An empty variable counts as not set. A shorter name is applied before a longer one.

    Returns
    -------
    tuple
        The settings with the variables in them, and what is wrong with the variables themselves.
    """
    merged = deepcopy(dict(values))
    variables: dict[Location, str] = {}
    problems: list[Problem] = []
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE or not text:
            continue
        found = _read(variable, text)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            variables |= dict.fromkeys(_merge(merged, found), variable)
    return RawSettings(merged, variables), tuple(problems)


def _read(variable: str, text: str) -> dict[str, Any] | Problem:
    """The settings that one variable holds, nested."""
    try:
        found = _OneVariable(variable, text)()
    except (VariableError, RecursionError):
        return Problem(variable, shown(text), "must be JSON, as it sets a whole table or array")
    return found or _unknown(variable, text)


def _unknown(variable: str, text: str) -> Problem:
    sections = ", ".join(
        f"{PREFIX}{section.upper()}{_BETWEEN}" for section in Settings.model_fields
    )
    return Problem(
        variable,
        shown(text),
        f"unknown variable; allowed are {CONFIG_VARIABLE} and names that begin with {sections}."
        f"{suggestion(variable.upper(), [CONFIG_VARIABLE, *_full_names()])}",
    )


def _full_names() -> Iterator[str]:
    """The variables of the tables whose keys are fixed."""
    root = expected(Settings)
    for section in root.keys:
        for key in root.at(section).keys:
            yield f"{PREFIX}{section}{_BETWEEN}{key}".upper()


def _merge(
    target: dict[str, Any], found: Mapping[str, Any], above: Location = ()
) -> list[Location]:
    """Lay ``found`` over ``target`` and return the places that were set."""
    places: list[Location] = []
    for key, value in found.items():
        name = _existing(key, target)
        here = (*above, name)
        if not isinstance(value, Mapping):
            target[name] = value
            places.append(here)
        else:
            inner = target.get(name)
            target[name] = inner if isinstance(inner, dict) else {}
            places.extend(_merge(target[name], value, here))
    return places


def _existing(key: str, table: Mapping[str, Any]) -> str:
    """The table's own spelling of a key; variables know no case, hyphens or dots."""
    for name in table:
        if _plain(name) == _plain(key):
            return name
    return key


def _plain(name: str) -> str:
    return re.sub(r"[-.]", "_", name).lower()
