"""What every table of the settings has in common."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

_NAME = re.compile(r"[A-Za-z0-9](?:[-_.]?[A-Za-z0-9]){0,63}")


class Section(BaseModel):
    """A table of the settings: unknown keys and values of another type are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def check_name(text: str) -> str:
    """The text, where it is a name.

    Raises
    ------
    ValueError
        It is none.
    """
    if _NAME.fullmatch(text):
        return text
    raise ValueError(
        "a name has letters and digits, with single hyphens, underscores or dots between them"
    )


@dataclass(frozen=True, slots=True)
class Wording:
    """In an annotation: what may be given, where the type alone does not say it.

    Parameters
    ----------
    allowed
        A noun, for example ``an AE title``.
    """

    allowed: str


Name = Annotated[str, AfterValidator(check_name), Wording("a name")]
"""The name of a peer, a pipeline or a route."""
