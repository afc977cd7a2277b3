"""Destinations that fail: every result arrives in the end, or is set aside with the reason."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity

from config import DeliverySettings, Peer
from scp.deliver import Courier
from scp.ledger import Ledger
from tests.support.archive import CT, Archive, Clock, line, outbox, uids_of
from tests.support.ports import free_port
from tests.support.waiting import wait_for

RESULTS = 6
LATER = timedelta(seconds=6)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with results that are due."""
    with outbox(tmp_path, RESULTS) as ledger:
        yield ledger


class Couriers:
    """Two couriers of one destination; time passes by ``look``."""

    def __init__(self, folder: Path, ledger: Ledger, port: int) -> None:
        self._clock = Clock()
        self._ledger = ledger
        values = {"ae_title": "ARCHIVE", "host": "127.0.0.1", "port": port, "associations": 2}
        self._couriers = [
            Courier(
                name="pacs",
                peer=Peer.model_validate(values),
                calling_ae_title="HOUNSFIELD",
                settings=DeliverySettings(timeout_s=1.0, longest_retry_s=5.0),
                ledger=ledger,
                results_folder=folder / "results",
                stopping=Event(),
                clock=self._clock,
            )
            for _ in range(2)
        ]

    def look(self, times: int = 1) -> tuple[int, int]:
        """Let both look so often at what is due; delivered and set aside."""
        for _ in range(times):
            threads = [
                threading.Thread(target=each.tick, args=(self._clock(),)) for each in self._couriers
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            self._clock.now += LATER
        job = line(self._ledger)
        return job.delivered, job.set_aside

    @property
    def reason(self) -> str:
        """Why not all is delivered."""
        return line(self._ledger).delivery_reason


@contextmanager
def archive(port: int = 0, **handlers: Callable[..., Any]) -> Iterator[tuple[Archive, int]]:
    """An archive whose ``store`` or ``requested`` a test has replaced."""
    taken = Archive()
    entity = ApplicationEntity("ARCHIVE")
    entity.add_supported_context(CT)
    store = handlers.get("store", lambda _event, keep: keep())
    bound: list[Any] = [
        (evt.EVT_C_STORE, lambda event: store(event, lambda: taken._store(event))),
    ]
    if "requested" in handlers:
        bound.append((evt.EVT_REQUESTED, handlers["requested"]))
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=bound)
    try:
        yield taken, server.server_address[1]
    finally:
        server.shutdown()


def assert_all_there(folder: Path, taken: Archive) -> None:
    """Every result, and none in two versions."""
    assert taken.stored.keys() == uids_of(folder).keys()
    assert {len(versions) for versions in taken.bytes_of.values()} == {1}


def test_a_destination_that_is_down_for_a_while(tmp_path: Path, ledger: Ledger) -> None:
    port = free_port()
    couriers = Couriers(tmp_path, ledger, port)
    assert couriers.look(3) == (0, 0)
    assert "cannot be reached" in couriers.reason
    with archive(port) as (taken, _):
        assert couriers.look() == (RESULTS, 0)
    assert_all_there(tmp_path, taken)
    assert set(taken.stored.values()) == {1}


def test_a_destination_that_rejects_the_association_for_a_while(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Rejected as transient, and as permanent: a setting over there may be mended."""
    refusals = iter([(0x01, 0x01, 0x07), (0x01, 0x01, 0x07), (0x02, 0x03, 0x02)])

    def reject(event: evt.Event) -> None:
        refusal = next(refusals, None)
        if refusal is not None:
            event.assoc.acse.send_reject(*refusal)
            wait_for("the rejection to be sent", lambda: _is_sent(event), 5.0)

    with archive(requested=reject) as (taken, port):
        couriers = Couriers(tmp_path, ledger, port)
        couriers.look()
        assert line(ledger).delivered < RESULTS
        assert couriers.look(3) == (RESULTS, 0)
    assert_all_there(tmp_path, taken)


def _is_sent(event: evt.Event) -> bool:
    return event.assoc.dul.state_machine.current_state != "Sta3"


def test_a_destination_without_room_for_a_while(tmp_path: Path, ledger: Ledger) -> None:
    """A700 to each at first."""
    refused: set[str] = set()

    def store(event: evt.Event, keep: Callable[[], int]) -> int:
        uid = event.request.AffectedSOPInstanceUID
        if uid in refused:
            return keep()
        refused.add(uid)
        return 0xA700

    with archive(store=store) as (taken, port):
        couriers = Couriers(tmp_path, ledger, port)
        assert couriers.look() == (0, 0)
        assert "A700" in couriers.reason
        assert couriers.look() == (RESULTS, 0)
    assert_all_there(tmp_path, taken)
    assert set(taken.stored.values()) == {1}


def test_a_destination_that_refuses_one_sop_class(tmp_path: Path, ledger: Ledger) -> None:
    """Status 0122 sets aside with the setting that says what it is sent."""
    refused = next(iter(uids_of(tmp_path)))

    def store(event: evt.Event, keep: Callable[[], int]) -> int:
        return 0x0122 if event.request.AffectedSOPInstanceUID == refused else keep()

    with archive(store=store) as (taken, port):
        couriers = Couriers(tmp_path, ledger, port)
        assert couriers.look(2) == (RESULTS - 1, 1)
    assert "peers.pacs.dialect" in couriers.reason
    assert refused not in taken.stored


def test_a_destination_that_aborts_after_every_second_instance(
    tmp_path: Path, ledger: Ledger
) -> None:
    """It may have kept what it did not acknowledge: that comes again with the same bytes."""
    counted = iter(range(1000))

    def store(event: evt.Event, keep: Callable[[], int]) -> int:
        status = keep()
        if next(counted) % 2:
            event.assoc.abort()
        return status

    with archive(store=store) as (taken, port):
        couriers = Couriers(tmp_path, ledger, port)
        assert couriers.look(12) == (RESULTS, 0)
    assert_all_there(tmp_path, taken)


def test_a_destination_that_accepts_connections_and_never_answers(
    tmp_path: Path, ledger: Ledger
) -> None:
    """The couriers return by their timeout, and everything waits."""
    port = free_port()
    couriers = Couriers(tmp_path, ledger, port)
    with socket.create_server(("127.0.0.1", port)):
        assert couriers.look() == (0, 0)
    assert "cannot be reached" in couriers.reason
    with archive(port) as (taken, _):
        assert couriers.look(2) == (RESULTS, 0)
    assert_all_there(tmp_path, taken)


def test_a_destination_that_takes_an_instance_and_never_answers(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Given up by timeout, sent again with the same bytes."""
    silent, released = iter(range(2)), Event()

    def store(_event: evt.Event, keep: Callable[[], int]) -> int:
        status = keep()
        if next(silent, None) is not None:
            released.wait(20)
        return status

    with archive(store=store) as (taken, port):
        couriers = Couriers(tmp_path, ledger, port)
        couriers.look()
        assert "did not answer in time" in couriers.reason
        released.set()
        assert couriers.look(3) == (RESULTS, 0)
    assert_all_there(tmp_path, taken)
