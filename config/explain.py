"""From pydantic's errors to problems that say what is allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, time
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.problems import Location, Problem, RawSettings
from config.section import Wording

_BOUNDS = {"ge": "of at least", "gt": "greater than", "le": "at most", "lt": "less than"}
_UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_ALLOWED: Mapping[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}
_KINDS: Sequence[tuple[type | UnionType, str]] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number with a fraction"),
    (str, "text"),
    (Mapping, "a table"),
    (Sequence, "an array"),
    (date | time, "a date or time"),
    (NoneType, "null"),
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What belongs at a location.

    Parameters
    ----------
    annotation
        The type, without None and without Annotated.
    metadata
        What Annotated and Field say of it, bounds among it.
    description
        The field's docstring.
    """

    annotation: Any
    metadata: tuple[Any, ...] = ()
    description: str = ""

    @property
    def keys(self) -> list[str]:
        """The allowed keys of a table whose keys are fixed."""
        if isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel):
            return list(self.annotation.model_fields)
        if is_dataclass(self.annotation):
            return [field.name for field in fields(self.annotation)]
        return []

    def at(self, key: int | str) -> "Expected":
        """What belongs at a key of a table or an index of an array."""
        if isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel):
            field = self.annotation.model_fields.get(str(key))
            if field is None:
                return Expected(object)
            return expected(field.annotation, tuple(field.metadata), field.description or "")
        if is_dataclass(self.annotation):
            hints = get_type_hints(self.annotation, include_extras=True)
            return expected(hints.get(str(key), object))
        return expected(_item_type(self.annotation, key))


def expected(annotation: Any, metadata: tuple[Any, ...] = (), description: str = "") -> Expected:
    """What an annotation asks for, with None and Annotated taken off."""
    if get_origin(annotation) is Annotated:
        inner, *outer = get_args(annotation)
        said = [item for each in outer for item in (*getattr(each, "metadata", ()), each)]
        return expected(inner, (*metadata, *said), description)
    if get_origin(annotation) in {Union, UnionType}:
        others = [each for each in get_args(annotation) if each is not NoneType]
        return expected(others[0], metadata, description)
    return Expected(annotation, metadata, description)


def allowed(wanted: Expected) -> str:
    """In words, what may be given: ``a whole number from 0 to 65535``."""
    annotation = wanted.annotation
    for each in wanted.metadata:
        if isinstance(each, Wording):
            return each.allowed
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(repr(each) for each in get_args(annotation))}"
    if get_origin(annotation) is tuple:
        return f"an array{_least_length(wanted)}"
    if wanted.keys or get_origin(annotation) is dict or annotation is dict:
        return "a table"
    return f"{_ALLOWED.get(annotation, 'another value')}{_bounds(wanted.metadata)}"


def explain(
    errors: Sequence[ErrorDetails], root: Any, raw: RawSettings, above: Location = ()
) -> tuple[Problem, ...]:
    """Say pydantic's errors as problems.

    Parameters
    ----------
    errors
        Of one validation.
    root
        The type that was validated.
    raw
        The settings as written, for the places.
    above
        Where in the settings the validated value stands.
    """
    wanted = expected(root)
    return tuple(
        _problem(error, wanted, raw, above) for error in errors if not _only_follows(error, errors)
    )


def suggestion(given: str, known: Sequence[str]) -> str:
    """`` Did you mean 'this'?`` where a known word is near, else nothing."""
    near = get_close_matches(given, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _only_follows(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Whether an array is called too short only because its items are wrong themselves."""
    place = error["loc"]
    return error["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in errors
    )


def _problem(error: ErrorDetails, root: Expected, raw: RawSettings, above: Location) -> Problem:
    inside = tuple(key for key in error["loc"] if key != "[key]")
    location = (*above, *inside)
    if error["type"] == "missing":
        return raw.absence(
            location, f"is required: {allowed(_at(root, inside))}.{_about(root, inside)}"
        )
    if error["type"] in _UNKNOWN_KEY:
        keys = _at(root, inside[:-1]).keys
        return raw.problem(location, error["input"], _unknown_key(str(inside[-1]), keys))
    if error["type"] == "value_error":
        return _refusal(error, raw, location)
    if error["type"] == "json_invalid":
        return raw.absence(location, "holds a character that cannot be read")
    wanted = _at(root, inside)
    return raw.problem(location, error["input"], _wrong_value(wanted, error))


def _refusal(error: ErrorDetails, raw: RawSettings, location: Location) -> Problem:
    """What a check of our own or of an algorithm says."""
    message = str(error["ctx"]["error"])
    if isinstance(error["input"], Mapping):
        return raw.absence(location, message)
    return raw.problem(location, error["input"], message)


def _wrong_value(wanted: Expected, error: ErrorDetails) -> str:
    message, given = f"must be {allowed(wanted)}", error["input"]
    if get_origin(wanted.annotation) is Literal and isinstance(given, str):
        return f"{message}.{suggestion(given, [str(each) for each in get_args(wanted.annotation)])}"
    return f"{message}, not {_kind(given)}" if error["type"].endswith("_type") else message


def _unknown_key(given: str, keys: Sequence[str]) -> str:
    return f"unknown key; allowed are {', '.join(keys)}.{suggestion(given, keys)}"


def _about(root: Expected, inside: Location) -> str:
    description = _at(root, inside).description
    return f" {description}" if description else ""


def _at(root: Expected, inside: Location) -> Expected:
    for key in inside:
        root = root.at(key)
    return root


def _item_type(annotation: Any, key: int | str) -> Any:
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1]
    if get_origin(annotation) is tuple and isinstance(key, int):
        return (
            arguments[0] if arguments[-1] is Ellipsis else arguments[min(key, len(arguments) - 1)]
        )
    return object


def _least_length(wanted: Expected) -> str:
    arguments = get_args(wanted.annotation)
    if arguments and arguments[-1] is not Ellipsis:
        return f" of {len(arguments)} items"
    lengths = [each.min_length for each in wanted.metadata if getattr(each, "min_length", None)]
    return f" of at least {max(lengths)} item" if lengths else ""


def _bounds(metadata: Sequence[Any]) -> str:
    bounds = {
        attribute: getattr(each, attribute)
        for attribute in _BOUNDS
        for each in metadata
        if getattr(each, attribute, None) is not None
    }
    if bounds.keys() == {"ge", "le"}:
        return f" from {bounds['ge']} to {bounds['le']}"
    words = " and ".join(f"{_BOUNDS[attribute]} {bound}" for attribute, bound in bounds.items())
    return f" {words}" if words else ""


def _kind(value: object) -> str:
    """What a value is in TOML's words."""
    return next((words for kind, words in _KINDS if isinstance(value, kind)), "another value")
