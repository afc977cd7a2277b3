"""The ledger: the index of instances, and the truth about series, jobs and deliveries."""

from scp.ledger.database import Ledger, LedgerError
from scp.ledger.states import AssociationEnd, CommitmentState, DeliveryState, JobState, SeriesState

__all__ = [
    "AssociationEnd",
    "CommitmentState",
    "DeliveryState",
    "JobState",
    "Ledger",
    "LedgerError",
    "SeriesState",
]
