"""The states that series, jobs and deliveries go through.

::

    series    receiving -> complete | unrouted | own_result | failed    (a late instance: receiving)
    job       queued -> running -> done | failed                        (a restart, a retry: queued)
    delivery  pending -> delivered | set_aside                          (a retry: pending)
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
