"""docs/configuration.md says what the models say."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from config.access import AccessSettings
from config.dialect import DialectSettings
from config.environment import CONFIG_VARIABLE
from config.explain import allowed, expected
from config.limits import LimitSettings
from config.model import PipelineSettings, Settings, StepSettings
from config.node import (
    DeliverySettings,
    EngineSettings,
    LogSettings,
    NodeSettings,
    ResultsSettings,
)
from config.peers import Peer
from config.rebuild import RebuildSettings
from config.routes import Condition, Match, Route
from config.section import Section
from config.tls import TlsSettings

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"

TABLES: Mapping[str, type[Section]] = {
    "[node]": NodeSettings,
    "[limits]": LimitSettings,
    "[access]": AccessSettings,
    "[tls]": TlsSettings,
    "[engine]": EngineSettings,
    "[delivery]": DeliverySettings,
    "[results]": ResultsSettings,
    "[log]": LogSettings,
    "[peers.NAME]": Peer,
    "[peers.NAME.dialect]": DialectSettings,
    "[pipelines.NAME]": PipelineSettings,
    "[pipelines.NAME.rebuild]": RebuildSettings,
    "[[pipelines.NAME.steps]]": StepSettings,
    "[[routes]]": Route,
    "[routes.match]": Match,
    "routes.match.where": Condition,
}


def rows(table: type[Section]) -> Iterator[str]:
    """One row of Markdown for each key of a table: key, default, allowed values, meaning."""
    for name, field in table.model_fields.items():
        wanted = expected(table).at(name)
        yield f"| `{name}` | {_default(field)} | {allowed(wanted)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    return "not set" if default is None else f"`{_toml(default)}`"


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


def section_of(page: str, heading: str) -> str:
    """The part of the page under a heading, up to the next heading."""
    start = page.index(f"\n### `{heading}`\n")
    return page[start + 4 :].split("\n#", maxsplit=1)[0]


@pytest.mark.parametrize("heading", TABLES)
def test_page_has_every_key_with_its_default_allowed_values_and_meaning(heading: str) -> None:
    written = section_of(PAGE.read_text("utf-8"), heading).splitlines()
    table = [line for line in written if line.startswith("| `")]
    assert table == list(rows(TABLES[heading]))


def test_page_covers_every_table_at_the_top() -> None:
    tops = {heading.strip("[]").split(".", maxsplit=1)[0] for heading in TABLES}
    assert tops == set(Settings.model_fields)


def test_every_field_has_a_description() -> None:
    for table in TABLES.values():
        for name, field in table.model_fields.items():
            assert field.description, f"{table.__name__}.{name}"


def test_page_names_the_variable_of_the_config_path() -> None:
    assert CONFIG_VARIABLE in PAGE.read_text("utf-8")
