"""The container's health check: ``hounsfield echo`` to the node, as its own settings have it.

Exit status 0 if the node answers C-ECHO, 1 if not.
"""

import os
import sys
from pathlib import Path

from config import CONFIG_VARIABLE, PeerAddress, SettingsError, load_settings
from scp.cli import main

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
_PATIENCE_S = 8


def echo_arguments() -> list[str]:
    """What ``hounsfield echo`` is asked so that it verifies the node of this container.

    Where the node takes nothing without TLS, with TLS: as the node's certificate is hardly made
    out to a loopback address, its host is not compared.

    Raises
    ------
    SettingsError
        The settings, changed since the node started, cannot be used any more.
    """
    file = os.environ.get(CONFIG_VARIABLE)
    settings = load_settings(Path(file) if file else None)
    node, tls_port = settings.node, settings.tls.port
    host = _EVERY_ADDRESS.get(node.host, node.host)
    calling = ["--calling", node.ae_title]
    if node.plaintext or tls_port is None:
        return [str(PeerAddress(node.ae_title, host, node.port)), *calling]
    return [str(PeerAddress(node.ae_title, host, tls_port)), *calling, "--tls", "--any-host"]


if __name__ == "__main__":
    try:
        main(["echo", *echo_arguments(), "--timeout", str(_PATIENCE_S)])
    except SettingsError as error:
        sys.exit(str(error))
