"""Storage commitment without a network: requests read, kept, decided, put into words."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from config import AeTitle, Peer
from scp.cli import main
from scp.commitment.clerk import CommitmentClerk
from scp.commitment.courier import peer_at
from scp.commitment.decision import COMMITTED, FileState, Holding, decide
from scp.commitment.report import EventType, event_information, event_type
from scp.ledger import CommitmentState, Ledger
from scp.ledger import commitments as ledger_commitments
from scp.ledger.commitments import (
    OWN_ASSOCIATION,
    Commitment,
    CommitmentRequest,
    Reference,
    TooManyCommitmentsError,
    TransactionInUseError,
    all_commitments,
    claim_report,
    due_reports,
    find_decided,
    keep_request,
    mark_reported,
    record_outcome,
    set_report_aside,
)
from scp.ledger.series import ReceivedInstance, index_instances
from scp.receive.commitment import RefusedRequestError, read_request
from scp.spool import Reception, Spool
from scp.status import Status
from tests.support.commitment import request as action_information

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
DECIDED_AT = NOW + timedelta(seconds=1)
DUE_AT = DECIDED_AT + OWN_ASSOCIATION


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger.sqlite")) as opened:
        opened.migrate()
        yield opened


def asking(number: int = 1, *instances: str, caller: str = "CT") -> CommitmentRequest:
    return CommitmentRequest(
        transaction_uid=f"1.9.{number}",
        calling_ae_title=caller,
        called_ae_title="HOUNSFIELD",
        address="192.0.2.7",
        references=tuple(Reference(CT, uid) for uid in instances or ("1.2.1",)),
        received_at=NOW + timedelta(microseconds=number),
    )


def keep(ledger: Ledger, request: CommitmentRequest) -> int:
    with ledger.write() as connection:
        return keep_request(connection, request)


def decided(ledger: Ledger, number: int = 1, outcome: tuple[int, ...] = (0,)) -> int:
    """Keep a request and decide it; its id."""
    commitment_id = keep(ledger, asking(number))
    with ledger.write() as connection:
        record_outcome(connection, commitment_id, outcome, DECIDED_AT)
    return commitment_id


def ended(ledger: Ledger, number: int) -> None:
    """Keep a request, decide and report it."""
    commitment_id = decided(ledger, number)
    with ledger.write() as connection:
        mark_reported(connection, commitment_id, DUE_AT)


def due(ledger: Ledger, now: datetime) -> list[Commitment]:
    with ledger.read() as connection:
        return due_reports(connection, "CT", now, 10)


# Decisions


@pytest.mark.parametrize(
    ("holdings", "expected"),
    [
        ([(CT, FileState.WHOLE)], COMMITTED),
        ([], Status.NO_SUCH_INSTANCE),
        ([(MR, FileState.WHOLE)], Status.CLASS_INSTANCE_CONFLICT),
        ([(CT, FileState.MISSING)], Status.NO_SUCH_INSTANCE),
        ([(CT, FileState.UNREADABLE)], Status.PROCESSING_FAILURE),
        ([(CT, FileState.MISSING), (CT, FileState.WHOLE)], COMMITTED),
        ([(CT, FileState.MISSING), (MR, FileState.WHOLE)], Status.NO_SUCH_INSTANCE),
    ],
    ids=["held", "unknown", "other class", "gone", "cut off", "two versions", "gone, other class"],
)
def test_only_a_whole_file_of_the_right_class_is_committed(
    holdings: list[tuple[str, FileState]], expected: int
) -> None:
    found = [Holding(Reference(each, "1.2"), file) for each, file in holdings]
    assert decide([Reference(CT, "1.2")], found) == (expected,)


def test_a_class_that_is_never_kept_is_named_as_such() -> None:
    assert decide([Reference("1.2.3", "1.2")], []) == (Status.SOP_CLASS_NOT_SUPPORTED,)


def test_each_reference_is_judged_by_itself_in_its_place() -> None:
    """One instance asked for twice, under a right and a wrong class."""
    asked = [Reference(MR, "1.2"), Reference(CT, "1.2"), Reference(CT, "1.3")]
    held = [Holding(Reference(CT, "1.2"), FileState.WHOLE)]
    assert decide(asked, held) == (0x0119, COMMITTED, 0x0112)


# Reports


def commitment(*outcome: int) -> Commitment:
    references = tuple(Reference(CT, f"1.2.{number}") for number in range(len(outcome)))
    return Commitment(1, "1.9", "CT", "HOUNSFIELD", "192.0.2.7", references, outcome, 0, NOW)


def test_a_report_of_success_has_no_failed_sequence() -> None:
    told = event_information(commitment(0, 0))
    assert event_type((0, 0)) is EventType.ALL_COMMITTED
    assert told.TransactionUID == "1.9"
    assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == [
        "1.2.0",
        "1.2.1",
    ]
    assert "FailedSOPSequence" not in told
    assert "FailureReason" not in told.ReferencedSOPSequence[0]


def test_a_report_of_failures_holds_every_reference_once() -> None:
    told = event_information(commitment(0, 0x0112))
    assert event_type((0, 0x0112)) is EventType.SOME_FAILED
    assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == ["1.2.0"]
    (failed,) = told.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == ("1.2.1", 0x0112)


def test_a_report_without_success_has_no_referenced_sequence() -> None:
    assert "ReferencedSOPSequence" not in event_information(commitment(0x0112))


# Requests


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_request_is_read_in_both_syntaxes(syntax: str) -> None:
    asked = action_information([(CT, "1.2.1"), (MR, "1.2.22")], "1.9.8")
    asked.ReferencedSOPSequence[0].StorageMediaFileSetUID = "1.2.5"
    encoded = encode(asked, syntax == ImplicitVRLittleEndian, is_little_endian=True)
    assert encoded is not None
    assert read_request(BytesIO(encoded), syntax) == (
        "1.9.8",
        (Reference(CT, "1.2.1"), Reference(MR, "1.2.22")),
    )


def test_references_of_another_sequence_are_not_those_asked_for() -> None:
    """A performed procedure step may be referenced beside the instances."""
    asked = action_information([(CT, "1.2.1")], "1.9.8")
    step = Dataset()
    step.ReferencedSOPClassUID, step.ReferencedSOPInstanceUID = "1.2.3", "1.2.4"
    asked.ReferencedPerformedProcedureStepSequence = [step]
    assert read_request(encoded(asked), ImplicitVRLittleEndian)[1] == (Reference(CT, "1.2.1"),)


def encoded(information: Dataset) -> BytesIO:
    return BytesIO(encode(information, True, True) or b"")


def refused(information: BytesIO | None) -> RefusedRequestError:
    with pytest.raises(RefusedRequestError) as caught:
        read_request(information, ImplicitVRLittleEndian)
    return caught.value


def test_a_value_that_is_no_uid_is_refused_and_not_quoted() -> None:
    """It could be a patient's name; pydicom must not warn of it either."""
    error = refused(encoded_with_name())
    assert error.status is Status.INVALID_ARGUMENT
    assert error.comment == "(0008,1155) is no UID"


