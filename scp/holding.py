"""Holding a series back, and releasing it, because a person asks for it."""

from contextlib import closing

from config import Settings
from scp.ledger import Ledger
from scp.ledger.holding import Held
from scp.ledger.holding import hold_series as hold_in_ledger
from scp.ledger.holding import release_series as release_in_ledger
from scp.ledger.series import find_series
from scp.state_folder import StateFolder


class HoldingError(Exception):
    """The series cannot be held or released; the message says why."""


def hold_series(settings: Settings, series_instance_uid: str) -> Held:
    """Hold a series that has come.

    Raises
    ------
    LedgerError
        No node has run with these settings, or its ledger cannot be written.
    HoldingError
        No such series.
    """
    reason = f"Put on hold; 'hounsfield release {series_instance_uid}' queues it."
    with closing(_ledger(settings)) as ledger, ledger.write() as connection:
        if not find_series(connection, series_instance_uid):
            raise HoldingError(
                f"No instance of series {series_instance_uid} has come; 'hounsfield jobs' lists "
                "those that have."
            )
        return hold_in_ledger(connection, series_instance_uid, reason)


def release_series(settings: Settings, series_instance_uid: str) -> Held:
    """Release a series that is held.

    Raises
    ------
    LedgerError
        No node has run with these settings, or its ledger cannot be written.
    HoldingError
        Nothing of it is held.
    """
    with closing(_ledger(settings)) as ledger, ledger.write() as connection:
        released = release_in_ledger(connection, series_instance_uid)
    if released == Held(0, 0):
        raise HoldingError(
            f"Nothing of series {series_instance_uid} is held; 'hounsfield series "
            f"{series_instance_uid}' tells where it stands."
        )
    return released


def _ledger(settings: Settings) -> Ledger:
    return Ledger.open(StateFolder(settings.node.state_folder).ledger)
