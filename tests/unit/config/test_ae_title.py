"""AE titles and addresses are parsed once, and only valid ones exist."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from config.ae_title import AeTitle, PeerAddress

_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "\\")


@pytest.mark.parametrize(
    ("text", "title"),
    [("PACS", "PACS"), ("  PACS ", "PACS"), ("A B", "A B"), ("x" * 16, "x" * 16), ("a@b", "a@b")],
)
def test_spaces_at_the_ends_carry_no_meaning(text: str, title: str) -> None:
    assert AeTitle.parse(text) == title


@pytest.mark.parametrize(
    "text", ["", " " * 5, "x" * 17, "A\\B", "A\nB", "A\tB", "Ä", "A\x7fB", "\0"]
)
def test_other_text_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 16 printable ASCII characters"):
        AeTitle.parse(text)


@given(st.text(_PRINTABLE, min_size=1, max_size=16).filter(str.strip))
def test_every_printable_title_is_taken_and_stays_as_it_is(text: str) -> None:
    title = AeTitle.parse(text)
    assert title == text.strip(" ")
    assert AeTitle.parse(title) == title


def test_pydantic_makes_titles_and_refuses_bad_ones() -> None:
    adapter = TypeAdapter(AeTitle)
    assert isinstance(adapter.validate_python("PACS "), AeTitle)
    with pytest.raises(ValidationError):
        adapter.validate_python("x" * 17)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("PACS@10.0.0.1:104", PeerAddress(AeTitle("PACS"), "10.0.0.1", 104)),
        ("PACS@pacs_1.example.org:4242", PeerAddress(AeTitle("PACS"), "pacs_1.example.org", 4242)),
        ("PACS@[::1]:104", PeerAddress(AeTitle("PACS"), "::1", 104)),
        ("A@B@host:1", PeerAddress(AeTitle("A@B"), "host", 1)),
    ],
)
def test_address_is_read_and_written_alike(text: str, address: PeerAddress) -> None:
    assert PeerAddress.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "AE@host:port"),
        ("PACS", "AE@host:port"),
        ("PACS@host", "AE@host:port"),
        ("host:104", "AE@host:port"),
        ("PACS@host:", "AE@host:port"),
        ("PACS@host:1_0", "AE@host:port"),
        ("PACS@host:-1", "AE@host:port"),
        ("PACS@host:0", "1 to 65535"),
        ("PACS@host:65536", "1 to 65535"),
        ("PACS@:104", "a host is a name"),
        ("PACS@a b:104", "a host is a name"),
        ("PACS@[nonsense:]:104", "a host is a name"),
        ("PACS@::1:104", "in brackets"),
        ("@host:104", "1 to 16 printable"),
    ],
)
def test_bad_address_is_refused_with_what_is_allowed(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PeerAddress.parse(text)


@given(st.text(string.printable + "@:[]é", max_size=30))
def test_any_text_is_an_address_that_reads_back_or_a_value_error(text: str) -> None:
    try:
        address = PeerAddress.parse(text)
    except ValueError:
        return
    assert PeerAddress.parse(str(address)) == address