def encoded_with_name() -> BytesIO:
    asked = encoded(action_information([(CT, "1.2.345678")], "1.9.8")).getvalue()
    return BytesIO(asked.replace(b"1.2.345678", b"DOE^JANE\0\0"))


@pytest.mark.parametrize(
    "information",
    [
        None,
        BytesIO(b"\x08\x00\x95\x11\xff\xff"),
        BytesIO(b"\x08\x00\x99\x11\x10\x00\x00\x00" + bytes(4)),
        encoded(Dataset()),
        encoded(action_information([(CT, "1.2")], "")),
        encoded(action_information([], "1.9")),
        encoded(action_information([(CT, "")], "1.9")),
    ],
    ids=["none", "cut", "short sequence", "empty", "no transaction", "no items", "no instance"],
)
def test_a_damaged_or_incomplete_request_is_refused(information: BytesIO | None) -> None:
    assert refused(information).status is Status.INVALID_ARGUMENT


def test_a_request_beyond_the_limits_is_refused() -> None:
    many = action_information([(CT, "1.2")] * 10_001, "1.9")
    assert refused(encoded(many)).status is Status.RESOURCE_LIMITATION
    assert refused(BytesIO(bytes(2**21 + 1))).status is Status.RESOURCE_LIMITATION


# The ledger


