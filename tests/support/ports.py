"""Ports for the servers of the tests."""

import random
import socket
from contextlib import suppress
from pathlib import Path

_FIRST = 12_000
_GIVEN_BY_THE_SYSTEM = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A TCP port that nothing listens on now and that no connection gets by chance.

    A port of the system's own range may become the near end of any connection before the server
    is there: even of one that tries whether the server is there, and so reaches itself.
    """
    end = int(_GIVEN_BY_THE_SYSTEM.read_text().split()[0])
    for number in random.SystemRandom().sample(range(_FIRST, end), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", number))
            return number
    raise AssertionError("100 ports were taken")
