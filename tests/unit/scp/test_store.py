"""What C-STORE answers."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from scp.ledger.series import ReceivedInstance
from scp.receive.index import IndexBacklogError
from scp.receive.store import RefusedError, StoreHandler, StoreRequest
from scp.spool import Reception, Spool
from scp.status import Status, is_delivered, is_transient
from tests.unit.scp.test_identifiers import data_set, encode

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"


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
        data_set=encode(data_set()),
    )


def changed(**reception: str) -> StoreRequest:
    """The good request with another command."""
    return replace(request(), reception=replace(request().reception, **reception))


def test_a_good_instance_is_on_disk_and_announced(spool: Spool) -> None:
    """The index gets the row of the file that is there."""
    index = FakeIndex()
    stored = StoreHandler(spool, index).store(request())
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
        (replace(request(), data_set=b"no data set"), Status.CANNOT_UNDERSTAND),
        (replace(request(), data_set=b""), Status.CANNOT_UNDERSTAND),
    ],
    ids=[
        "path as UID",
        "no UID",
        "UID differs",
        "class differs",
        "class is not the context's",
        "damaged",
        "empty",
    ],
)
def test_bad_requests_get_their_status_and_leave_nothing(
    spool: Spool, tmp_path: Path, bad: StoreRequest, status: Status
) -> None:
    """Each kind of bad request is refused by the standard's status, and nothing is kept."""
    with pytest.raises(RefusedError) as refused:
        StoreHandler(spool, FakeIndex()).store(bad)
    assert refused.value.status is status
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_no_room_is_out_of_resources(tmp_path: Path) -> None:
    """Below the reserve the answer is A700, so that the sender tries again."""
    spool = Spool(tmp_path, reserve_bytes=2**60)
    spool.prepare()
    with pytest.raises(RefusedError) as refused:
        StoreHandler(spool, FakeIndex()).store(request())
    assert refused.value.status is Status.OUT_OF_RESOURCES


def test_a_full_index_is_out_of_resources(spool: Spool) -> None:
    """While the ledger takes nothing, senders are told to come again."""
    with pytest.raises(RefusedError) as refused:
        StoreHandler(spool, FakeIndex(full=True)).store(request())
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
