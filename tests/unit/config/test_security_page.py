"""docs/security.md: its settings, all steps together, are ones that the node takes."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.crosscheck import cross_check
from config.load import default_values
from config.model import Settings
from config.problems import RawSettings

PAGE = Path(__file__).parents[3] / "docs" / "security.md"


def _merged(values: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    return {**values} | {
        key: _merged(values.get(key, {}), value) if isinstance(value, Mapping) else value
        for key, value in more.items()
    }


def _steps() -> list[dict[str, Any]]:
    """The settings of each step, in the order of the page."""
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", PAGE.read_text("utf-8"), re.MULTILINE)
    texts = ["\n".join(line[4:] for line in block.splitlines()).strip() for block in blocks]
    return [tomllib.loads(text) for text in texts if text.startswith("[")]


def test_each_step_is_good_with_those_before_it() -> None:
    values: dict[str, Any] = default_values()
    steps = _steps()
    for step in steps:
        values = _merged(values, step)
        assert cross_check(RawSettings(values)) == ()
        Settings.model_validate(values)
    assert len(steps) == 4


def test_all_steps_together_close_the_node() -> None:
    values: dict[str, Any] = default_values()
    for step in _steps():
        values = _merged(values, step)
    assert cross_check(RawSettings(values)) == ()
    settings = Settings.model_validate(values)
    assert settings.access.callers == "peers"
    assert settings.tls.client_certificates == "required"
    assert not settings.node.plaintext
    assert settings.peers["ct-room-1"].certificate == "ct-room-1.example.org"
