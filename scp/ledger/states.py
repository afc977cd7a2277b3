"""The states that series, jobs, deliveries and storage commitments go through.

::

    series      receiving -> complete | unrouted | own_result | failed  (a late instance: receiving)
    job         queued -> running -> done | failed                      (restart, retry: queued)
    delivery    pending -> delivered | set_aside                        (a retry: pending)
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
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class DeliveryState(StrEnum):
    """Where the delivery of one result to one destination stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    SET_ASIDE = "set_aside"


class CommitmentState(StrEnum):
    """Whether a sender that asked for storage commitment has been told the answer."""

    PENDING = "pending"
    REPORTED = "reported"
    SET_ASIDE = "set_aside"
