"""Each wrong key, type and value is named with its place and what is allowed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from config.model import Settings
from config.problems import Problem

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, Problem]]

ROUTE = '[[routes]]\nname = "r"\npipelines = ["chest"]\n'
PEER = '[peers.pacs]\nae_title = "PACS"\nhost = "h"\nport = 104\n'
SENDER = '[peers.ct]\nae_title = "CT"\nhost = "h"\nport = 104\nrole = "sender"\n'


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("nod = 1", "nod", "allowed are node, limits, access, tls, engine"),
        ("[node]\nprot = 1", "node.prot", "Did you mean 'port'?"),
        ("node = 3", "node", "must be a table, not a whole number"),
        ('[node]\nport = "11112"', "node.port", "a whole number from 0 to 65535, not text"),
        ("[node]\nport = 65536", "node.port", "a whole number from 0 to 65535"),
        ("[node]\nport = 1.5", "node.port", "not a number with a fraction"),
        ("[node]\nport = true", "node.port", "not true or false"),
        ("[node]\nport = []", "node.port", "not an array"),
        ("[node]\nhost = 1979-05-27", "node.host", "not a date or time"),
        ('[node]\nhost = "a b"', "node.host", "a host is a name such as"),
        ('[node]\nae_title = "SEVENTEEN LETTERS"', "node.ae_title", "1 to 16 printable ASCII"),
        ("[node]\nae_title = 3", "node.ae_title", "must be an AE title, not a whole number"),
        ('[node]\nstate = "here"', "node.state", "an absolute path"),
        ('[node]\nstate = "~no-such-user/x"', "node.state", "unknown"),
        ('[node]\nstate = "/a\\u0000"', "node.state", "an absolute path"),
        ("[node]\nstate = 3", "node.state", "an absolute path"),
        ("[node]\nreceivers = 0", "node.receivers", "from 1 to 16"),
        ("[node]\nreceivers = 17", "node.receivers", "from 1 to 16"),
        ("[limits]\npdu_bytes = 0", "limits.pdu_bytes", "from 4096 to 16777216"),
        ("[node]\nplaintext = 1", "node.plaintext", "true or false"),
        ("[limits]\nidle_timeout_s = nan", "limits.idle_timeout_s", "greater than 0"),
        ("[limits]\nidle_timeout_s = inf", "limits.idle_timeout_s", "greater than 0"),
        ("[limits]\nfree_space_percent = 51", "limits.free_space_percent", "from 0 to 50"),
        (
            '[access]\ncallers = "peer"',
            "access.callers",
            "Did you mean 'peers'?",
        ),
        ('[tls]\nca = "ca.pem"', "tls.ca", "an absolute path"),
        (
            '[tls]\nclient_certificates = "always"',
            "tls.client_certificates",
            "one of 'required', 'optional', 'none'",
        ),
        ("[engine]\nworkers = -1", "engine.workers", "from 0 to 256"),
        ("[engine]\nattempts = 0", "engine.attempts", "from 1 to 100"),
        ("[delivery]\ntimeout_s = 0", "delivery.timeout_s", "greater than 0"),
        (
            "[delivery]\nfirst_retry_s = 9\nlongest_retry_s = 8",
            "delivery",
            "longest_retry_s must not be less than first_retry_s",
        ),
        ('[log]\nlevel = "inf"', "log.level", "'error'. Did you mean 'info'?"),
        ("[log]\nformat = 1", "log.format", "one of 'console', 'json'"),
        (
            '[results]\ncontent_qualification = "X"',
            "results.content_qualification",
            "one of 'RESEARCH', 'PRODUCT', 'SERVICE'",
        ),
        ('[peers.pacs]\nae_title = "P"\nhost = "h"', "peers.pacs.port", "is required"),
        (PEER + 'role = "dest"', "peers.pacs.role", "one of 'destination', 'sender', 'both'"),
        (SENDER + "addresses = 3", "peers.ct.addresses", "text, or an array of at least 1 item"),
        (SENDER + "addresses = []", "peers.ct.addresses", "an array of at least 1 item"),
        (SENDER + "addresses = [3]", "peers.ct.addresses[0]", "an IP address or network such as"),
        (SENDER + 'addresses = "ct"', "peers.ct.addresses[0]", "an IP address or network such as"),
        (
            SENDER + 'addresses = ["10.0.0.0/8", "192.0.2.7/24"]',
            "peers.ct.addresses[1]",
            "the network that holds this address is 192.0.2.0/24",
        ),
        (PEER.replace("104", "0"), "peers.pacs.port", "from 1 to 65535"),
        (PEER.replace(".pacs", '."p__x"'), "peers.p__x", "a name has letters and digits"),
        ("[pipelines.p]\nsteps = []", "pipelines.p.steps", "an array of at least 1 item"),
        ("[pipelines.p]", "pipelines.p.steps", "is required"),
        ("routes = 3", "routes", "must be an array, not a whole number"),
        ("routes = [3]", "routes[0]", "must be a table"),
        ('routes = [{pipelines = ["chest"]}]', "routes[0].name", "is required"),
        ('routes = [{name = "r"}]', "routes[0] 'r' -> pipelines", "is required"),
        ('[results]\nnotice = "für Ärzte"', "results.notice", "at most 80 characters of ASCII"),
        (
            "[results.series_number_offsets]\nlungs = -1",
            "results.series_number_offsets.lungs",
            "a whole number from 0 to 1000000",
        ),
        (ROUTE + "quiet_time_s = 0", "routes[0] 'r' -> quiet_time_s", "greater than 0"),
    ],
)
def test_wrong_value_is_named_with_what_is_allowed(
    problems: Problems, text: str, place: str, message: str
) -> None:
    found = problems(text)
    assert list(found) == [place]
    assert message in found[place].message


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("modalty = 'CT'", "modalty", "Did you mean 'modality'?"),
        ("modality = 'ct'", "modality[0]", "upper-case letters"),
        ("modality = ['CT', 3]", "modality[1]", "must be text, not a whole number"),
        ("modality = []", "modality", "text, or an array of at least 1 item"),
        ("calling_ae_title = 3", "calling_ae_title", "text, or an array"),
        ("called_ae_title = ['']", "called_ae_title[0]", "1 to 16 printable"),
        ("where = [{}]", "where[0].keyword", "is required: a DICOM keyword"),
        (
            "where = [{keyword = 'BodyPart', matches = 'x'}]",
            "where[0] 'BodyPart' -> keyword",
            "did you mean 'BodyPartExamined'?",
        ),
        ("where = [{keyword = 'Qqq', matches = 'x'}]", "where[0] 'Qqq' -> keyword", "for example"),
        (
            "where = [{keyword = 'Modality', matches = '('}]",
            "where[0] 'Modality' -> matches",
            "regular expression: missing )",
        ),
        (
            "where = [{keyword = 'Modality', matches = '[[a]'}]",
            "where[0] 'Modality' -> matches",
            "nested set",
        ),
        (
            "where = [{keyword = 'Modality', matches = 3}]",
            "where[0] 'Modality' -> matches",
            "must be a regular expression",
        ),
        (
            "where = [{keyword = 'Modality'}]",
            "where[0] 'Modality'",
            "either matches, or at_least, at_most or both",
        ),
        (
            "where = [{keyword = 'SliceThickness', matches = '1', at_least = 1}]",
            "where[0] 'SliceThickness'",
            "either matches, or at_least, at_most or both",
        ),
        (
            "where = [{keyword = 'SliceThickness', at_least = 2, at_most = 1}]",
            "where[0] 'SliceThickness'",
            "at_least must not be greater",
        ),
        (
            "where = [{keyword = 'Modality', at_least = 2}]",
            "where[0] 'Modality'",
            "Modality is no number",
        ),
        (
            "where = [{keyword = 'PixelData', matches = 'x'}]",
            "where[0] 'PixelData'",
            "cannot be compared",
        ),
    ],
)
def test_wrong_condition_is_named_with_what_is_allowed(
    problems: Problems, text: str, place: str, message: str
) -> None:
    found = problems(f"{ROUTE}[routes.match]\n{text}")
    assert list(found) == [f"routes[0] 'r' -> match.{place}"]
    assert message in found[f"routes[0] 'r' -> match.{place}"].message


def test_required_key_is_explained(problems: Problems) -> None:
    found = problems('[peers.pacs]\nae_title = "P"\nport = 104')
    assert "Host name or IP address of the peer." in found["peers.pacs.host"].message
    assert found["peers.pacs.host"].value is None


def test_given_value_is_shown_in_one_short_line(problems: Problems) -> None:
    lines = r"x y\n" * 100
    found = problems(f'[node]\nhost = "{lines}"')
    value = found["node.host"].value
    assert value is not None
    assert len(value) == 80
    assert "\n" not in value


def test_one_text_stands_for_an_array_of_one(load: Load) -> None:
    route = load(f'{ROUTE}[routes.match]\nmodality = "CT"\ncalling_ae_title = "A "').routes[0]
    assert route.match.modality == ("CT",)
    assert route.match.calling_ae_title == ("A",)
    assert route.match.called_ae_title is None


def test_whole_numbers_will_do_for_seconds(load: Load) -> None:
    assert load("[delivery]\nfirst_retry_s = 2").delivery.first_retry_s == 2.0


def test_state_folder_is_the_users_data_folder_or_what_is_set(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/radiology")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert load("").node.state_folder.name == "hounsfield"
    assert load('[node]\nstate = "/srv/x"').node.state_folder == Path("/srv/x")
    assert load('[node]\nstate = "~/x"').node.state_folder == Path("/home/radiology/x")


def test_condition_holds_a_compiled_expression_or_a_range(load: Load) -> None:
    where = (
        "where = [{keyword = 'BodyPartExamined', matches = '(?i)chest'},"
        " {keyword = 'SliceThickness', at_most = 2.5}]"
    )
    expression, span = load(f"{ROUTE}[routes.match]\n{where}").routes[0].match.where
    assert expression.matches is not None
    assert expression.matches.search("CHEST")
    assert not expression.is_range
    assert span.is_range
    assert (span.at_least, span.at_most) == (None, 2.5)


def test_peer_knows_its_address(load: Load) -> None:
    peer = load(PEER).peers["pacs"]
    assert str(peer.address) == "PACS@h:104"
    assert peer.receives_results
