"""The association server: which ports, for whom, for what."""

import gc
import socket
import time
from collections.abc import Sequence
from itertools import count
from threading import Thread
from typing import Any, cast

import structlog
from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.events import Event
from pynetdicom.transport import AddressInformation, AssociationServer

from config import Settings
from pipeline.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from scp.receive.admission import Admission
from scp.receive.association import ReceivingAssociation, Service
from scp.receive.commitment import CommitmentDesk
from scp.receive.contexts import supported_contexts
from scp.receive.door import Door, Journal, LoggingJournal
from scp.receive.extension_points import missing_hooks
from scp.receive.peer_socket import PeerSocket
from scp.receive.plain import PlainServer, plain_handlers
from scp.receive.slots import Slots, SlotTable
from scp.receive.store import StoreHandler
from scp.receive.tls import TlsContexts
from scp.status import Status

_ACCEPT_BACKLOG = 256
_POLL_S = 0.25
_PAUSE_S = 0.05
_COLLECT_EVERY = 64
_UNLIMITED = 1_000_000

log = structlog.get_logger()

Handler = tuple[Any, ...]
Server = AssociationServer


class ReceivingServer(AssociationServer):
    """Accepts connections and gives each to an association of its own thread.

    Parameters
    ----------
    service
        What the associations are for.

    Notes
    -----
    The accept loop waits for no peer: TLS handshake and negotiation are the association's. The
    port is shared with the node's other receiver processes.
    """

    request_queue_size = _ACCEPT_BACKLOG

    def __init__(self, *arguments: Any, service: Service, **options: Any) -> None:
        self._service = service
        self._numbers = count(1)
        self._accepts = True
        super().__init__(*arguments, **options)

    def server_bind(self) -> None:
        """Bind with SO_REUSEPORT, so that the kernel spreads associations over the processes."""
        listening = cast("socket.socket", self.socket)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()
        listening.setblocking(False)  # noqa: FBT003 - the standard library's

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        Raises
        ------
        OSError
            None can be accepted; without a pause the loop would spin on one that waits.
        """
        try:
            accepted = cast("socket.socket", self.socket).accept()
        except BlockingIOError:
            raise
        except OSError as error:
            if self._accepts:
                log.error(  # noqa: TRY400 - a reason, no traceback wanted
                    "connections cannot be accepted", reason=error.strerror
                )
            self._accepts = False
            time.sleep(_PAUSE_S)
            raise
        self._accepts = True
        return accepted

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start an association on an accepted connection, where there is room for it."""
        slot = self._service.door.knock(str(client_address[0]))
        if slot is None:
            self.shutdown_request(request)
            return
        try:
            association = ReceivingAssociation(self.ae, self._service, slot)
            self._equip(association, request, client_address)
            association.start()
        except Exception:
            slot.free()
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log that a connection could not be served."""
        log.exception("connection not served", address=str(client_address[0]))

    def service_actions(self) -> None:
        """Nothing between two connections."""

    def _equip(
        self, association: ReceivingAssociation, request: socket.socket, client_address: Any
    ) -> None:
        """Give an association its socket, its sides and the server's handlers."""
        number = next(self._numbers)
        if number % _COLLECT_EVERY == 0:
            gc.collect()  # an ended association is a cycle of many objects
        association.name = f"AcceptorThread-{number}"
        association._server = self  # noqa: SLF001 - as the library's own request handler does
        association._handlers = self._handlers  # noqa: SLF001
        association.requestor.address_info = AddressInformation.from_tuple(client_address)
        acceptor = association.acceptor
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.ae_title = self.ae_title
        acceptor.address_info = self.address_info
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        acceptor.supported_contexts = self.contexts
        answer_timeout_s = self._service.limits.answer_timeout_s
        association.connect_to(PeerSocket(association, request, answer_timeout_s))
        evt.trigger(association, evt.EVT_CONN_OPEN, {"address": client_address})


