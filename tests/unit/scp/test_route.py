"""Which routes a series takes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom.dataset import Dataset

from config import Route
from pipeline.phantom import chest_phantom, write_phantom
from scp.cli import main
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


def test_a_final_route_that_takes_a_series_is_the_last() -> None:
    """One that does not take it ends nothing; those after the end say who ended it."""
    routes = [
        route("not", modality="MR").model_copy(update={"final": True}),
        route("first"),
        route("second").model_copy(update={"final": True}),
        route("third"),
    ]
    verdicts = judge(routes, facts())
    assert [verdict.is_taken for verdict in verdicts] == [False, True, True, False]
    assert verdicts[3].why_not == ("route second took the series and is final",)


SITE = """
[pipelines.p]
steps = [{ algorithm = "lungs" }]
[[routes]]
name = "mr"
pipelines = ["p"]
match = { modality = "MR", calling_ae_title = "SCANNER" }
[[routes]]
name = "ct"
pipelines = ["p"]
match = { modality = "CT", where = [{ keyword = "SliceThickness", at_most = 0.1 }] }
"""


def dry_run(tmp_path: Path, site: str, *options: str) -> Result:
    settings = tmp_path / "site.toml"
    settings.write_text(site)
    write_phantom(tmp_path / "phantom", chest_phantom(slices=1, size=16))
    file = next((tmp_path / "phantom").iterdir())
    return CliRunner().invoke(main, ["route", str(file), "--config", str(settings), *options])


def test_a_dry_run_says_why_no_route_takes_a_file(tmp_path: Path) -> None:
    answer = dry_run(tmp_path, SITE)
    assert answer.exit_code == 1
    for words in (
        "Modality is CT, wanted is MR",
        "calling AE title is empty, wanted is SCANNER",
        "SliceThickness is not at most 0.1",
        "No route takes it",
    ):
        assert words in answer.output


def test_a_dry_run_says_which_routes_take_a_file(tmp_path: Path) -> None:
    """As a program reads it, for a sender that is named."""
    site = SITE.replace('modality = "MR"', 'modality = "CT"')
    answer = dry_run(tmp_path, site, "--calling", "SCANNER", "--json")
    assert answer.exit_code == 0
    taken = {item["route"]: item["taken"] for item in json.loads(answer.output)}
    assert taken == {"mr": True, "ct": False}


def test_a_dry_run_refuses_what_is_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("no DICOM")
    answer = CliRunner().invoke(main, ["route", str(tmp_path / "text.dcm")])
    assert answer.exit_code == 1
    assert "text.dcm" in answer.output