def test_a_transaction_is_of_one_caller_and_one_list(ledger: Ledger) -> None:
    """The same again is the same row; of another caller another; with another list refused."""
    first = keep(ledger, asking(1))
    assert keep(ledger, asking(1)) == first
    assert keep(ledger, asking(1, caller="MR")) != first
    with pytest.raises(TransactionInUseError):
        keep(ledger, asking(1, "1.2.1", "1.2.2"))


def test_a_report_is_first_left_to_the_association_that_asked(ledger: Ledger) -> None:
    """Due on another one a moment later, unless it was claimed."""
    commitment_id = decided(ledger)
    assert due(ledger, DUE_AT - timedelta(seconds=0.1)) == []
    assert [each.id for each in due(ledger, DUE_AT)] == [commitment_id]
    until = DUE_AT + timedelta(seconds=30)
    with ledger.write() as connection:
        assert claim_report(connection, commitment_id, DECIDED_AT, until)
    assert due(ledger, DUE_AT) == []
    assert len(due(ledger, until)) == 1


def test_what_a_courier_has_begun_cannot_be_claimed(ledger: Ledger) -> None:
    commitment_id = decided(ledger)
    with ledger.write() as connection:
        assert not claim_report(connection, commitment_id, DUE_AT, DUE_AT + timedelta(hours=1))


def test_what_is_reported_stays_so(ledger: Ledger) -> None:
    """A second report of the same, on its way at the same time, fails without effect."""
    ended(ledger, 1)
    with ledger.write() as connection:
        set_report_aside(connection, 1, "late")
        assert find_decided(connection, [1]) == []
        (line,) = all_commitments(connection)
    assert (line.state, line.reason) == (CommitmentState.REPORTED, "")


def test_requests_that_wait_are_bounded_for_all_and_for_one_caller(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_commitments, "MOST_PENDING", 3)
    monkeypatch.setattr(ledger_commitments, "MOST_PENDING_OF_CALLER", 2)
    keep(ledger, asking(1))
    keep(ledger, asking(2))
    with pytest.raises(TooManyCommitmentsError):
        keep(ledger, asking(3))
    keep(ledger, asking(3, caller="MR"))
    with pytest.raises(TooManyCommitmentsError):
        keep(ledger, asking(4, caller="PT"))
    keep(ledger, asking(2))


