"""The ledger: the index of instances, and the truth about series, jobs and deliveries."""

from scp.ledger.database import Ledger, LedgerError
from scp.ledger.states import CommitmentState, DeliveryState, JobState, SeriesState

__all__ = [
    "CommitmentState",
    "DeliveryState",
    "JobState",
    "Ledger",
    "LedgerError",
    "SeriesState",
]
