"""What is wrong with a site's settings, said so that it can be mended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any

Location = tuple[int | str, ...]
"""Keys and list indices from the top of the settings to one value."""

_LABELS = ("name", "algorithm", "keyword")
_LONGEST_VALUE = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    place
        Where, for example ``routes[0] 'chest-ct' -> match.modality``.
    value
        What was given there, or None where nothing was.
    message
        What is allowed.
    """

    place: str
    value: str | None
    message: str

    def __str__(self) -> str:
        given = "" if self.value is None else f" (given: {self.value})"
        return _one_line(f"{self.place}: {self.message}{given}")


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` holds everything that is wrong with them.

    Parameters
    ----------
    problems
        One or more.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        count = len(self.problems)
        heading = "1 problem" if count == 1 else f"{count} problems"
        return "\n".join(
            [f"{heading} in the settings:", *(f"  - {each}" for each in self.problems)]
        )


@dataclass(frozen=True, slots=True)
class RawSettings:
    """Settings as written, before any check.

    Parameters
    ----------
    values
        The merged content of file, defaults and environment.
    variables
        For each value that came from the environment, the variable's name.
    """

    values: Mapping[str, Any]
    variables: Mapping[Location, str] = field(default_factory=dict)

    def table(self, *keys: str) -> Mapping[str, Any]:
        """The table at these keys; an empty one where there is none, or something else."""
        found: object = self.values
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def problem(self, location: Location, value: object, message: str) -> Problem:
        """A problem with a value that was given at a location."""
        return Problem(self._place(location), shown(value), message)

    def absence(self, location: Location, message: str) -> Problem:
        """A problem with a value that is missing, or with a whole table."""
        return Problem(self._place(location), None, message)

    def _place(self, location: Location) -> str:
        place = _written(location, self.values)
        variable = self._variable(location)
        return f"{place} (environment variable {variable})" if variable else place

    def _variable(self, location: Location) -> str | None:
        for length in range(len(location), 0, -1):
            if location[:length] in self.variables:
                return self.variables[location[:length]]
        return None


def shown(value: object) -> str:
    """A value as a problem shows it, in one line that is not too long."""
    match value:
        case bool():
            text = str(value).lower()
        case date() | time():
            text = value.isoformat()
        case _:
            text = repr(str(value) if isinstance(value, Path) else value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _one_line(text: str) -> str:
    """Escape what would break the line or steer a terminal; names and messages may hold it."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _written(location: Location, values: object) -> str:
    place, joint, current = "", "", values
    for key in location:
        current = _child(current, key)
        if isinstance(key, int):
            label = _label(current)
            place += f"[{key}]{label}"
            joint = " -> " if label else "."
        else:
            place += joint + key
            joint = "."
    return place or "the settings"


def _label(item: object) -> str:
    """How people know the item of a list: its name, with a space before it."""
    if isinstance(item, Mapping):
        for key in _LABELS:
            if isinstance(item.get(key), str):
                return f" {shown(item[key])}"
    return ""


def _child(value: object, key: int | str) -> object:
    if isinstance(value, Mapping):
        return value.get(key)
    if isinstance(key, int) and isinstance(value, Sequence) and not isinstance(value, str):
        return value[key] if key < len(value) else None
    return None
