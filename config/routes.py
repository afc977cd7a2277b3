"""The routes that lead a series to pipelines and their results to destinations."""

import re
import warnings
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydicom.datadict import dictionary_VR, keyword_dict

from config.ae_title import Title
from config.arrays import Array, OneOrMore
from config.section import Name, Section, Wording, check_name

SENDER = "@sender"
"""In place of a destination: the peer that sent the series."""

_NUMBER_VRS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "US or SS", "UV"})
_TEXT_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_MODALITY = re.compile(r"[A-Z0-9_ ]{1,16}")


def _check_keyword(keyword: str) -> str:
    if keyword in keyword_dict:
        return keyword
    near = get_close_matches(keyword, keyword_dict, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ", for example 'BodyPartExamined'"
    raise ValueError(f"must be a DICOM keyword{hint}")


def _compile(pattern: object) -> object:
    """Compile a regular expression; Python's warnings of a changing meaning are refusals too."""
    if not isinstance(pattern, str):
        return pattern
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return re.compile(pattern)
        except (re.error, Warning, OverflowError, RecursionError) as error:
            raise ValueError(f"must be a Python regular expression: {error}") from error


class Condition(Section):
    """One item of ``where``: what an attribute of the series must be.

    Either ``matches``, or ``at_least``, ``at_most`` or both.
    """

    keyword: Annotated[str, AfterValidator(_check_keyword), Wording("a DICOM keyword")]
    """DICOM keyword of an attribute of the data set's top level."""

    matches: Annotated[
        re.Pattern[str] | None, BeforeValidator(_compile), Wording("a regular expression")
    ] = None
    """Regular expression that is searched in the value; `^...$` asks for the whole value."""

    at_least: float | None = None
    """Lowest number that holds, in the attribute's unit."""

    at_most: float | None = None
    """Highest number that holds, in the attribute's unit."""

    @property
    def is_range(self) -> bool:
        """Whether the condition is a range of numbers (and no regular expression)."""
        return self.at_least is not None or self.at_most is not None

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if self.is_range == (self.matches is not None):
            raise ValueError("must have either matches, or at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least must not be greater than at_most")
        return self

    @model_validator(mode="after")
    def _check_representation(self) -> Self:
        representation = dictionary_VR(self.keyword)
        if self.is_range and representation not in _NUMBER_VRS:
            raise ValueError(f"{self.keyword} is no number: use matches, not at_least or at_most")
        if representation not in _NUMBER_VRS | _TEXT_VRS:
            raise ValueError(f"{self.keyword} is neither text nor a number and cannot be compared")
        return self


def _check_modality(text: str) -> str:
    if _MODALITY.fullmatch(text):
        return text
    raise ValueError(
        "a modality has 1 to 16 upper-case letters, digits, spaces or underscores, for example 'CT'"
    )


ModalityName = Annotated[str, AfterValidator(_check_modality)]


def _check_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) == len(names):
        return names
    raise ValueError("must name each only once")


def _check_destination(text: str) -> str:
    return text if text == SENDER else check_name(text)


Destination = Annotated[str, AfterValidator(_check_destination), Wording(f"a name, or {SENDER!r}")]


class Match(Section):
    """A table ``[routes.match]``: all that is given must hold; an empty one takes every series."""

    modality: OneOrMore[ModalityName] | None = None
    """Modality (0008,0060): any of these."""

    calling_ae_title: OneOrMore[Title] | None = None
    """AE title that sent the series: any of these."""

    called_ae_title: OneOrMore[Title] | None = None
    """AE title that the series was sent to: any of these."""

    where: Array[Condition] = ()
    """Conditions on further attributes: all of these."""


class Route(Section):
    """One table ``[[routes]]``: which series, which pipelines, which destinations."""

    name: Name
    """Name of the route, for log and ledger; no two routes share one."""

    pipelines: Annotated[Array[Name], Field(min_length=1), AfterValidator(_check_once)]
    """Names of the pipelines that run on a matching series."""

    destinations: Annotated[Array[Destination], AfterValidator(_check_once)] = ()
    """Names of the peers that are sent the results; empty keeps them in the state folder only."""

    priority: Literal["routine", "stat"] = "routine"
    """Whether its jobs wait their turn, or run before all routine ones that wait."""

    quiet_time_s: float = Field(default=10.0, gt=0, le=86400)
    """Time without a new instance after which a series counts as complete, in seconds."""

    finish: Literal["quiet", "evidence"] = "quiet"
    """Whether a series is complete by its quiet time alone, or by what is known of it."""

    limit_s: float = Field(default=5400.0, gt=0, le=604800)
    """Longest wait for a series since its first instance, in seconds; see `at_limit`."""

    at_limit: Literal["process", "hold"] = "process"
    """What is done with a series that is not complete by then."""

    changed: Literal["refuse", "first", "last"] = "refuse"
    """Which version of an instance is used that came with different contents."""

    final: bool = False
    """Whether a series that takes this route takes none of those after it."""

    match: Match = Match()
    """Which series take this route."""

    @model_validator(mode="after")
    def _check_limit(self) -> Self:
        if self.limit_s < self.quiet_time_s:
            raise ValueError("limit_s must not be less than quiet_time_s")
        return self
