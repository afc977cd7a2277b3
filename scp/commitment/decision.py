"""What is committed to, and why the rest is not: no ledger, no disk.

Source: PS3.4 section J.3.3, PS3.3 section C.14.1.1.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from scp.ledger.commitments import Reference
from scp.receive.contexts import is_stored
from scp.status import Status

COMMITTED = 0


class FileState(Enum):
    """What was found where the spool's file of an instance should be."""

    WHOLE = auto()
    MISSING = auto()
    UNREADABLE = auto()


@dataclass(frozen=True, slots=True)
class Holding:
    """An instance of the index and its file."""

    reference: Reference
    file: FileState


def decide(references: Sequence[Reference], holdings: Iterable[Holding]) -> tuple[int, ...]:
    """For each reference `COMMITTED`, or the Failure Reason (0008,1197).

    Parameters
    ----------
    references
        What was asked for.
    holdings
        What there is under their SOP Instance UIDs; several where an instance came in versions.
    """
    by_uid: dict[str, list[Holding]] = defaultdict(list)
    for holding in holdings:
        by_uid[holding.reference.sop_instance_uid].append(holding)
    return tuple(_judge(each, by_uid.get(each.sop_instance_uid, [])) for each in references)


def _judge(reference: Reference, holdings: Sequence[Holding]) -> int:
    files = {each.file for each in holdings if each.reference == reference}
    if FileState.WHOLE in files:
        return COMMITTED
    if FileState.UNREADABLE in files:
        return Status.PROCESSING_FAILURE
    if holdings and not files:
        return Status.CLASS_INSTANCE_CONFLICT
    if not is_stored(reference.sop_class_uid):
        return Status.SOP_CLASS_NOT_SUPPORTED
    return Status.NO_SUCH_INSTANCE
