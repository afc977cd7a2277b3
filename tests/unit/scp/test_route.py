"""Which routes a series takes."""

import pytest
from pydicom.dataset import Dataset

from config import Route
from scp.route import SeriesFacts, explain, judge


def facts(**attributes: object) -> SeriesFacts:
    """A CT series with the given attributes in its header."""
    header = Dataset()
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    return SeriesFacts("CT", "SCANNER", "HOUNSFIELD", header)


def route(name: str = "r", **match: object) -> Route:
    """A route with this match."""
    return Route.model_validate({"name": name, "pipelines": ("p",), "match": match})


def takes(match: dict[str, object], series: SeriesFacts) -> bool:
    """Whether a route with this match takes the series."""
    (verdict,) = judge([route(**match)], series)
    return verdict.is_taken


@pytest.mark.parametrize(
    ("match", "taken"),
    [
        ({}, True),
        ({"modality": "CT"}, True),
        ({"modality": ["MR", "CT"]}, True),
        ({"modality": "MR"}, False),
        ({"calling_ae_title": "SCANNER"}, True),
        ({"calling_ae_title": "OTHER"}, False),
        ({"called_ae_title": ["HOUNSFIELD"]}, True),
        ({"called_ae_title": "OTHER"}, False),
        ({"modality": "CT", "calling_ae_title": "OTHER"}, False),
    ],
)
def test_modality_and_ae_titles(match: dict[str, object], *, taken: bool) -> None:
    """All that is given must hold; a list means any of it."""
    assert takes(match, facts()) is taken


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ({"keyword": "BodyPartExamined", "matches": "(?i)chest"}, True),
        ({"keyword": "BodyPartExamined", "matches": "^HEST"}, False),
        ({"keyword": "SliceThickness", "at_most": 2.5}, True),
        ({"keyword": "SliceThickness", "at_least": 2.5, "at_most": 2.5}, True),
        ({"keyword": "SliceThickness", "at_least": 2.6}, False),
        ({"keyword": "ImageType", "matches": "^AXIAL$"}, True),
        ({"keyword": "ImageType", "matches": "^LOCALIZER$"}, False),
        ({"keyword": "ProtocolName", "matches": ""}, False),
    ],
)
def test_conditions_on_attributes(condition: dict[str, object], *, taken: bool) -> None:
    """One value of several is enough; bounds count in; a missing attribute never holds."""
    series = facts(
        BodyPartExamined="CHEST", SliceThickness="2.5", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"]
    )
    assert takes({"where": [condition]}, series) is taken


def test_every_matching_route_is_taken_and_the_others_say_why_not() -> None:
    """Each route is judged by itself."""
    verdicts = judge([route("a"), route("b", modality="MR"), route("c", modality="CT")], facts())
    assert [verdict.is_taken for verdict in verdicts] == [True, False, True]
    assert verdicts[1].why_not == ("Modality is CT, wanted is MR",)


def test_a_series_without_route_is_explained() -> None:
    """The sentence names each route and its first objection."""
    verdicts = judge(
        [route("a", modality="MR"), route("b", where=[{"keyword": "KVP", "at_least": 100}])],
        facts(),
    )
    assert explain(verdicts) == (
        "no route takes it (a: Modality is CT, wanted is MR; b: KVP is not at least 100)"
    )
    assert explain([]) == "no routes are set"
