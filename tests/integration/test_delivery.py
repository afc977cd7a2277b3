"""Delivering to a stand-in PACS: once each, again when it is down, set aside when hopeless."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity

from config import AeTitle, DeliverySettings, Peer
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.products import Dialect, Form, Product
from scp.backoff import retry_delay_s
from scp.deliver import Courier, set_aside_strangers
from scp.demo.stand_in import AE_TITLE, StandInPacs
from scp.ledger import Ledger
from scp.ledger.jobs import JobLine, job_lines
from scp.ledger.outbox import StoredResult, record_results
from tests.support.ports import free_port
from tests.unit.scp.test_ledger import index, make_job, received

CT = "1.2.840.10008.5.1.4.1.1.2"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with one job whose three results are due."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.migrate()
    index(ledger, received(1), received(2))
    make_job(ledger)
    results = []
    for number, dataset in enumerate(phantom_instances(chest_phantom(slices=3, size=32))):
        path = tmp_path / "results" / f"{number}.dcm"
        path.parent.mkdir(exist_ok=True)
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        results.append(
            StoredResult(
                str(dataset.SOPInstanceUID), CT, "2.9", path.name, "ab", Product.SEG, Form().key
            )
        )
    with ledger.write() as connection:
        record_results(connection, 1, results, {"pacs": Dialect()}, NOW)
    yield ledger
    ledger.close()


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[StandInPacs]:
    """A PACS that takes everything."""
    with StandInPacs(tmp_path / "pacs") as receiver:
        yield receiver


class Clock:
    """A time that the test sets."""

    now = NOW

    def __call__(self) -> datetime:
        """The present time."""
        return self.now


def courier(tmp_path: Path, ledger: Ledger, port: int, now: datetime = NOW) -> Courier:
    """A courier to a port, at a time."""
    clock = Clock()
    clock.now = now
    return Courier(
        name="pacs",
        peer=Peer(ae_title=AeTitle(AE_TITLE), host="127.0.0.1", port=port),
        calling_ae_title="HOUNSFIELD",
        settings=DeliverySettings(timeout_s=5.0),
        ledger=ledger,
        results_folder=tmp_path / "results",
        stopping=Event(),
        clock=clock,
    )


def line(ledger: Ledger) -> JobLine:
    """The job with its deliveries."""
    with ledger.read() as connection:
        (only,) = job_lines(connection)
    return only


def test_results_arrive_once(tmp_path: Path, ledger: Ledger, pacs: StandInPacs) -> None:
    """All are confirmed; a second look sends nothing."""
    sender = courier(tmp_path, ledger, pacs.port)
    sender.tick(NOW)
    sender.tick(NOW + timedelta(days=1))
    assert line(ledger).delivered == 3
    assert len(pacs.instances()) == 3
    assert len(list((tmp_path / "pacs").rglob("*.dcm"))) == 3


def test_a_destination_that_is_down_is_tried_again(
    tmp_path: Path, ledger: Ledger, pacs: StandInPacs
) -> None:
    """The deliveries wait with the reason, and arrive when the destination is back."""
    courier(tmp_path, ledger, free_port()).tick(NOW)
    assert line(ledger).delivered == 0
    assert "cannot be reached" in line(ledger).delivery_reason
    again = courier(tmp_path, ledger, pacs.port)
    again.tick(NOW + timedelta(seconds=1))
    assert line(ledger).delivered == 0
    again.tick(NOW + timedelta(seconds=6))
    assert line(ledger).delivered == 3


def test_a_destination_that_stays_down_is_given_up(tmp_path: Path, ledger: Ledger) -> None:
    """After the time of the settings the deliveries are set aside with the last reason."""
    late = NOW + timedelta(hours=73)
    courier(tmp_path, ledger, free_port(), late).tick(late)
    assert line(ledger).set_aside == 3
    assert "given up" in line(ledger).delivery_reason


def test_a_result_that_is_gone_is_set_aside_and_the_others_arrive(
    tmp_path: Path, ledger: Ledger, pacs: StandInPacs
) -> None:
    """One missing file does not hold the rest."""
    (tmp_path / "results" / "1.dcm").unlink()
    courier(tmp_path, ledger, pacs.port).tick(NOW)
    assert (line(ledger).delivered, line(ledger).set_aside) == (2, 1)
    assert "1.dcm cannot be read" in line(ledger).delivery_reason


def test_a_stopping_courier_leaves_the_rest_for_later(
    tmp_path: Path, ledger: Ledger, pacs: StandInPacs
) -> None:
    """What was not sent stays pending, without an attempt counted."""
    sender = courier(tmp_path, ledger, pacs.port)
    sender.stopping.set()
    sender.tick(NOW)
    assert (line(ledger).delivered, line(ledger).set_aside) == (0, 0)
    sender.stopping.clear()
    sender.tick(NOW)
    assert line(ledger).delivered == 3


def test_waits_grow_to_their_limit() -> None:
    """5, 10, 20 s and so on, up to an hour."""
    settings = DeliverySettings()
    delays = [retry_delay_s(attempts, settings) for attempts in (1, 2, 3, 10, 11, 1000)]
    assert delays == [5, 10, 20, 2560, 3600, 3600]


def test_a_destination_that_takes_implicit_vr_only_gets_the_results(
    tmp_path: Path, ledger: Ledger
) -> None:
    """The results are transcoded without loss to what the destination accepted."""
    kept: list[pydicom.Dataset] = []

    def keep(event: evt.Event) -> int:
        kept.append(event.dataset)
        return 0

    entity = ApplicationEntity(AE_TITLE)
    entity.add_supported_context(CT, ImplicitVRLittleEndian)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)]
    )
    try:
        courier(tmp_path, ledger, server.server_address[1]).tick(NOW)
    finally:
        server.shutdown()
    assert line(ledger).delivered == 3
    sent = pydicom.dcmread(tmp_path / "results" / "0.dcm")
    assert list(kept[0].keys()) == list(sent.keys())
    assert kept[0].PixelData == sent.PixelData


def test_an_instance_that_the_peer_breaks_off_on_does_not_hold_the_others(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Only the instance under way counts a failed attempt; the next look sends the rest."""
    first = str(pydicom.dcmread(tmp_path / "results" / "0.dcm").SOPInstanceUID)

    def choke(event: evt.Event) -> int:
        if event.request.AffectedSOPInstanceUID == first:
            event.assoc.abort()
        return 0

    entity = ApplicationEntity(AE_TITLE)
    entity.add_supported_context(CT)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, choke)]
    )
    sender = courier(tmp_path, ledger, server.server_address[1])
    try:
        sender.tick(NOW)
        assert line(ledger).delivered == 0
        sender.tick(NOW)
    finally:
        server.shutdown()
    assert (line(ledger).delivered, line(ledger).set_aside) == (2, 0)


def test_a_peer_that_accepts_no_class_is_set_aside(tmp_path: Path, ledger: Ledger) -> None:
    """Trying again for days would not change it."""
    entity = ApplicationEntity(AE_TITLE)
    entity.add_supported_context("1.2.840.10008.5.1.4.1.1.4")
    server = entity.start_server(("127.0.0.1", 0), block=False)
    try:
        courier(tmp_path, ledger, server.server_address[1]).tick(NOW)
    finally:
        server.shutdown()
    assert line(ledger).set_aside == 3
    assert "none of the SOP Classes" in line(ledger).delivery_reason


def test_what_waits_for_a_peer_that_is_gone_is_set_aside(ledger: Ledger) -> None:
    """A destination that was taken out of the settings is named."""
    set_aside_strangers(ledger, {})
    assert line(ledger).set_aside == 3
    assert "'pacs' is no destination in the settings any more" in line(ledger).delivery_reason
