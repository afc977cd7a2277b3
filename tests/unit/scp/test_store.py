"""What C-STORE answers."""

import errno
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from structlog.testing import capture_logs

from scp.ledger.associations import EndedAssociation
from scp.ledger.series import ReceivedInstance
from scp.receive.index import IndexBacklogError
from scp.receive.store import RefusedError, StoreHandler, StoreRequest
from scp.spool import Reception, Spool
from scp.status import Status, is_delivered, is_transient
from tests.unit.scp.test_identifiers import data_set, encode

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
ECHO = "1.2.840.10008.1.1"
DATA_SET = encode(data_set())


@dataclass
class FakeIndex:
    """Keeps rows, or refuses them."""

    full: bool = False
    rows: list[ReceivedInstance] = field(default_factory=list)

    def add(self, row: ReceivedInstance) -> None:
        """Take one row over."""
        if self.full:
            raise IndexBacklogError("full")
        self.rows.append(row)

    def end(self, ended: EndedAssociation) -> None:
        """Take over how an association ended."""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    spool = Spool(tmp_path)
    spool.prepare()
    return spool


def request() -> StoreRequest:
    """A good C-STORE request."""
    return StoreRequest(
        reception=Reception(
            sop_class_uid=CT,
            sop_instance_uid="1.2.3.4",
            transfer_syntax_uid=str(ExplicitVRLittleEndian),
            calling_ae_title="SENDER",
            called_ae_title="HOUNSFIELD",
        ),
        context_sop_class_uid=CT,
    )


def changed(**reception: str) -> StoreRequest:
    """The good request with another command."""
    return replace(request(), reception=replace(request().reception, **reception))


def test_a_good_instance_is_on_disk_and_announced(spool: Spool) -> None:
    """The index gets the row of the file that is there."""
    index = FakeIndex()
    stored = StoreHandler(spool, index).store(request(), DATA_SET)
    assert spool.path(stored.name).exists()
    (row,) = index.rows
    assert (row.name, row.series_instance_uid, row.modality) == (stored.name, "1.2.3.5", "CT")
    assert (row.calling_ae_title, row.called_ae_title) == ("SENDER", "HOUNSFIELD")


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (changed(sop_instance_uid="../../../etc/x"), Status.INVALID_INSTANCE),
        (changed(sop_instance_uid=""), Status.INVALID_INSTANCE),
        (changed(sop_instance_uid="1.2.3.9"), Status.DATA_SET_MISMATCH),
        (replace(changed(sop_class_uid=MR), context_sop_class_uid=MR), Status.DATA_SET_MISMATCH),
        (changed(sop_class_uid=MR), Status.SOP_CLASS_NOT_SUPPORTED),
        (
            replace(changed(sop_class_uid=ECHO), context_sop_class_uid=ECHO),
            Status.SOP_CLASS_NOT_SUPPORTED,
        ),
    ],
    ids=[
        "path as UID",
        "no UID",
        "UID differs",
        "class differs",
        "class is not the context's",
        "class is not stored",
    ],
)
def test_bad_requests_get_their_status_and_leave_nothing(
    spool: Spool, tmp_path: Path, bad: StoreRequest, status: Status
) -> None:
    """Each kind of bad request is refused by the standard's status, and nothing is kept."""
    with pytest.raises(RefusedError) as refused:
        StoreHandler(spool, FakeIndex()).store(bad, DATA_SET)
    assert refused.value.status is status
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "content",
    [b"no data set", b"", DATA_SET[:40], b"\x08\x00\x10\x11SQ\0\0\xff\xff\xff\xff" * 5000],
    ids=["noise", "empty", "cut short", "depth bomb"],
)
def test_what_cannot_be_understood_is_refused_and_leaves_nothing(
    spool: Spool, tmp_path: Path, content: bytes
) -> None:
    """Whether the head is enough to tell, or the whole file has to be read."""
    with pytest.raises(RefusedError) as refused:
        StoreHandler(spool, FakeIndex()).store(request(), content)
    assert refused.value.status is Status.CANNOT_UNDERSTAND
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_instance_may_come_in_pieces_of_any_size(spool: Spool) -> None:
    """Byte by byte, with a head that is longer than what is looked at."""
    dataset = data_set()
    dataset.add_new(0x00091001, "OB", bytes(40_000))
    dataset.add_new(0x00090010, "LO", "MAKER")
    content = encode(dataset) + bytes(40_000)
    incoming = StoreHandler(spool, FakeIndex()).begin(request())
    for begin in range(0, len(content), 7):
        incoming.write([content[begin : begin + 7]])
    stored = incoming.finish()
    assert spool.path(stored.name).read_bytes().endswith(content)


