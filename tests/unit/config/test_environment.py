"""Variables go before the file, and wrong ones are named."""

from collections.abc import Callable

import pytest

from config.load import load_settings
from config.model import Settings
from config.problems import Problem

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, Problem]]

PEER = '[peers.CT-Room.1]\nae_title = "CT"\nhost = "h"\nport = 104\n'.replace(
    "CT-Room.1", '"CT-Room.1"'
)


def test_text_is_read_as_the_keys_type(load: Load) -> None:
    settings = load(
        "[node]\nport = 1\nreceivers = 3",
        HOUNSFIELD_NODE__PORT="104",
        HOUNSFIELD_NODE__PLAINTEXT="false",
        HOUNSFIELD_TLS__PORT="2762",
        HOUNSFIELD_TLS__CLIENT_CERTIFICATES="none",
        HOUNSFIELD_TLS__CERTIFICATE="/a.pem",
        HOUNSFIELD_TLS__KEY="/a.key",
        HOUNSFIELD_NODE__STATE="/srv/state",
        HOUNSFIELD_NODE__AE_TITLE="123",
        HOUNSFIELD_DELIVERY__FIRST_RETRY_S="0.5",
        HOUNSFIELD_LOG__FORMAT="json",
    )
    assert (settings.node.port, settings.node.receivers) == (104, 3)
    assert settings.node.plaintext is False
    assert settings.tls.port == 2762
    assert str(settings.node.state_folder) == "/srv/state"
    assert settings.node.ae_title == "123"
    assert settings.delivery.first_retry_s == 0.5
    assert settings.log.format == "json"


def test_peer_of_the_file_is_reached_without_regard_to_case_and_hyphens(load: Load) -> None:
    peers = load(PEER, HOUNSFIELD_PEERS__CT_ROOM_1__HOST="orthanc").peers
    assert peers["CT-Room.1"].host == "orthanc"
    assert peers["CT-Room.1"].port == 104


def test_peer_can_be_made_by_variables_alone(load: Load) -> None:
    peers = load(
        "",
        HOUNSFIELD_PEERS__PACS__HOST="orthanc",
        HOUNSFIELD_PEERS__PACS__PORT="4242",
        HOUNSFIELD_PEERS__PACS__AE_TITLE="ORTHANC",
    ).peers
    assert str(peers["pacs"].address) == "ORTHANC@orthanc:4242"


def test_table_and_array_are_json(load: Load) -> None:
    settings = load(
        "[node]\nreceivers = 3",
        HOUNSFIELD_NODE='{"port": 1, "ae_title": "A"}',
        HOUNSFIELD_NODE__PORT="2",
        HOUNSFIELD_ROUTES='[{"name": "all", "pipelines": ["chest"]}]',
        HOUNSFIELD_PIPELINES__CHEST__STEPS='[{"algorithm": "lungs"}]',
    )
    node = settings.node
    assert (node.port, node.ae_title, node.receivers) == (2, "A", 3)
    assert [route.name for route in settings.routes] == ["all"]
    assert [step.algorithm for step in settings.pipelines["chest"].steps] == ["lungs"]


def test_empty_and_foreign_variables_and_the_config_path_set_nothing(load: Load) -> None:
    settings = load(
        "", HOUNSFIELD_NODE__PORT="", HOUNSFIELD_CONFIG="/x", PATH="/bin", NODE__PORT="1"
    )
    assert settings == load("")


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUNSFIELD_NODE__PORT", "104")
    assert load_settings(None).node.port == 104
    assert load_settings(None, {}).node.port == 11112


@pytest.mark.parametrize(
    ("variable", "text", "place", "message"),
    [
        ("HOUNSFIELD_NOED__PORT", "1", "{}", "Did you mean 'HOUNSFIELD_NODE__PORT'?"),
        ("HOUNSFIELD_NODE_PORT", "1", "{}", "Did you mean 'HOUNSFIELD_NODE__PORT'?"),
        ("HOUNSFIELD_CONFIGS", "1", "{}", "Did you mean 'HOUNSFIELD_CONFIG'?"),
        ("HOUNSFIELD_", "1", "{}", "unknown variable"),
        ("HOUNSFIELD_NODE", "{bad", "{}", "must be JSON"),
        ("HOUNSFIELD_ROUTES", "chest", "{}", "must be JSON"),
        (
            "HOUNSFIELD_NODE",
            "[1]",
            "node (environment variable {})",
            "must be a table, not an array",
        ),
        ("HOUNSFIELD_NODE__PROT", "1", "node.prot (environment variable {})", "'port'?"),
        ("HOUNSFIELD_NODE__PORT", "x", "node.port (environment variable {})", "from 0 to 65535"),
        ("HOUNSFIELD_NODE__PORT", "-1", "node.port (environment variable {})", "from 0 to 65535"),
        (
            "HOUNSFIELD_NODE__PORT__X",
            "1",
            "node.port",
            "must be a whole number from 0 to 65535, not a table",
        ),
        ("HOUNSFIELD_ROUTES__0__NAME", "x", "routes", "must be an array, not a table"),
    ],
)
def test_wrong_variable_is_named(
    problems: Problems, variable: str, text: str, place: str, message: str
) -> None:
    found = problems("", **{variable: text})
    assert list(found) == [place.format(variable)]
    assert message in found[place.format(variable)].message
