"""Paths in settings: never relative, as their meaning would hang on the working directory."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from config.section import Wording

_ALLOWED = "an absolute path, or one that begins with ~/"


def _absolute(value: object) -> object:
    """Expand ``~`` and refuse a path whose meaning hangs on the working directory."""
    if not isinstance(value, str | Path):
        return value
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError("the home folder that ~ stands for is unknown") from error
    if not path.is_absolute() or "\0" in str(path):
        raise ValueError(f"must be {_ALLOWED}")
    return path


AbsolutePath = Annotated[Path, BeforeValidator(_absolute), Wording(_ALLOWED)]
"""A path that means the same whatever folder a command is started in."""
