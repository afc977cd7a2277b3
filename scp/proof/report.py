"""N-EVENT-REPORT of Storage Commitment, as the user: what the destination says it has.

Source: PS3.4 sections J.3.3 and J.3.5, PS3.3 section C.14.1.1.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, cast

import structlog
from pydicom.dataset import Dataset
from pynetdicom.events import Event

from scp.ledger import LedgerError
from scp.ledger.commitments import Reference
from scp.ledger.proofs import SentDelivery, destination_asked, unproven_among
from scp.proof.docket import Docket
from scp.receive.contexts import STORAGE_COMMITMENT
from scp.receive.identifiers import PARSE_ERRORS
from scp.status import Status

if TYPE_CHECKING:
    from pynetdicom.dimse_primitives import N_EVENT_REPORT

_LARGEST_REPORT = 2 * 2**20
_ITEM = b"\xfe\xff\x00\xe0"  # its tag in Little Endian
_MOST_REFERENCES = 10_000
_UNKNOWN_REASON = 0

log = structlog.get_logger()


class Verdict(Enum):
    """What to do about an instance that a destination does not commit to."""

    ASK_AGAIN = auto()
    SEND_AGAIN = auto()
    SET_ASIDE = auto()


_VERDICTS: Mapping[int, Verdict] = {
    Status.PROCESSING_FAILURE: Verdict.ASK_AGAIN,
    Status.RESOURCE_LIMITATION: Verdict.ASK_AGAIN,
    Status.DUPLICATE_TRANSACTION: Verdict.ASK_AGAIN,
    Status.CLASS_INSTANCE_CONFLICT: Verdict.SET_ASIDE,
    Status.SOP_CLASS_NOT_SUPPORTED: Verdict.SET_ASIDE,
}


@dataclass(frozen=True, slots=True)
class Report:
    """What a destination has decided on one request.

    Parameters
    ----------
    failed
        The Failure Reason (0008,1197) of each instance that it does not commit to.
    """

    transaction_uid: str
    committed: frozenset[Reference]
    failed: dict[Reference, int]

    @classmethod
    def read(cls, information: Dataset) -> "Report":
        """From the Event Information of PS3.4 table J.3-2."""
        return cls(
            transaction_uid=str(information.get("TransactionUID", "")),
            committed=frozenset(
                _reference(item) for item in information.get("ReferencedSOPSequence") or ()
            ),
            failed={
                _reference(item): int(item.get("FailureReason") or _UNKNOWN_REASON)
                for item in information.get("FailedSOPSequence") or ()
            },
        )


def verdict_on(failure_reason: int) -> Verdict:
    """What to do about a Failure Reason; what is not known is sent again."""
    return _VERDICTS.get(failure_reason, Verdict.SEND_AGAIN)


@dataclass(frozen=True, slots=True)
class ReportDesk:
    """Takes reports, on whichever association they come: in the ledger before they are answered.

    Parameters
    ----------
    docket
        Where results become delivered or are sent again.
    taken
        Told of the Transaction UID of each report that was taken.

    Notes
    -----
    Only reports on what we asked for change anything; their Transaction UIDs cannot be guessed.
    """

    docket: Docket
    taken: Callable[[str], None] = lambda _transaction_uid: None

    def __call__(self, event: Event) -> tuple[int, None]:
        """Handle pynetdicom's EVT_N_EVENT_REPORT; the status to answer."""
        status = self._take(event)
        if status != Status.SUCCESS:
            log.warning(
                "storage commitment report refused",
                status=f"{status:04X}",
                address=event.assoc.requestor.address,
            )
        return int(status), None

    def _take(self, event: Event) -> Status:
        request = cast("N_EVENT_REPORT", event.request)
        if request.AffectedSOPClassUID != STORAGE_COMMITMENT:
            return Status.NO_SUCH_CLASS
        content = request.EventInformation.getvalue() if request.EventInformation else b""
        if len(content) > _LARGEST_REPORT or content.count(_ITEM) > _MOST_REFERENCES:
            return Status.RESOURCE_LIMITATION
        try:
            report = Report.read(event.event_information)
        except PARSE_ERRORS:
            return Status.INVALID_ARGUMENT
        try:
            is_known = self.settle(report)
        except LedgerError as error:
            log.error("storage commitment report not kept", reason=str(error))  # noqa: TRY400 - a reason
            return Status.RESOURCE_LIMITATION
        if not is_known:
            return Status.INVALID_ARGUMENT
        self.taken(report.transaction_uid)
        return Status.SUCCESS

    def settle(self, report: Report) -> bool:
        """Record what a report means for what was sent; False where it is on no request of ours."""
        with self.docket.ledger.write() as connection:
            destination = destination_asked(connection, report.transaction_uid)
            if destination is None:
                return False
            named = {each.sop_instance_uid for each in (*report.committed, *report.failed)}
            sent = unproven_among(connection, destination, named)
            proven = [item for item in sent if _reference_of(item) in report.committed]
            self.docket.prove(connection, destination, proven)
            for failure_reason, items in _by_reason(sent, report):
                why = f"{destination} did not commit to it: {failure_reason:04X}"
                match verdict_on(failure_reason):
                    case Verdict.ASK_AGAIN:
                        self.docket.ask_again(connection, destination, items, why)
                    case Verdict.SEND_AGAIN:
                        self.docket.send_again(connection, destination, items, why)
                    case Verdict.SET_ASIDE:
                        self.docket.set_aside(connection, destination, items, why)
        return True


def _by_reason(
    sent: Sequence[SentDelivery], report: Report
) -> Iterator[tuple[int, list[SentDelivery]]]:
    for failure_reason in sorted(set(report.failed.values())):
        items = [item for item in sent if report.failed.get(_reference_of(item)) == failure_reason]
        yield failure_reason, items


def _reference_of(item: SentDelivery) -> Reference:
    return Reference(item.sop_class_uid, item.sop_instance_uid)


def _reference(item: Dataset) -> Reference:
    return Reference(
        str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", ""))
    )
