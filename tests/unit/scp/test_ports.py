"""The ports that a node listens on: which they are, and why one cannot be had."""

import errno
import os
import socket
from contextlib import closing

import pytest

from config import NodeSettings, Settings, TlsSettings
from scp.ports import ListeningPort, PortError, listening_ports, wait_for_port


def _settings(*, plaintext: bool, tls_port: int | None) -> Settings:
    return Settings(node=NodeSettings(plaintext=plaintext), tls=TlsSettings(port=tls_port))


@pytest.mark.parametrize(
    ("plaintext", "tls_port", "settings"),
    [
        (True, None, ["node.port"]),
        (True, 2762, ["node.port", "tls.port"]),
        (False, 2762, ["tls.port"]),
    ],
)
def test_ports_are_those_that_the_settings_open(
    plaintext: bool, tls_port: int | None, settings: list[str]
) -> None:
    found = listening_ports(_settings(plaintext=plaintext, tls_port=tls_port))
    assert [port.setting for port in found] == settings


def test_port_is_written_with_its_host() -> None:
    assert str(ListeningPort("192.0.2.1", 104, "node.port")) == "192.0.2.1:104"
    assert str(ListeningPort("::1", 104, "node.port")) == "[::1]:104"


def test_free_port_is_no_error() -> None:
    assert wait_for_port(ListeningPort("127.0.0.1", 0, "node.port"), lambda: False) is None


def test_port_of_another_program_is_named_with_its_setting() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as stranger:
        port = ListeningPort("127.0.0.1", stranger.getsockname()[1], "tls.port")
        with pytest.raises(PortError, match=r"Choose another tls.port or node.host, or stop"):
            wait_for_port(port, lambda: True)


@pytest.mark.parametrize("number", [104, 1023])
def test_low_port_without_the_right_is_explained(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As for a user who is not root: these tests may run as root."""

    def refuse(_socket: socket.socket, _address: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(PortError, match="CAP_NET_BIND_SERVICE") as caught:
        wait_for_port(ListeningPort("0.0.0.0", number, "node.port"), lambda: False)  # noqa: S104
    assert f"0.0.0.0:{number} cannot be bound: Permission denied" in str(caught.value)
