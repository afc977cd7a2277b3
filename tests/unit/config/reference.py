"""The rows that docs/configuration.md must have, made from the models."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config.explain import allowed, expected
from config.model import PipelineSettings, Settings, StepSettings
from config.node import (
    DeliverySettings,
    EngineSettings,
    LogSettings,
    NodeSettings,
    ResultsSettings,
)
from config.routes import Condition, Match, Peer, Route
from config.section import Section

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"

TABLES: Mapping[str, type[Section]] = {
    "[node]": NodeSettings,
    "[engine]": EngineSettings,
    "[delivery]": DeliverySettings,
    "[results]": ResultsSettings,
    "[log]": LogSettings,
    "[peers.NAME]": Peer,
    "[pipelines.NAME]": PipelineSettings,
    "[[pipelines.NAME.steps]]": StepSettings,
    "[[routes]]": Route,
    "[routes.match]": Match,
    "where": Condition,
}


def rows(table: type[Section]) -> Iterator[str]:
    """One row of Markdown for each key of a table: key, default, allowed values, meaning."""
    for name, field in table.model_fields.items():
        wanted = expected(table).at(name)
        yield f"| `{name}` | {_default(field)} | {allowed(wanted)} | {field.description} |"


def tops() -> list[str]:
    """The keys at the top of a site file."""
    return list(Settings.model_fields)


def _default(field: FieldInfo) -> str:
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "not set"
    return f"`{_toml(default)}`"


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple():
            return "[]"
        case dict() | Section():
            return "{}"
        case _:
            return str(value)
