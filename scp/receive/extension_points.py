"""Whether pynetdicom still has what our association server hooks into.

The server uses names of the library that are not all public. A release that moves one must not
break receiving: the node then serves by the library's own server, and says so.
"""

import re
from collections.abc import Mapping
from importlib.metadata import version

from pynetdicom.acse import ACSE
from pynetdicom.association import Association, ServiceUser
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import StateMachine
from pynetdicom.transport import AssociationServer, AssociationSocket

_TESTED = ((3, 0, 4), (3, 1, 0))
"""The first version that is taken, and the first that is not."""

HOOKS: Mapping[type, tuple[str, ...]] = {
    Association: (
        "_abort_blocking", "_bind_defaults", "_serve_request", "kill", "run_reactor", "set_socket",
    ),
    ACSE: (
        "is_aborted", "is_release_requested", "negotiate_association", "send_reject",
        "send_release",
    ),
    ServiceUser: ("supported_contexts", "maximum_length", "address"),
    DIMSEServiceProvider: ("get_msg", "send_msg"),
    DIMSEMessage: ("decode_msg", "message_to_primitive"),
    DULServiceProvider: (
        "_decode_pdu", "_process_recv_primitive", "receive_pdu", "send_pdu",
    ),
    StateMachine: ("do_action", "transition"),
    AssociationServer: ("active_associations", "process_request", "server_bind", "service_actions"),
    AssociationSocket: ("_shutdown_socket", "close", "event_queue", "send"),
}  # fmt: skip


def missing_hooks(
    hooks: Mapping[type, tuple[str, ...]] = HOOKS, installed: str | None = None
) -> list[str]:
    """What is not as our server needs it; empty where all is well.

    Parameters
    ----------
    hooks
        Names that each class has to have.
    installed
        pynetdicom's version; by default the one that is installed.
    """
    found = installed or version("pynetdicom")
    missing = [
        f"{owner.__name__}.{name}"
        for owner, names in hooks.items()
        for name in names
        if not hasattr(owner, name)
    ]
    numbers = tuple(int(number) for number in re.findall(r"\d+", found)[:3])
    if not _TESTED[0] <= numbers < _TESTED[1]:
        missing.append(f"pynetdicom {found} is not of the tested versions")
    return missing
