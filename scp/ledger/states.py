"""The states that series, jobs, deliveries and storage commitments go through.

::

    series      receiving -> complete | unrouted | own_result | failed  (a late instance: receiving)
    job         queued -> running -> done | failed                      (restart, retry: queued)
                held -> queued                                          (a person releases it)
    delivery    pending -> delivered | set_aside                        (a retry: pending)
                pending -> sent -> delivered | set_aside | pending      (where proof is asked for)
    commitment  pending -> reported | set_aside
"""

from enum import StrEnum


class SeriesState(StrEnum):
    """Where a received series stands."""

    RECEIVING = "receiving"
    COMPLETE = "complete"
    UNROUTED = "unrouted"
    OWN_RESULT = "own_result"
    FAILED = "failed"


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class DeliveryState(StrEnum):
    """Where the delivery of one result to one destination stands."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    SET_ASIDE = "set_aside"


class AssociationEnd(StrEnum):
    """How an association that brought instances ended."""

    RELEASED = "released"
    ABORTED = "aborted"
    LOST = "lost"


class CommitmentState(StrEnum):
    """Whether a sender that asked for storage commitment has been told the answer."""

    PENDING = "pending"
    REPORTED = "reported"
    SET_ASIDE = "set_aside"