def test_the_oldest_that_ended_make_room(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is never dropped."""
    monkeypatch.setattr(ledger_commitments, "MOST_REFERENCES", 3)
    keep(ledger, asking(1))
    for number in (2, 3, 4):
        ended(ledger, number)
    with ledger.read() as connection:
        kept = [line.transaction_uid for line in all_commitments(connection)]
    assert kept == ["1.9.4", "1.9.3", "1.9.1"]
    with pytest.raises(TooManyCommitmentsError):
        keep(ledger, asking(5, "1.2.1", "1.2.2", "1.2.3"))


# The clerk


def clerk(ledger: Ledger, spool: Spool, waits_since: datetime | None = None) -> CommitmentClerk:
    return CommitmentClerk(ledger, spool, ("CT",), lambda: waits_since, lambda: DECIDED_AT)


def outcome(ledger: Ledger) -> tuple[int, ...] | None:
    with ledger.read() as connection:
        found = find_decided(connection, [1])
    return found[0].outcome if found else None


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    prepared = Spool(tmp_path / "spool")
    prepared.prepare()
    return prepared


def spooled(ledger: Ledger, spool: Spool, uid: str) -> str:
    """Keep an instance; its name."""
    how = Reception(
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        calling_ae_title="CT",
        called_ae_title="HOUNSFIELD",
    )
    kept = spool.store(how, b"data of " + uid.encode())
    row = ReceivedInstance(
        name=kept.name,
        sop_instance_uid=uid,
        sop_class_uid=CT,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        study_instance_uid="1.1",
        series_instance_uid="1.2",
        modality="CT",
        calling_ae_title="CT",
        called_ae_title="HOUNSFIELD",
        size_bytes=kept.size_bytes,
        received_at=NOW,
    )
    with ledger.write() as connection:
        index_instances(connection, [row])
    return kept.name


def test_nothing_is_decided_while_an_earlier_instance_is_on_its_way(
    ledger: Ledger, spool: Spool
) -> None:
    """Its index row waits since before the request."""
    keep(ledger, asking(1))
    clerk(ledger, spool, waits_since=NOW - timedelta(seconds=1)).tick(DECIDED_AT)
    assert outcome(ledger) is None
    spooled(ledger, spool, "1.2.1")
    clerk(ledger, spool, waits_since=NOW + timedelta(seconds=0.5)).tick(DECIDED_AT)
    assert outcome(ledger) == (COMMITTED,)


def test_a_file_that_was_cut_off_or_lost_is_not_committed(ledger: Ledger, spool: Spool) -> None:
    """The index is no proof."""
    whole, cut, lost = (spooled(ledger, spool, uid) for uid in ("1.2.1", "1.2.2", "1.2.3"))
    spool.path(cut).write_bytes(b"DICM")
    spool.path(lost).unlink()
    keep(ledger, asking(1, "1.2.1", "1.2.2", "1.2.3"))
    clerk(ledger, spool).tick(DECIDED_AT)
    assert spool.path(whole).exists()
    assert outcome(ledger) == (COMMITTED, 0x0110, 0x0112)


def test_more_instances_than_one_query_takes_are_all_found(ledger: Ledger, spool: Spool) -> None:
    uids = [f"1.2.{number}" for number in range(1, 1200)]
    held = set(uids[::100])
    for uid in sorted(held):
        spooled(ledger, spool, uid)
    keep(ledger, asking(1, *uids))
    clerk(ledger, spool).tick(DECIDED_AT)
    assert outcome(ledger) == tuple(COMMITTED if uid in held else 0x0112 for uid in uids)


# Couriers


def test_of_peers_with_one_title_the_one_that_called_is_told() -> None:
    first = Peer(ae_title=AeTitle("CT"), host="192.0.2.1", port=104)
    second = first.model_copy(update={"host": "192.0.2.2"})
    moved = Peer.model_validate(
        {
            "ae_title": "CT",
            "host": "ct.example.org",
            "port": 104,
            "role": "sender",
            "addresses": "192.0.2.64/28",
        }
    )
    peers = (first, second, moved)
    assert [peer_at(peers, f"192.0.2.{last}") for last in (1, 2, 65, 9)] == [0, 1, 2, 0]


# The command


def command(folder: Path, *options: str) -> str:
    settings = folder / "site.toml"
    settings.write_text(f'[node]\nstate = "{folder}"\n')
    answer = CliRunner().invoke(main, ["commitments", "--config", str(settings), *options])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_the_list_says_what_was_decided_and_who_knows(tmp_path: Path, ledger: Ledger) -> None:
    assert command(tmp_path) == "No storage commitment has been asked for.\n"
    ended(ledger, 1)
    decided(ledger, 2, (0x0112,))
    with ledger.write() as connection:
        set_report_aside(connection, 2, "a reason")
    keep(ledger, replace(asking(3, "1.2.1", "1.2.2"), calling_ae_title="MR"))
    shown = command(tmp_path).splitlines()
    assert "MR from 192.0.2.7: 2 instances, not decided yet, report pending" in shown[0]
    assert shown[1] == "  transaction 1.9.3"
    assert "CT from 192.0.2.7: 1 instance, 1 not committed, report set aside" in shown[2]
    assert shown[4] == "  a reason"
    assert "1 instance, all committed, reported" in shown[5]


def test_a_title_cannot_steer_the_terminal(tmp_path: Path, ledger: Ledger) -> None:
    keep(ledger, asking(1, caller="CT\x1b[2J\nX"))
    assert "CT?[2J?X from" in command(tmp_path)


def test_the_list_as_json_has_every_fact(tmp_path: Path, ledger: Ledger) -> None:
    ended(ledger, 1)
    (line,) = json.loads(command(tmp_path, "--json"))
    assert line["failed"] == 0
    assert line["state"] == "reported"
    assert line["reported_at"] == DUE_AT.isoformat()
