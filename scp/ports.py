"""The TCP ports that a node listens on: free, and allowed to this user."""

import errno
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from config import Settings

_PATIENCE_S = 10.0
_POLL_S = 0.2
_FIRST_OF_EVERYBODY = 1024


class PortError(Exception):
    """A port cannot be listened on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ListeningPort:
    """A port, and the key of the settings that names it."""

    host: str
    number: int
    setting: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.number}"


def listening_ports(settings: Settings) -> tuple[ListeningPort, ...]:
    """The ports that the settings name, without TLS and with it."""
    node, tls_port = settings.node, settings.tls.port
    plain = ListeningPort(node.host, node.port, "node.port")
    if tls_port is None:
        return (plain,)
    with_tls = ListeningPort(node.host, tls_port, "tls.port")
    return (plain, with_tls) if node.plaintext else (with_tls,)


def wait_for_port(port: ListeningPort, asked_to_stop: Callable[[], bool]) -> None:
    """Return once the port is free.

    Receivers share their ports among themselves, so binding alone would not tell that a stranger
    shares one too. The receivers of a node that was just killed are given time to go.

    Raises
    ------
    PortError
        Another program has it, or this user may not bind it.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while (error := _binding_error(port)) is not None:
        waiting_helps = error.errno == errno.EADDRINUSE and time.monotonic() < deadline
        if asked_to_stop() or not waiting_helps:
            raise PortError(_explanation(port, error)) from error
        time.sleep(_POLL_S)


def _binding_error(port: ListeningPort) -> OSError | None:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host, port.number))
        except OSError as error:
            return error
    return None


def _explanation(port: ListeningPort, error: OSError) -> str:
    message = f"{port} cannot be bound: {error.strerror}. "
    if error.errno in (errno.EACCES, errno.EPERM) and port.number < _FIRST_OF_EVERYBODY:
        return (
            f"{message}Ports below {_FIRST_OF_EVERYBODY} need a right: give the service "
            "CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or set "
            f"{port.setting} to a higher one, 11112 or 2762 with TLS, say."
        )
    return f"{message}Choose another {port.setting} or node.host, or stop the program that has it."
