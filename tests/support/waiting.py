"""Waiting on conditions with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.02


def wait_for(what: str, condition: Callable[[], T], timeout_s: float = 60.0) -> T:
    """The first true value of a condition; an AssertionError that says what never came."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(_POLL_S)
    raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")
