"""What a sender is told: the parameters of an N-EVENT-REPORT.

Source: PS3.4 sections J.3.3 and J.3.5.
"""

from collections.abc import Sequence
from enum import IntEnum

from pydicom.dataset import Dataset

from scp.commitment.decision import COMMITTED
from scp.ledger.commitments import Commitment, Reference

STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"


class EventType(IntEnum):
    """Event Type ID (0000,1002)."""

    ALL_COMMITTED = 1
    SOME_FAILED = 2


def event_type(outcome: Sequence[int]) -> EventType:
    """Which event an outcome is."""
    return EventType.SOME_FAILED if any(outcome) else EventType.ALL_COMMITTED


def event_information(commitment: Commitment) -> Dataset:
    """The data set of the report on a request that is decided."""
    outcome = commitment.outcome or ()
    judged = list(zip(commitment.references, outcome, strict=True))
    committed = [_item(reference) for reference, reason in judged if reason == COMMITTED]
    failed = [_item(reference, reason) for reference, reason in judged if reason != COMMITTED]
    information = Dataset()
    information.TransactionUID = commitment.transaction_uid
    if committed:
        information.ReferencedSOPSequence = committed
    if failed:
        information.FailedSOPSequence = failed
    return information


def _item(reference: Reference, reason: int = COMMITTED) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    if reason != COMMITTED:
        item.FailureReason = int(reason)
    return item