class Receiver:
    """One process's association servers, each running in a thread.

    Parameters
    ----------
    settings
        AE title, addresses, limits and rules.
    store
        What answers C-STORE.
    journal
        Told of rejected associations; without one they are logged.
    slots
        Counts associations together with other processes; by default this receiver's own.
    handlers
        Further handlers of pynetdicom's events; one of EVT_N_ACTION offers Storage Commitment.
    commitments
        What answers requests for Storage Commitment, and has them reported.

    Raises
    ------
    OSError
        A port cannot be bound.
    TlsFilesError
        A file of the TLS settings cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        store: StoreHandler,
        *,
        journal: Journal | None = None,
        slots: Slots | None = None,
        handlers: Sequence[Handler] = (),
        commitments: CommitmentDesk | None = None,
    ) -> None:
        _config.LOG_HANDLER_LEVEL = "none"
        limits = settings.limits
        missing = missing_hooks()
        self._is_plain = bool(missing)
        if missing:
            log.warning("receiving by pynetdicom's own server, slower", missing=missing)
        self._entity = _application_entity(settings, is_plain=self._is_plain)
        if commitments is not None:
            handlers = [*handlers, (evt.EVT_N_ACTION, commitments)]
        offers_commitment = any(handler[0] is evt.EVT_N_ACTION for handler in handlers)
        for each in supported_contexts(with_commitment=offers_commitment):
            self._entity.add_supported_context(
                str(each.abstract_syntax),
                each.transfer_syntax,
                scu_role=each.scu_role,
                scp_role=each.scp_role,
            )
        self._commitments = commitments
        self._store = store
        self._handlers = handlers
        self._limits = limits
        self._door = Door(
            Admission.of(settings),
            journal or LoggingJournal(),
            slots or Slots(SlotTable.create(limits), 0, limits),
            limits,
        )
        self._servers = self._open(settings)
        self._threads = [
            Thread(target=each.serve_forever, args=(_POLL_S,), name="accept", daemon=True)
            for each in self._servers
        ]

    @property
    def port(self) -> int:
        """The first port that is bound: the one without TLS where there is one."""
        return int(self._servers[0].server_address[1])

    def start(self) -> None:
        """Begin to accept associations."""
        for thread in self._threads:
            thread.start()

    def stop(self, grace_s: float) -> None:
        """Accept no more, and let running associations end within the grace.

        Those that do not are left to the end of the process: aborting one whose peer has stalled
        would wait for that peer.
        """
        for server in self._servers:
            server.shutdown()
        deadline = time.monotonic() + grace_s
        for server in self._servers:
            for association in server.active_associations:
                association.join(max(0.0, deadline - time.monotonic()))

    def _open(self, settings: Settings) -> list[Server]:
        servers = []
        host = settings.node.host
        if settings.node.plaintext:
            servers.append(self._server((host, settings.node.port), None))
        if settings.tls.port is not None:
            servers.append(self._server((host, settings.tls.port), TlsContexts(settings.tls)))
        # the servers' shutdown() takes itself off here
        self._entity._servers.extend(cast("list[Any]", servers))  # noqa: SLF001
        return servers

    def _server(self, address: tuple[str, int], tls: TlsContexts | None) -> Server:
        handlers = [
            (evt.EVT_C_ECHO, _answer_echo),
            (evt.EVT_ACCEPTED, _log_association, ["association accepted"]),
            (evt.EVT_ABORTED, _log_association, ["association aborted"]),
            *self._handlers,
        ]
        if self._is_plain:
            handlers += plain_handlers(self._store, self._door)
            context = tls.current() if tls else None
            return self._entity.make_server(
                address, evt_handlers=handlers, server_class=PlainServer, ssl_context=context
            )
        service = Service(self._store, self._door, self._limits, tls, self._commitments)
        return self._entity.make_server(
            address, evt_handlers=handlers, server_class=ReceivingServer, service=service
        )


def _application_entity(settings: Settings, *, is_plain: bool) -> ApplicationEntity:
    limits = settings.limits
    entity = ApplicationEntity(ae_title=settings.node.ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    # our server's door counts them, over all processes; the library's server each for itself
    entity.maximum_associations = limits.associations if is_plain else _UNLIMITED
    entity.maximum_pdu_size = limits.pdu_bytes
    entity.network_timeout = limits.idle_timeout_s
    entity.acse_timeout = limits.negotiation_timeout_s
    entity.dimse_timeout = limits.idle_timeout_s
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
