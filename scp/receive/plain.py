"""Receiving by pynetdicom's own server: the way out where ours does not fit its version.

The same rules and answers hold; limits and deadlines are the library's, and it is slower.
"""

import socket
import ssl
import time
from typing import Any, cast

from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.transport import AssociationSocket, ThreadedAssociationServer

from scp.receive.admission import Caller
from scp.receive.door import Door
from scp.receive.store import StoreHandler
from scp.tls import PeerCertificate

_NOT_SENT = "Sta3"
_SENT_WITHIN_S = 2.0
_POLL_S = 0.01


class PlainServer(ThreadedAssociationServer):
    """The library's server on a port that is shared with the node's other receiver processes."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Bind with SO_REUSEPORT."""
        cast("socket.socket", self.socket).setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


def plain_handlers(store: StoreHandler, door: Door) -> list[tuple[Any, ...]]:
    """Handlers that answer C-STORE and reject whom the door does not let in."""
    return [(evt.EVT_C_STORE, store), (evt.EVT_REQUESTED, _judge, [door])]


def _judge(event: Event, door: Door) -> None:
    """Reject who may not associate; the library goes on with everyone else."""
    association = event.assoc
    requested = cast("A_ASSOCIATE", association.requestor.primitive)
    peer = cast("AssociationSocket", association.dul.socket)
    caller = Caller(
        calling_ae_title=str(requested.calling_ae_title).strip(),
        called_ae_title=str(requested.called_ae_title).strip(),
        address=str(association.requestor.address),
        certificate=_certificate(peer.socket),
    )
    rejection = door.rules.judge(caller)
    if rejection is None:
        return
    door.journal.add(caller, rejection.why, rejection.setting)
    association.acse.send_reject(rejection.result, rejection.source, rejection.reason)
    deadline = time.monotonic() + _SENT_WITHIN_S
    while association.dul.state_machine.current_state == _NOT_SENT and time.monotonic() < deadline:
        time.sleep(_POLL_S)  # the library would close before its other thread has sent it


def _certificate(connection: socket.socket | None) -> PeerCertificate | None:
    return PeerCertificate.shown_on(connection) if isinstance(connection, ssl.SSLSocket) else None
