"""The statuses of C-STORE, C-ECHO, N-ACTION and N-EVENT-REPORT that the node answers or knows.

Source: PS3.4 annexes B.2.3 and J.3, PS3.7 annex C; when each is used is in docs/architecture.md.
"""

from enum import IntEnum


class Status(IntEnum):
    """DIMSE status codes."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_INSTANCE = 0x0111
    NO_SUCH_INSTANCE = 0x0112
    INVALID_ARGUMENT = 0x0115
    INVALID_INSTANCE = 0x0117
    NO_SUCH_CLASS = 0x0118
    CLASS_INSTANCE_CONFLICT = 0x0119
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION = 0x0123
    DUPLICATE_TRANSACTION = 0x0131
    RESOURCE_LIMITATION = 0x0213
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


_WARNING_CLASS = 0xB000
_WARNING_MASK = 0xF000
_OUT_OF_RESOURCES_MASK = 0xFF00


def is_delivered(status: int) -> bool:
    """Whether a peer's C-STORE status says that it has the instance.

    Success, a warning, or a duplicate: what we send under a UID is always the same bytes.
    """
    has_it = status in (Status.SUCCESS, Status.DUPLICATE_INSTANCE)
    return has_it or status & _WARNING_MASK == _WARNING_CLASS


def is_transient(status: int) -> bool:
    """Whether the same instance may be taken later: the peer was out of resources or failed."""
    out_of_resources = status & _OUT_OF_RESOURCES_MASK == Status.OUT_OF_RESOURCES
    return out_of_resources or status == Status.PROCESSING_FAILURE


def is_report_taken(status: int) -> bool:
    """Whether a peer's N-EVENT-REPORT status says that it has the report."""
    return status == Status.SUCCESS or status & _WARNING_MASK == _WARNING_CLASS


def is_report_transient(status: int) -> bool:
    """Whether the same report may be taken later."""
    return status in (Status.PROCESSING_FAILURE, Status.RESOURCE_LIMITATION)
