"""What the ledger knows of the associations that brought a series."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from ctypes import c_double
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from config import LimitSettings, NodeSettings, Settings
from pipeline.phantom import chest_phantom, phantom_instances
from scp.ledger import AssociationEnd, Ledger
from scp.ledger.associations import (
    EndedAssociation,
    SendingAssociation,
    Transmission,
    end_left_open,
    open_senders,
    record_end,
    series_being_sent,
    transmissions_of,
)
from scp.ledger.series import ReceivedInstance, index_instances, instances_of
from scp.receive.index import Backlog, IndexWriter
from scp.receive.server import Receiver
from scp.receive.store import StoreHandler
from scp.spool import Spool
from tests.support.waiting import wait_for
from tests.unit.scp.test_ledger import NOW, received

CT = "1.2.840.10008.5.1.4.1.1.2"
FIRST = SendingAssociation("a" * 32, "SENDER", "HOUNSFIELD", "10.0.0.1", 100, NOW)
SECOND = replace(FIRST, id="b" * 32, receiver=200, began_at=NOW + timedelta(seconds=5))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with its tables."""
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.migrate()
        yield ledger


def index(ledger: Ledger, *rows: ReceivedInstance) -> None:
    with ledger.write() as connection:
        index_instances(connection, rows)


def transmissions(ledger: Ledger, series_id: int = 1) -> list[Transmission]:
    with ledger.read() as connection:
        return transmissions_of(connection, series_id)


def test_each_association_has_its_share_of_the_series(ledger: Ledger) -> None:
    """Over several batches, in the order they began; a duplicate counts for who sent it again."""
    index(ledger, received(1, association=FIRST), received(6, association=SECOND))
    index(ledger, received(2, association=FIRST), received(1, association=SECOND))
    first, second = transmissions(ledger)
    assert (first.association, first.share.instances) == (FIRST, 2)
    assert (second.association, second.share.instances) == (SECOND, 2)
    assert first.share.first_at == NOW + timedelta(seconds=1)
    assert first.share.last_at == NOW + timedelta(seconds=2)


def test_one_association_may_bring_several_series(ledger: Ledger) -> None:
    """Each series has its own share of it."""
    other = received(2, association=FIRST, series_instance_uid="1.3")
    index(ledger, received(1, association=FIRST), other)
    assert [transmissions(ledger, series)[0].share.instances for series in (1, 2)] == [1, 1]


def test_instances_found_again_belong_to_no_association(ledger: Ledger) -> None:
    """After a crash nobody knows what they came over."""
    index(ledger, received(1))
    assert transmissions(ledger) == []
    with ledger.read() as connection:
        assert [each.association_id for each in instances_of(connection, 1)] == [None]


def test_what_was_found_again_belongs_to_the_association_that_sends_it_again(
    ledger: Ledger,
) -> None:
    """One that has an association keeps it."""
    index(ledger, received(1), received(2, association=FIRST))
    index(ledger, received(1, association=SECOND), received(2, association=SECOND))
    with ledger.read() as connection:
        brought = [each.association_id for each in instances_of(connection, 1)]
    assert brought == [SECOND.id, FIRST.id]


def test_the_first_end_of_an_association_stays(ledger: Ledger) -> None:
    index(ledger, received(1, association=FIRST))
    later = NOW + timedelta(seconds=3)
    with ledger.write() as connection:
        assert open_senders(connection) == {"SENDER"}
        assert series_being_sent(connection) == {1}
        record_end(connection, EndedAssociation(FIRST.id, AssociationEnd.RELEASED, NOW))
        record_end(connection, EndedAssociation(FIRST.id, AssociationEnd.LOST, later))
        assert open_senders(connection) == series_being_sent(connection) == set()
    (only,) = transmissions(ledger)
    assert (only.end, only.ended_at) == (AssociationEnd.RELEASED, NOW)


def test_what_a_dead_receiver_left_open_is_lost(ledger: Ledger) -> None:
    """Another receiver's stays open, until the node itself starts again."""
    index(ledger, received(1, association=FIRST), received(6, association=SECOND))
    with ledger.write() as connection:
        assert end_left_open(connection, NOW, receiver=FIRST.receiver) == 1
    assert [each.end for each in transmissions(ledger)] == [AssociationEnd.LOST, None]
    with ledger.write() as connection:
        assert end_left_open(connection, NOW) == 1
    assert [each.end for each in transmissions(ledger)] == [AssociationEnd.LOST] * 2


@contextmanager
def receiving(ledger: Ledger, folder: Path) -> Iterator[int]:
    """A receiver that writes its index into the ledger; gives its port."""
    spool = Spool(folder)
    spool.prepare()
    settings = Settings(
        node=NodeSettings(port=0), limits=LimitSettings(free_space_mb=0, free_space_percent=0)
    )
    index = IndexWriter(ledger, Backlog(c_double(0.0)))
    receiver = Receiver(settings, StoreHandler(spool, index))
    index.start()
    receiver.start()
    try:
        yield receiver.port
    finally:
        receiver.stop(1.0)
        index.close(2.0)


def _release(association: Association) -> None:
    association.release()


def _abort(association: Association) -> None:
    association.abort()


def _lose(association: Association) -> None:
    association.dul.socket.close()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("leave", "end"),
    [
        (_release, AssociationEnd.RELEASED),
        (_abort, AssociationEnd.ABORTED),
        (_lose, AssociationEnd.LOST),
    ],
)
def test_the_end_of_a_real_association_is_recorded(
    ledger: Ledger, tmp_path: Path, leave: Callable[[Association], None], end: AssociationEnd
) -> None:
    """Behind its instances, by the index writer."""
    with receiving(ledger, tmp_path / "spool") as port:
        entity = AE("SCANNER")
        entity.add_requested_context(CT, ExplicitVRLittleEndian)
        association = entity.associate("127.0.0.1", port, ae_title="HOUNSFIELD")
        for image in phantom_instances(chest_phantom(slices=2, size=8)):
            assert association.send_c_store(image).Status == 0
        wait_for("the index row", lambda: transmissions(ledger))
        assert transmissions(ledger)[0].end is None
        leave(association)
        (only,) = wait_for(
            "the end to be recorded",
            lambda: [each for each in transmissions(ledger) if each.end] or None,
        )
    assert (only.end, only.share.instances) == (end, 2)
    assert only.association.calling_ae_title == "SCANNER"
    assert only.association.address == "127.0.0.1"
