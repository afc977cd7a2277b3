"""Checks that no single value can pass alone: names that lead somewhere, parameters that fit.

They run on the settings as written, whatever else is wrong with them, so that one run names
every problem; what has the wrong shape is left to pydantic.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from config.crosscheck_access import check_access
from config.crosscheck_peers import check_peers
from config.explain import explain, suggestion
from config.problems import Location, Problem, RawSettings
from config.routes import SENDER
from pipeline.algorithms import registry
from pipeline.algorithms.registry import Algorithm


def read_parameters(algorithm: Algorithm, given: Mapping[str, Any]) -> Any:
    """The algorithm's own parameters, from a table of settings.

    Raises
    ------
    ValidationError
        A parameter is unknown, of another type, or refused by the algorithm.
    """
    return TypeAdapter(algorithm.parameters).validate_json(
        json.dumps(given, default=str), strict=True, extra="forbid"
    )


def cross_check(raw: RawSettings) -> tuple[Problem, ...]:
    """Everything that is wrong between the tables of the settings."""
    return (
        *_check_algorithms(raw),
        *_check_names(raw),
        *_check_routes(raw),
        *check_peers(raw),
        *check_access(raw),
    )


def _check_algorithms(raw: RawSettings) -> Iterator[Problem]:
    try:
        known = registry.installed()
    except (ImportError, AttributeError) as error:
        yield raw.absence(("pipelines",), f"an installed algorithm does not load: {error}")
        return
    yield from _check_offsets(raw, known)
    for name, pipeline in raw.table("pipelines").items():
        for index, step in _tables(_table(pipeline).get("steps")):
            yield from _check_step(step, known, raw, ("pipelines", name, "steps", index))


def _check_offsets(raw: RawSettings, known: Mapping[str, Algorithm]) -> Iterator[Problem]:
    """The blocks of series numbers are of installed algorithms."""
    for name, offset in raw.table("results", "series_number_offsets").items():
        if name not in known:
            location = ("results", "series_number_offsets", name)
            message = f"no such algorithm is installed; {_choice(name, known)}"
            yield raw.problem(location, offset, message)


def _check_step(
    step: Mapping[str, Any], known: Mapping[str, Algorithm], raw: RawSettings, location: Location
) -> Iterator[Problem]:
    name, given = step.get("algorithm"), step.get("parameters", {})
    if not isinstance(name, str):
        return
    if name not in known:
        message = f"no such algorithm is installed; {_choice(name, known)}"
        yield raw.problem((*location, "algorithm"), name, message)
    elif isinstance(given, Mapping):
        yield from _check_parameters(known[name], given, raw, (*location, "parameters"))


def _check_parameters(
    algorithm: Algorithm, given: Mapping[str, Any], raw: RawSettings, location: Location
) -> tuple[Problem, ...]:
    try:
        read_parameters(algorithm, given)
    except ValidationError as error:
        return explain(error.errors(), algorithm.parameters, raw, location)
    return ()


def _check_names(raw: RawSettings) -> Iterator[Problem]:
    names = [_text(route.get("name")) for _, route in _tables(raw.values.get("routes"))]
    for name, count in Counter(names).items():
        if name and count > 1:
            yield raw.absence(("routes",), f"{count} routes are named {name!r}; give each its own")


def _check_routes(raw: RawSettings) -> Iterator[Problem]:
    pipelines = raw.table("pipelines")
    peers = raw.table("peers")
    for index, route in _tables(raw.values.get("routes")):
        for at, name in _texts(route.get("pipelines")):
            if name not in pipelines:
                message = f"no such pipeline is set; {_choice(name, pipelines)}"
                yield raw.problem(("routes", index, "pipelines", at), name, message)
        for at, name in _texts(route.get("destinations")):
            fault = _destination_fault(name, peers)
            if fault:
                yield raw.problem(("routes", index, "destinations", at), name, fault)


def _destination_fault(name: str, peers: Mapping[str, Any]) -> str | None:
    """Why a peer cannot be sent results, or None where it can."""
    if name == SENDER:
        return None
    if name not in peers:
        return f"no such peer is set; {_choice(name, peers)}"
    if _table(peers[name]).get("role") == "sender":
        return f"peers.{name} has the role 'sender'; a destination needs 'destination' or 'both'"
    return None


def _choice(given: str, known: Mapping[str, Any]) -> str:
    if not known:
        return "there are none"
    return f"there are {', '.join(sorted(known))}.{suggestion(given, list(known))}"


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> Iterator[tuple[int, Any]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from enumerate(value)


def _tables(value: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return ((index, item) for index, item in _items(value) if isinstance(item, Mapping))


def _texts(value: object) -> Iterator[tuple[int, str]]:
    return ((index, item) for index, item in _items(value) if isinstance(item, str))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
