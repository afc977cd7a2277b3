"""How long to wait before something is tried again."""

import random

from config import DeliverySettings

_JITTER = 0.1
_MOST_DOUBLINGS = 30


def retry_delay_s(attempts: int, settings: DeliverySettings) -> float:
    """The wait after so many failed attempts, in seconds: doubled each time, up to a limit."""
    doublings = min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    return float(min(settings.longest_retry_s, settings.first_retry_s * 2**doublings))


def with_jitter(delay_s: float) -> float:
    """A wait of about that long, so that what failed together does not come again together."""
    return delay_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
