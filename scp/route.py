"""Which routes a series takes, and why it does not take the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from config.routes import Condition, Match, Route


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What routes look at.

    Parameters
    ----------
    modality, calling_ae_title, called_ae_title
        Of the series.
    header
        Of one of its instances, without pixel data; None where it cannot be read.
    """

    modality: str
    calling_ae_title: str
    called_ae_title: str
    header: Dataset | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a route takes a series: it does where nothing speaks against it."""

    route: Route
    why_not: tuple[str, ...]

    @property
    def is_taken(self) -> bool:
        """Whether the route takes the series."""
        return not self.why_not


def judge(routes: Sequence[Route], facts: SeriesFacts) -> list[Verdict]:
    """The verdict of every route, in their order."""
    verdicts = []
    ended_by = ""
    for route in routes:
        why_not = tuple(_objections(route.match, facts))
        if ended_by:
            why_not = (f"route {ended_by} took the series and is final", *why_not)
        verdict = Verdict(route, why_not)
        if verdict.is_taken and route.final:
            ended_by = route.name
        verdicts.append(verdict)
    return verdicts


def explain(verdicts: Sequence[Verdict]) -> str:
    """One sentence on why no route takes the series."""
    if not verdicts:
        return "no routes are set"
    against = "; ".join(f"{verdict.route.name}: {verdict.why_not[0]}" for verdict in verdicts)
    return f"no route takes it ({against})"


def _objections(match: Match, facts: SeriesFacts) -> Iterator[str]:
    named = (
        ("Modality", match.modality, facts.modality),
        ("calling AE title", match.calling_ae_title, facts.calling_ae_title),
        ("called AE title", match.called_ae_title, facts.called_ae_title),
    )
    for name, wanted, value in named:
        if wanted is not None and value not in wanted:
            yield f"{name} is {value or 'empty'}, wanted is {' or '.join(wanted)}"
    if facts.header is None:
        if match.where:
            yield "its header is damaged and cannot be compared"
        return
    for condition in match.where:
        if not _holds(condition, facts.header):
            yield f"{condition.keyword} is not {_wanted(condition)}"


def _holds(condition: Condition, header: Dataset) -> bool:
    """Whether any value of the attribute meets the condition; a missing one never does."""
    value = header.get(condition.keyword)
    values = value if isinstance(value, MultiValue) else [value]
    return any(_value_holds(condition, item) for item in values if item not in (None, ""))


def _value_holds(condition: Condition, value: object) -> bool:
    if condition.matches is not None:
        return condition.matches.search(str(value)) is not None
    try:
        number = float(str(value))
    except ValueError:
        return False
    low, high = condition.at_least, condition.at_most
    return (low is None or number >= low) and (high is None or number <= high)


def _wanted(condition: Condition) -> str:
    if condition.matches is not None:
        return f"matched by {condition.matches.pattern!r}"
    low, high = condition.at_least, condition.at_most
    if low is not None and high is not None:
        return f"within {low:g} and {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"
