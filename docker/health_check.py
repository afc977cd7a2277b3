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


def own_address() -> PeerAddress:
    """Where the node of this container answers.

    Raises
    ------
    SettingsError
        The settings, changed since the node started, cannot be used any more.
    """
    file = os.environ.get(CONFIG_VARIABLE)
    node = load_settings(Path(file) if file else None).node
    return PeerAddress(node.ae_title, _EVERY_ADDRESS.get(node.host, node.host), node.port)


if __name__ == "__main__":
    try:
        main(["echo", str(own_address()), "--timeout", str(_PATIENCE_S)])
    except SettingsError as error:
        sys.exit(str(error))
