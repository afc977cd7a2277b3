"""The association server: who may associate, for what, on which port."""

import socket
import time
from threading import Thread
from typing import cast

import structlog
from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.events import Event
from pynetdicom.transport import ThreadedAssociationServer

from config import NodeSettings
from pipeline.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from scp.receive.contexts import supported_contexts
from scp.receive.store import StoreHandler
from scp.status import Status

_ACCEPT_BACKLOG = 128
_POLL_S = 0.1

log = structlog.get_logger()


class SharedPortServer(ThreadedAssociationServer):
    """An association server that shares its port with the node's other receiver processes."""

    request_queue_size = _ACCEPT_BACKLOG
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind with SO_REUSEPORT, so that the kernel spreads associations over the processes."""
        cast("socket.socket", self.socket).setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


class Receiver:
    """One process's association server, running in a thread.

    Parameters
    ----------
    node
        AE title, address and limits.
    store
        What answers C-STORE.
    """

    def __init__(self, node: NodeSettings, store: StoreHandler) -> None:
        _config.LOG_HANDLER_LEVEL = "none"
        entity = _application_entity(node)
        self._server = entity.make_server(
            (node.host, node.port),
            evt_handlers=[
                (evt.EVT_C_ECHO, _answer_echo),
                (evt.EVT_C_STORE, store),
                (evt.EVT_ACCEPTED, _log_association, ["association accepted"]),
                (evt.EVT_REJECTED, _log_association, ["association rejected"]),
                (evt.EVT_ABORTED, _log_association, ["association aborted"]),
            ],
            server_class=SharedPortServer,
        )
        entity._servers.append(self._server)  # noqa: SLF001 - its shutdown() takes itself off here
        self._thread = Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="accept", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to accept associations."""
        self._thread.start()

    def stop(self, grace_s: float) -> None:
        """Accept no more, and let running associations end within the grace.

        Those that do not are left to the end of the process: aborting one whose peer has stalled
        would wait for that peer.
        """
        self._server.shutdown()
        deadline = time.monotonic() + grace_s
        for association in self._server.active_associations:
            association.join(max(0.0, deadline - time.monotonic()))


def _application_entity(node: NodeSettings) -> ApplicationEntity:
    entity = ApplicationEntity(ae_title=node.ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.supported_contexts = supported_contexts()
    entity.require_called_aet = node.require_called_ae_title
    entity.maximum_associations = node.maximum_associations
    entity.maximum_pdu_size = node.maximum_pdu_bytes
    entity.network_timeout = node.network_timeout_s
    entity.acse_timeout = node.network_timeout_s
    entity.dimse_timeout = node.network_timeout_s
    return entity


def _answer_echo(_event: Event) -> int:
    return int(Status.SUCCESS)


def _log_association(event: Event, what: str) -> None:
    requested = event.assoc.requestor.primitive
    log.info(
        what,
        calling=str(requested.calling_ae_title).strip() if requested else "",
        called=str(requested.called_ae_title).strip() if requested else "",
        address=event.assoc.requestor.address,
    )
