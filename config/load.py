"""From a site file and the environment to settings, with every problem named in one run."""

import os
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.crosscheck import cross_check
from config.environment import apply_environment
from config.explain import explain
from config.model import Settings
from config.problems import Problem, SettingsError


def load_settings(path: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of a site.

    Parameters
    ----------
    path
        The site file (TOML); None for the embedded defaults.
    environment
        Variables that override the file; None for the process's own.

    Raises
    ------
    SettingsError
        The settings cannot be used; it holds every problem, not only the first.
    """
    defaults = default_values()
    values = defaults if path is None else _complete(_read_file(path), defaults)
    raw, problems = apply_environment(values, os.environ if environment is None else environment)
    problems += cross_check(raw)
    try:
        settings = Settings.model_validate(raw.values)
    except ValidationError as error:
        raise SettingsError(explain(error.errors(), Settings, raw) + problems) from None
    if problems:
        raise SettingsError(problems)
    return settings


def default_values() -> dict[str, Any]:
    """The content of ``default.toml``."""
    return tomllib.loads(files("config").joinpath("default.toml").read_text("utf-8"))


def _complete(site: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Add the default pipelines, and the default routes, where the site gives neither.

    Routes alone may name the default pipelines. Pipelines alone get no routes: the default ones
    would name pipelines that are not there.
    """
    if "pipelines" in site:
        return site
    added = {"pipelines": defaults["pipelines"]}
    if "routes" not in site:
        added["routes"] = defaults["routes"]
    return site | added


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        message = f"must be UTF-8 text; byte {error.start} is not"
    except tomllib.TOMLDecodeError as error:
        message = f"is not valid TOML: {error}"
    except RecursionError:
        message = "is nested too deeply"
    raise SettingsError((Problem(str(path), None, message),))