def test_what_is_discarded_half_way_leaves_nothing(spool: Spool, tmp_path: Path) -> None:
    """A peer that vanishes."""
    incoming = StoreHandler(spool, FakeIndex()).begin(request())
    incoming.write([DATA_SET[:100]])
    incoming.discard()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_disk_that_fills_up_half_way_is_out_of_resources(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the data set is taken off the association, and the answer is A700."""

    def full(_descriptor: int, _pieces: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    incoming = StoreHandler(spool, FakeIndex()).begin(request())
    incoming.write([DATA_SET[:100]])
    monkeypatch.setattr(os, "writev", full)
    incoming.write([DATA_SET[100:200]])
    incoming.write([DATA_SET[200:]])
    with pytest.raises(RefusedError) as refused:
        incoming.finish()
    assert refused.value.status is Status.OUT_OF_RESOURCES
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_shortage_is_logged_when_it_begins_and_when_it_ends(spool: Spool) -> None:
    """Not with every instance."""
    index = FakeIndex(full=True)
    handler = StoreHandler(spool, index)
    with capture_logs() as events:
        for _ in range(5):
            with pytest.raises(RefusedError):
                handler.store(request(), DATA_SET)
        index.full = False
        handler.store(request(), DATA_SET)
        handler.store(request(), DATA_SET)
    levels = [event["log_level"] for event in events if event["log_level"] != "debug"]
    assert levels == ["error", "info"]


def test_what_is_no_uid_is_not_logged(spool: Spool) -> None:
    """It could be anything, a patient's name among it."""
    with capture_logs() as events, pytest.raises(RefusedError):
        StoreHandler(spool, FakeIndex()).store(changed(sop_instance_uid="Canary^Name"), DATA_SET)
    assert "Canary" not in str(events)


def test_no_room_is_out_of_resources(tmp_path: Path) -> None:
    """Below the reserve the answer is A700, so that the sender tries again."""
    spool = Spool(tmp_path, reserve_bytes=2**60)
    spool.prepare()
    with pytest.raises(RefusedError) as refused:
        StoreHandler(spool, FakeIndex()).store(request(), DATA_SET)
    assert refused.value.status is Status.OUT_OF_RESOURCES


def test_a_full_index_is_out_of_resources(spool: Spool) -> None:
    """While the ledger takes nothing, senders are told to come again."""
    with pytest.raises(RefusedError) as refused:
        StoreHandler(spool, FakeIndex(full=True)).store(request(), DATA_SET)
    assert refused.value.status is Status.OUT_OF_RESOURCES


@pytest.mark.parametrize(
    ("status", "delivered", "transient"),
    [
        (0x0000, True, False),
        (0xB000, True, False),
        (0xB007, True, False),
        (0xA700, False, True),
        (0xA7FF, False, True),
        (0x0110, False, True),
        (0xA900, False, False),
        (0xC000, False, False),
        (0x0122, False, False),
    ],
)
def test_a_peers_status_is_understood(status: int, *, delivered: bool, transient: bool) -> None:
    """Success and warnings are delivered; out of resources and processing failure pass by."""
    assert is_delivered(status) is delivered
    assert is_transient(status) is transient
