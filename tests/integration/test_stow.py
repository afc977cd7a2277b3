"""Delivering by STOW-RS to a server of the tests: the same outcomes as by C-STORE."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from config import DeliverySettings, Peer
from scp.deliver import Courier
from scp.ledger import Ledger
from tests.support.archive import NOW, Clock, line, outbox, uids_of
from tests.support.ports import free_port
from tests.support.stow import Answer, StowServer, failed, stored


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with three results that are due."""
    with outbox(tmp_path) as ledger:
        yield ledger


def courier(folder: Path, ledger: Ledger, url: str, **settings: Any) -> Courier:
    """A courier to a URL."""
    return Courier(
        name="pacs",
        peer=Peer.model_validate({"kind": "dicomweb", "url": url, **settings}),
        calling_ae_title="HOUNSFIELD",
        settings=DeliverySettings(timeout_s=1.0),
        ledger=ledger,
        results_folder=folder / "results",
        stopping=Event(),
        clock=Clock(),
    )


def counts(ledger: Ledger) -> tuple[int, int]:
    """Delivered and set aside."""
    return line(ledger).delivered, line(ledger).set_aside


def test_results_arrive_as_they_lie_here_with_the_token(tmp_path: Path, ledger: Ledger) -> None:
    """Byte for byte, once each, under /studies, with the headers of the settings."""
    (tmp_path / "token").write_text("secret-1\n")
    server = StowServer()
    with server.listening() as url:
        sender = courier(
            tmp_path, ledger, url, token_file=tmp_path / "token", headers={"X-Site": "a"}
        )
        sender.tick(NOW)
        sender.tick(NOW + timedelta(days=1))
    assert counts(ledger) == (3, 0)
    assert set(server.came.values()) == {1}
    assert server.contents == {uid: {content} for uid, content in uids_of(tmp_path).items()}
    assert server.paths == {"/dicom-web/studies"}
    assert {each["Authorization"] for each in server.headers} == {"Bearer secret-1"}
    assert {each["X-Site"] for each in server.headers} == {"a"}


def _without_a_word(_instance: Dataset) -> Answer:
    return Answer(200)


def _with_a_warning(instance: Dataset) -> Answer:
    return Answer(202, stored(instance).body)


def _with_a_character_set(instance: Dataset) -> Answer:
    return Answer(200, stored(instance).body, "application/json; charset=utf-8")


@pytest.mark.parametrize("answer", [_without_a_word, _with_a_warning, _with_a_character_set])
def test_what_the_server_says_that_it_has_is_delivered(
    tmp_path: Path, ledger: Ledger, answer: Callable[[Dataset], Answer]
) -> None:
    with StowServer(answer).listening() as url:
        courier(tmp_path, ledger, url).tick(NOW)
    assert counts(ledger) == (3, 0)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _: Answer(503), "HTTP 503"),
        (lambda _: Answer(429), "HTTP 429"),
        (lambda _: Answer(500, b"<html>", "text/html"), "HTTP 500"),
        (lambda _: Answer(202), "without saying whether"),
        (lambda _: Answer(200, b"<html>", "text/html"), "without saying whether"),
        (lambda _: Answer(200, b"{", "application/dicom+json"), "broke off|cannot be read"),
        (lambda _: Answer(302, location="/elsewhere"), "TooManyRedirects"),
        (lambda item: failed(item, 0xA700), "A700"),
        (lambda item: failed(item, 0x0110, 202), "0110"),
        (lambda _: None, "cannot be reached, or broke off"),
    ],
)
def test_what_may_be_taken_later_is_sent_again(
    tmp_path: Path, ledger: Ledger, answer: Callable[[Dataset], Answer | None], reason: str
) -> None:
    """It waits with the reason, is called delivered in no case, and arrives the same."""
    server = StowServer(answer)
    with server.listening() as url:
        sender = courier(tmp_path, ledger, url)
        for _ in range(3):  # what an association breaks on waits by itself
            sender.tick(NOW)
        assert counts(ledger) == (0, 0)
        assert any(each in line(ledger).delivery_reason for each in reason.split("|"))
        server.answer = stored
        sender.tick(NOW + timedelta(seconds=6))
    assert counts(ledger) == (3, 0)
    assert {len(versions) for versions in server.contents.values()} == {1}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _: Answer(400), "HTTP 400; see peers.pacs.url"),
        (lambda _: Answer(401), "HTTP 401; see peers.pacs.token_file"),
        (lambda _: Answer(404, b"none", "text/plain"), "HTTP 404"),
        (lambda item: failed(item, 0x0122), "answered 0122: it does not take this kind"),
        (lambda item: failed(item, 0xA900), "answered A900"),
    ],
)
def test_what_would_not_be_taken_later_is_set_aside(
    tmp_path: Path, ledger: Ledger, answer: Callable[[Dataset], Answer], reason: str
) -> None:
    with StowServer(answer).listening() as url:
        courier(tmp_path, ledger, url).tick(NOW)
    assert counts(ledger) == (0, 3)
    assert reason in line(ledger).delivery_reason


def test_one_instance_that_is_refused_does_not_hold_the_others(
    tmp_path: Path, ledger: Ledger
) -> None:
    bad = next(iter(uids_of(tmp_path)))

    def answer(instance: Dataset) -> Answer:
        return failed(instance, 0xC000) if instance.SOPInstanceUID == bad else stored(instance)

    with StowServer(answer).listening() as url:
        courier(tmp_path, ledger, url).tick(NOW)
    assert counts(ledger) == (2, 1)


def test_a_server_that_is_down_or_never_answers_is_tried_again(
    tmp_path: Path, ledger: Ledger
) -> None:
    """The deliveries wait with the reason; the courier returns by its timeout."""
    courier(tmp_path, ledger, f"http://127.0.0.1:{free_port()}/dicom-web").tick(NOW)
    assert counts(ledger) == (0, 0)
    assert "cannot be reached" in line(ledger).delivery_reason
    released = Event()

    def never(instance: Dataset) -> Answer:
        released.wait(20)
        return stored(instance)

    server = StowServer(never)
    with server.listening() as url:
        sender = courier(tmp_path, ledger, url)
        sender.tick(NOW + timedelta(seconds=6))
        released.set()
        assert "ReadTimeout" in line(ledger).delivery_reason
        server.answer = stored
        sender.tick(NOW + timedelta(seconds=60))
    assert counts(ledger) == (3, 0)
    assert {len(versions) for versions in server.contents.values()} == {1}


def test_images_are_compressed_without_loss_where_the_dialect_says_so(
    tmp_path: Path, ledger: Ledger
) -> None:
    server = StowServer()
    with server.listening() as url:
        dialect = {"transfer_syntax": "rle"}
        courier(tmp_path, ledger, url, dialect=dialect).tick(NOW)
    assert counts(ledger) == (3, 0)
    (content,) = server.contents[next(iter(uids_of(tmp_path)))]
    kept = tmp_path / "kept.dcm"
    kept.write_bytes(content)
    sent, ours = pydicom.dcmread(kept), pydicom.dcmread(tmp_path / "results" / "0.dcm")
    assert sent.file_meta.TransferSyntaxUID == RLELossless
    assert (sent.pixel_array == ours.pixel_array).all()


def test_a_token_that_cannot_be_read_is_named(tmp_path: Path, ledger: Ledger) -> None:
    """Its file may come back: the deliveries wait."""
    with StowServer().listening() as url:
        courier(tmp_path, ledger, url, token_file=tmp_path / "none").tick(NOW)
    assert counts(ledger) == (0, 0)
    assert "the token in" in line(ledger).delivery_reason
