"""Arrays of settings."""

from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field

from config.section import Wording

_ONE_OR_MORE = "text, or an array of at least 1 item"

Item = TypeVar("Item")


def _listed(value: Any) -> Any:
    """Let a single text stand for an array of one."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        return value
    raise ValueError(f"must be {_ONE_OR_MORE}")


Array = Annotated[tuple[Item, ...], Field(strict=False)]
OneOrMore = Annotated[
    tuple[Item, ...],
    Field(strict=False, min_length=1),
    BeforeValidator(_listed),
    Wording(_ONE_OR_MORE),
]
