"""Who may associate: called title, calling title, address, certificate."""

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import AccessSettings, Peer, Settings
from scp.receive.admission import Admission, Caller, Rejection
from scp.tls import PeerCertificate

FINGERPRINT = "ab" * 32
SHOWN = PeerCertificate(("CT Room 1",), FINGERPRINT)


def peer(**values: Any) -> Peer:
    """A sender, with other values where given."""
    defaults = {"ae_title": "CT", "host": "192.0.2.7", "port": 104, "role": "sender"}
    return Peer.model_validate(defaults | values)


def admission(callers: str = "peers", called: str = "ours", **peers: Peer) -> Admission:
    """The rules of a node with these peers."""
    access = AccessSettings.model_validate({"callers": callers, "called_ae_title": called})
    return Admission.of(Settings(access=access, peers=peers))


def caller(
    address: str = "192.0.2.7",
    calling: str = "CT",
    called: str = "HOUNSFIELD",
    certificate: PeerCertificate | None = None,
) -> Caller:
    """A caller that is let in by the defaults of `peer`, with other values where given."""
    return Caller(calling, called, address, certificate)


def codes(rejection: Rejection | None) -> tuple[int, int, int] | None:
    """The three fields of the A-ASSOCIATE-RJ PDU."""
    return rejection and (rejection.result, rejection.source, rejection.reason)


def test_anyone_is_let_in_where_nothing_is_said() -> None:
    rules = Admission.of(Settings())
    assert rules.judge(caller("203.0.113.9", "STRANGER")) is None


def test_another_called_title_is_not_recognised_unless_any_will_do() -> None:
    wrong = caller(called="SOMEONE")
    rejection = admission("anyone").judge(wrong)
    assert codes(rejection) == (1, 1, 7)
    assert rejection is not None
    assert rejection.setting == "access.called_ae_title"
    assert admission("anyone", "any").judge(wrong) is None


def test_title_of_no_peer_is_not_recognised() -> None:
    rejection = admission(ct=peer()).judge(caller(calling="CT2"))
    assert codes(rejection) == (1, 1, 3)
    assert rejection is not None
    assert rejection.setting == "peers.NAME.ae_title"


def test_titles_differ_by_case() -> None:
    assert codes(admission(ct=peer()).judge(caller(calling="ct"))) == (1, 1, 3)


def test_destination_does_not_send_and_its_role_is_named() -> None:
    rejection = admission(ct=peer(), pacs=peer(ae_title="PACS", role="destination")).judge(
        caller(calling="PACS")
    )
    assert codes(rejection) == (1, 1, 3)
    assert rejection is not None
    assert rejection.setting == "peers.pacs.role"


@pytest.mark.parametrize("role", ["sender", "both"])
def test_peer_is_let_in_from_its_own_host_only(role: str) -> None:
    rules = admission(ct=peer(role=role))
    assert rules.judge(caller()) is None
    rejection = rules.judge(caller("192.0.2.8"))
    assert codes(rejection) == (1, 1, 3)
    assert rejection is not None
    assert rejection.setting == "peers.ct.addresses"


def test_addresses_go_before_the_host() -> None:
    rules = admission(ct=peer(addresses=["198.51.100.0/24", "2001:db8::5"]))
    assert rules.judge(caller("198.51.100.200")) is None
    assert rules.judge(caller("2001:db8::5")) is None
    assert codes(rules.judge(caller("192.0.2.7"))) == (1, 1, 3)


def test_title_with_addresses_is_bound_to_them_even_where_anyone_may_send() -> None:
    """Nobody else may call by it; a title without addresses is free."""
    rules = admission("anyone", ct=peer(addresses="192.0.2.7"), mr=peer(ae_title="MR"))
    assert codes(rules.judge(caller("192.0.2.8"))) == (1, 1, 3)
    assert rules.judge(caller("192.0.2.8", "MR")) is None
    assert rules.judge(caller("192.0.2.8", "STRANGER")) is None


def test_host_that_is_a_name_stands_for_no_address() -> None:
    """The settings ask for addresses or a certificate then; here it is a certificate."""
    rules = admission(ct=peer(host="ct.example.org", certificate="CT Room 1"))
    assert rules.judge(caller("203.0.113.9", certificate=SHOWN)) is None


@pytest.mark.parametrize("name", ["CT Room 1", FINGERPRINT, FINGERPRINT.upper()])
def test_certificate_is_known_by_name_or_fingerprint(name: str) -> None:
    rules = admission(ct=peer(certificate=name))
    assert rules.judge(caller(certificate=SHOWN)) is None


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (None, "none was shown"),
        (PeerCertificate(("CT Room 2",), "cd" * 32), "CT Room 2"),
        (PeerCertificate((), "cd" * 32), "cdcd"),
    ],
)
def test_title_of_a_certificate_needs_that_one(shown: PeerCertificate | None, words: str) -> None:
    rejection = admission("anyone", ct=peer(certificate="CT Room 1")).judge(
        caller(certificate=shown)
    )
    assert codes(rejection) == (1, 1, 3)
    assert rejection is not None
    assert words in rejection.why
    assert rejection.setting == "peers.ct.certificate"


def test_certificate_alone_does_not_make_up_for_the_address() -> None:
    rules = admission(ct=peer(certificate="CT Room 1"))
    rejection = rules.judge(caller("192.0.2.8", certificate=SHOWN))
    assert rejection is not None
    assert rejection.setting == "peers.ct.addresses"


def test_one_of_several_peers_of_a_title_will_do() -> None:
    rules = admission(a=peer(addresses="192.0.2.7", certificate="A"), b=peer(addresses="192.0.2.8"))
    assert rules.judge(caller("192.0.2.8")) is None
    rejection = rules.judge(caller("192.0.2.7"))
    assert rejection is not None
    assert rejection.setting == "peers.a.certificate"


def test_ipv4_over_an_ipv6_socket_is_ipv4_and_the_interface_is_left_out() -> None:
    rules = admission(a=peer(), b=peer(addresses="fe80::/10"))
    assert rules.judge(caller("::ffff:192.0.2.7")) is None
    assert rules.judge(caller("fe80::1%eth0")) is None
    assert codes(rules.judge(caller("::ffff:192.0.2.8"))) == (1, 1, 3)


@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 128))
def test_address_is_let_in_exactly_where_a_network_holds_it(
    address: Any, other: Any, prefix: int
) -> None:
    network = ip_network(f"{other}/{min(prefix, other.max_prefixlen)}", strict=False)
    plain = getattr(address, "ipv4_mapped", None) or address
    rules = admission(ct=peer(addresses=str(network)))
    assert (rules.judge(caller(str(address))) is None) == (plain in network)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_title_is_judged(calling: str, called: str) -> None:
    """A title that a peer makes up is rejected, and never an error."""
    rejection = admission(ct=peer()).judge(caller(calling=calling, called=called))
    assert (rejection is None) == ((calling, called) == ("CT", "HOUNSFIELD"))
