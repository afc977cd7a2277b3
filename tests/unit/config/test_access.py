"""The tables that say who may send fit together, and none of them is without effect."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from config.access import CertificateName, Network
from config.model import Settings
from config.problems import Problem

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, Problem]]

FILES = 'certificate = "/c.pem"\nkey = "/c.key"\n'
TLS = f'[tls]\nport = 2762\nca = "/ca.pem"\n{FILES}'
ONLY_PEERS = '[access]\ncallers = "peers"\n'
FINGERPRINT = "ab" * 32


def _peer(role: str, more: str = "", host: str = "192.0.2.7") -> str:
    return f'[peers.ct]\nae_title = "CT"\nhost = "{host}"\nport = 104\nrole = "{role}"\n{more}\n'


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("[node]\nplaintext = false", "node.plaintext", "would listen nowhere"),
        (TLS.replace("2762", "11112"), "tls.port", "must not be node.port"),
        (f"[node]\nport = 2762\n{TLS}", "tls.port", "must not be node.port"),
        ('[tls]\ncertificate = "/c.pem"', "tls.key", "is required where tls.certificate is set"),
        ('[tls]\nkey = "/c.key"', "tls.certificate", "is required where tls.key is set"),
        ('[tls]\nport = 2762\nca = "/ca.pem"', "tls.certificate", "hounsfield certs"),
        (f"[tls]\nport = 2762\n{FILES}", "tls.ca", "to verify the certificates of senders"),
        (_peer("destination", "tls = true"), "tls.ca", "the certificate of peers.ct"),
        (ONLY_PEERS, "access.callers", "nobody could send"),
        (ONLY_PEERS + _peer("destination"), "access.callers", "nobody could send"),
        (
            ONLY_PEERS + _peer("sender", host="ct.example.org"),
            "peers.ct.addresses",
            "is required where access.callers is 'peers' and host is a name",
        ),
        (_peer("destination", 'addresses = "10.0.0.1"'), "peers.ct.addresses", "has no effect"),
        (_peer("sender", 'dialect.preset = "ohif"'), "peers.ct.dialect", "has no effect"),
        (_peer("sender", 'proof = "readback"'), "peers.ct.proof", "has no effect"),
        (
            ONLY_PEERS
            + _peer("destination", 'proof = "commitment"')
            + '[peers.a]\nae_title = "A"\nhost = "192.0.2.8"\nport = 104\nrole = "sender"\n',
            "peers.ct.role",
            "must be 'both'",
        ),
        (_peer("sender", 'certificate = "ct"'), "peers.ct.certificate", "set tls.port"),
        (
            f'{TLS}client_certificates = "none"\n' + _peer("both", 'certificate = "ct"'),
            "peers.ct.certificate",
            "other than 'none'",
        ),
        (_peer("destination", 'certificate = "ct"'), "peers.ct.certificate", "set tls = true"),
        (
            TLS + _peer("sender", 'certificate = " ct"'),
            "peers.ct.certificate",
            "SHA-256 fingerprint",
        ),
    ],
)
def test_door_that_is_half_closed_is_named(
    problems: Problems, text: str, place: str, message: str
) -> None:
    found = problems(text)
    assert list(found) == [place]
    assert message in found[place].message


@pytest.mark.parametrize(
    "text",
    [
        f"[node]\nplaintext = false\nport = 2762\n{TLS}",
        f'[tls]\nport = 2762\nclient_certificates = "none"\n{FILES}',
        f'{TLS}client_certificates = "optional"\n',
        ONLY_PEERS + _peer("sender"),
        ONLY_PEERS + _peer("both", 'addresses = ["::/0", "0.0.0.0/0"]', "ct.example.org"),
        ONLY_PEERS + TLS + _peer("sender", 'certificate = "ct"', "ct.example.org"),
        '[tls]\nca = "/ca.pem"\n' + _peer("destination", 'tls = true\ncertificate = "ct"'),
    ],
)
def test_door_that_is_closed_or_open_is_taken(load: Load, text: str) -> None:
    assert load(text) != load("")


def test_node_is_open_and_without_tls_where_nothing_is_said(load: Load) -> None:
    settings = load("")
    assert (settings.access.callers, settings.access.called_ae_title) == ("anyone", "ours")
    assert (settings.tls.port, settings.node.plaintext) == (None, True)


def test_fingerprint_is_read_with_or_without_colons_in_either_case() -> None:
    adapter = TypeAdapter(CertificateName)
    colons = ":".join(["AB"] * 32)
    assert adapter.validate_python(colons) == FINGERPRINT
    assert adapter.validate_python(FINGERPRINT.upper()) == FINGERPRINT
    assert adapter.validate_python("CT Room 1") == "CT Room 1"


@pytest.mark.parametrize("text", ["", " ", "x" * 65, "a\nb"])
def test_other_text_is_no_name_of_a_certificate(text: str) -> None:
    with pytest.raises(ValidationError, match="64 hexadecimal digits"):
        TypeAdapter(CertificateName).validate_python(text)


@given(st.ip_addresses())
def test_address_is_a_network_of_one(address: object) -> None:
    network = TypeAdapter(Network).validate_python(str(address))
    assert list(network) == [address]


@given(st.ip_addresses(), st.integers(0, 128))
def test_network_holds_the_address_it_was_made_of_and_other_host_bits_are_refused(
    address: object, prefix: int
) -> None:
    length = min(prefix, ip_address(str(address)).max_prefixlen)
    network = ip_network(f"{address}/{length}", strict=False)
    adapter: TypeAdapter[Network] = TypeAdapter(Network)
    assert address in adapter.validate_python(str(network))
    if network.network_address != address:
        with pytest.raises(ValidationError, match=str(network)):
            adapter.validate_python(f"{address}/{length}")
