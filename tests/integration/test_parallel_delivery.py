"""Several couriers of one destination share what is due, and send nothing twice."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pydicom
import pytest

from config import DeliverySettings, Peer
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.products import Dialect, Form, Product
from scp.deliver import Courier
from scp.ledger import Ledger
from scp.ledger.outbox import StoredResult, claim_due, give_all_back, record_results
from tests.support.archive import CT, NOW, Archive, line, outbox

LEASE = timedelta(minutes=10)


def couriers(folder: Path, ledger: Ledger, port: int, count: int) -> list[Courier]:
    """Couriers of one destination, as a node starts them."""
    peer = Peer.model_validate(
        {"ae_title": "ARCHIVE", "host": "127.0.0.1", "port": port, "associations": count}
    )
    settings = DeliverySettings(timeout_s=20.0)
    return [
        Courier(
            name="pacs",
            peer=peer,
            calling_ae_title="HOUNSFIELD",
            settings=settings,
            ledger=ledger,
            results_folder=folder / "results",
            stopping=Event(),
            clock=lambda: datetime.now(UTC),
        )
        for _ in range(count)
    ]


def send_all(couriers: list[Courier], ledger: Ledger, count: int) -> None:
    """Let all send at the same time until nothing is left."""

    def work(courier: Courier) -> None:
        while line(ledger).delivered < count and not courier.stopping.wait(0.02):
            courier.tick(courier.clock())

    threads = [threading.Thread(target=work, args=(each,)) for each in couriers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(280)
    for courier in couriers:
        courier.stopping.set()


def test_what_one_courier_has_taken_on_no_other_gets(tmp_path: Path) -> None:
    """Until its time is over, or the node starts anew."""
    with outbox(tmp_path) as ledger, ledger.write() as connection:
        first = claim_due(connection, "pacs", NOW, NOW + LEASE, 2)
        second = claim_due(connection, "pacs", NOW, NOW + LEASE, 10)
        assert (len(first), len(second)) == (2, 1)
        assert not {item.id for item in first} & {item.id for item in second}
        assert claim_due(connection, "pacs", NOW, NOW + LEASE, 10) == []
        assert len(claim_due(connection, "pacs", NOW + LEASE, NOW + 2 * LEASE, 10)) == 3
        give_all_back(connection)
        assert len(claim_due(connection, "pacs", NOW, NOW + LEASE, 10)) == 3


def test_couriers_send_at_the_same_time_and_each_result_once(tmp_path: Path) -> None:
    """Forty results by four couriers: each was stored once."""
    archive = Archive()
    with outbox(tmp_path, 40) as ledger, archive.listening() as port:
        send_all(couriers(tmp_path, ledger, port, 4), ledger, 40)
        assert line(ledger).delivered == 40
    assert set(archive.stored.values()) == {1}
    assert len(archive.stored) == 40
    assert len(archive.callers) > 1


@pytest.mark.slow
def test_no_answer_is_lost_of_5000_results_by_4_couriers(tmp_path: Path) -> None:
    """Each is delivered at the first attempt: an answer that was lost would have cost a second."""
    archive = Archive()
    with outbox(tmp_path, 1) as ledger, archive.listening() as port:
        _fill(tmp_path, ledger, 4999)
        send_all(couriers(tmp_path, ledger, port, 4), ledger, 5000)
        job = line(ledger)
        assert (job.deliveries, job.delivered, job.set_aside) == (5000, 5000, 0)
    assert set(archive.stored.values()) == {1}
    assert len(archive.stored) == 5000


def _fill(folder: Path, ledger: Ledger, count: int) -> None:
    """More results, as small as an image can be."""
    template = next(iter(phantom_instances(chest_phantom(slices=1, size=32))))
    template.Rows = template.Columns = 2
    template.PixelData = b"\0" * 8
    results = []
    for number in range(count):
        template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = f"2.25.{number}"
        path = folder / "results" / f"more-{number}.dcm"
        pydicom.dcmwrite(path, template, enforce_file_format=True)
        results.append(
            StoredResult(f"2.25.{number}", CT, "2.9", path.name, "ab", Product.SEG, Form().key)
        )
    with ledger.write() as connection:
        record_results(connection, 1, results, {"pacs": Dialect()}, NOW)
