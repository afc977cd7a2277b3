"""One association, served by one thread: it waits for bytes and acts on them, and else sleeps."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Semaphore
from typing import Any, cast
from uuid import uuid4

import structlog
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext

from config import LimitSettings
from scp.ledger import AssociationEnd
from scp.ledger.associations import EndedAssociation, SendingAssociation
from scp.receive.admission import Caller, Rejection
from scp.receive.command import StoreCommand, store_response
from scp.receive.commitment import CommitmentDesk
from scp.receive.commitment_reports import CommitmentReports
from scp.receive.door import Door
from scp.receive.inbox import Inbox, PeerGoneError, PeerTooSlowError
from scp.receive.message import MessageReader
from scp.receive.pdu import AbortReason, ProtocolError, abort_pdu, command_pdus
from scp.receive.peer_socket import PeerSocket
from scp.receive.provider import NOTHING, RequestQueue, SteppedProvider
from scp.receive.slots import Slot
from scp.receive.store import IncomingStore, Piece, RefusedError, StoreHandler, StoreRequest
from scp.receive.tls import TlsContexts, handshake_failure
from scp.spool import Reception
from scp.status import Status
from scp.tls import PeerCertificate

_MIB = 2**20
_LINGER_S = 1.0
_MOST_LINGERING = 64
_ABORT_S = 1.0
_UNHEARD_S = 5.0
_PAUSE_S = 0.02
_WAITING_FOR_CLOSE, _IDLE = "Sta13", "Sta1"
_CLOSED = "Evt17"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Service:
    """What all associations of a server share."""

    store: StoreHandler
    door: Door
    limits: LimitSettings
    tls: TlsContexts | None
    commitments: CommitmentDesk | None = None
    lingering: Semaphore = field(default_factory=lambda: Semaphore(_MOST_LINGERING))


class ReceivingAssociation(Association):
    """An association that a peer opened.

    Parameters
    ----------
    entity
        Whose it is.
    service
        What it is for.
    slot
        Taken by its connection; given back at the end.

    Notes
    -----
    It keeps the library's state machine, negotiation, events and services, and replaces its two
    polling threads by one that waits. C-STORE requests are not queued but written as they come.

    Resource handling: whatever the peer does, the thread ends by one of the deadlines, and with it
    socket, slot and unfinished instance are gone. Error handling: an error ends the association
    that it happens in, and no other.
    """

    def __init__(self, entity: ApplicationEntity, service: Service, slot: Slot) -> None:
        super().__init__(entity, "acceptor")
        self._service = service
        self._slot = slot
        self._certificate: PeerCertificate | None = None
        self.dul: SteppedProvider = SteppedProvider(self)
        self.dimse: RequestQueue = RequestQueue(self, service.limits.pending_requests)
        self._messages = MessageReader(
            self, service.limits.command_bytes, service.limits.instance_mb * _MIB
        )
        self.reports = CommitmentReports(self, service.commitments)
        self._accepted_at = time.monotonic()
        self._sending: SendingAssociation | None = None
        self._peer: PeerSocket
        self._inbox: Inbox

    def _bind_defaults(self) -> None:
        """Bind nothing: the server's handlers are shared by all its associations."""

    def connect_to(self, peer: PeerSocket) -> None:
        """Set the socket to serve."""
        self.set_socket(peer)
        self._peer = peer
        self._inbox = Inbox(peer, self._messages, self._service.limits, self._accepted_at)

    @property
    def address(self) -> str:
        """The peer's IP address."""
        return str(self.requestor.address)

    def run_reactor(self) -> None:
        """Serve the peer until the association ends; the thread's whole life."""
        try:
            if self._is_secured():
                self._negotiate()
                self._serve()
        except PeerGoneError:
            self._lose()
        except PeerTooSlowError as error:
            self._give_up(str(error), error.setting, AbortReason.NOT_SPECIFIED)
        except ProtocolError as error:
            self._give_up(str(error), "", error.reason)
        except Exception as error:  # noqa: BLE001 - the library's and handlers' own; none may pass
            log.error(  # noqa: TRY400 - a traceback may quote values
                "association failed", address=self.address, error=type(error).__name__
            )
            self._give_up("an internal error", "", AbortReason.NOT_SPECIFIED)
        finally:
            self._leave()

    def read_until(self, condition: Callable[[], bool], timeout_s: float | None) -> None:
        """Receive until a condition holds, the association ends or the time is over."""
        until = time.monotonic() + (timeout_s or self._service.limits.idle_timeout_s)
        while self.is_established and not condition() and time.monotonic() < until:
            self._take(self._inbox.read(until))

    def begin_store(self, context_id: int, command: StoreCommand) -> "_AnsweredStore":
        """Begin a C-STORE request whose command set is complete."""
        context = self.accepted_context(context_id)
        sender = self._sending = self._sending or self._identify()
        request = StoreRequest(
            reception=Reception(
                sop_class_uid=command.sop_class_uid,
                sop_instance_uid=command.sop_instance_uid,
                transfer_syntax_uid=str(context.transfer_syntax[0]),
                calling_ae_title=sender.calling_ae_title,
                called_ae_title=sender.called_ae_title,
            ),
            context_sop_class_uid=str(context.abstract_syntax),
            association=sender,
        )
        return _AnsweredStore(self, context_id, command, self._service.store.begin(request))

    def _identify(self) -> SendingAssociation:
        """Name this association for the ledger, now that it brings instances."""
        requested = cast("A_ASSOCIATE", self.requestor.primitive)
        return SendingAssociation(
            id=uuid4().hex,
            calling_ae_title=str(requested.calling_ae_title).strip(),
            called_ae_title=str(requested.called_ae_title).strip(),
            address=self.address,
            receiver=os.getpid(),
            began_at=datetime.now(UTC),
        )

    def accepted_context(self, context_id: int) -> PresentationContext:
        """The presentation context of an id.

        Raises
        ------
        ProtocolError
            None was accepted under it.
        """
        context = self._accepted_cx.get(context_id)
        if context is None:
            raise ProtocolError("a message in a presentation context that was not accepted")
        return context

    def receive(self, context_id: int, command_set: bytes, data_set: bytes) -> None:
        """Queue any other message, complete."""
        self.dimse.take_message(context_id, command_set, data_set)

    def answer(self, context_id: int, command_set: bytes) -> None:
        """Send a response that is encoded already."""
        pdus = command_pdus(context_id, command_set, self.requestor.maximum_length or 0)
        with self.dimse.sending:
            self._peer.send(b"".join(pdus))
        self.dul.act()

    def _is_secured(self) -> bool:
        """Go over to TLS where the port is for that."""
        if self._service.tls is None:
            return True
        try:
            context = self._service.tls.current()
            secured = self._peer.shake_hands(context, self._inbox.negotiate_by)
        except OSError as error:
            why, setting = handshake_failure(error)
            self._service.door.turn_away(self.address, why, setting)
            return False
        self._certificate = PeerCertificate.shown_on(secured)
        return True

    def _negotiate(self) -> None:
        """Hear what is asked for, and accept or reject it."""
        if self._is_over_limit():
            self._inbox.hasten(_UNHEARD_S)
        self.dul.act()  # the transport connection is there (Evt5)
        primitive = self._await_request()
        if not isinstance(primitive, A_ASSOCIATE):
            return
        self.requestor.primitive = primitive
        evt.trigger(self, evt.EVT_REQUESTED, {})
        if self.is_aborted or self.is_rejected:
            return
        rejection = self._service.door.judge(
            self._caller(primitive),
            self._slot,
            len(primitive.presentation_context_definition_list),
        )
        if rejection is not None:
            self._reject(rejection)
            return
        self._inbox.establish()
        self.acse.negotiate_association()
        self._tell_of_no_context(primitive)

    def _await_request(self) -> Any:
        """What the peer says first: a request, or that it aborts."""
        while True:
            primitive: Any = self.dul.receive_pdu(wait=False)
            if primitive is not None:
                return primitive
            self._take(self._inbox.read())

    def _is_over_limit(self) -> bool:
        occupied, limits = self._slot.occupancy(), self._service.limits
        return (
            occupied.in_all > limits.associations
            or occupied.of_address > limits.associations_per_address
        )

    def _caller(self, primitive: A_ASSOCIATE) -> Caller:
        return Caller(
            calling_ae_title=str(primitive.calling_ae_title).strip(),
            called_ae_title=str(primitive.called_ae_title).strip(),
            address=self.address,
            certificate=self._certificate,
        )

    def _reject(self, rejection: Rejection) -> None:
        self._slot.free()
        self.acse.send_reject(rejection.result, rejection.source, rejection.reason)
        evt.trigger(self, evt.EVT_REJECTED, {})

    def _tell_of_no_context(self, primitive: A_ASSOCIATE) -> None:
        if self.is_established and not self._accepted_cx:
            self._service.door.journal.add(
                self._caller(primitive), "no presentation context that we take was proposed", ""
            )

    def _serve(self) -> None:
        """Serve requests until the association ends."""
        while self.is_established and not self._kill:
            is_free = self._reactor_checkpoint.is_set()
            context_id, message = self.dimse.get_msg() if is_free else NOTHING
            if message is not None:
                self._serve_request(message, context_id)
                self._inbox.rest()
                continue
            if self._has_ended():
                return
            self.reports.look()
            # Another thread that sends a request of ours and waits for the response clears the
            # checkpoint; what came meanwhile is served soon after it is set again.
            self._is_paused = True
            wake_at = self.reports.wake_at if is_free else time.monotonic() + _PAUSE_S
            self._take(self._inbox.read(wake_at))
            self._is_paused = False

    def _take(self, pdu: bytes | None) -> None:
        """Act on what the inbox gave."""
        if pdu is not None:
            self.dul.take_pdu(pdu)

    def _has_ended(self) -> bool:
        """Whether the peer has asked for the end: answered here."""
        if self.acse.is_release_requested():
            self._slot.free()  # before the peer is told, and comes again
            self._tell_end(AssociationEnd.RELEASED)
            self.acse.send_release(is_response=True)
            self.is_released, self.is_established = True, False
            evt.trigger(self, evt.EVT_RELEASED, {})
        elif self.acse.is_aborted():
            self.dul.receive_pdu(wait=False)
            self._note_abort(AssociationEnd.ABORTED)
        return not self.is_established

    def _note_abort(self, end: AssociationEnd) -> None:
        self.is_aborted, self.is_established = True, False
        self._tell_end(end)
        evt.trigger(self, evt.EVT_ABORTED, {})

    def _lose(self) -> None:
        """The peer has closed the connection without a word."""
        self._peer.close()
        self.dul.act()
        if self.is_established:
            self._note_abort(AssociationEnd.LOST)

    def _tell_end(self, end: AssociationEnd) -> None:
        """Have the first end recorded of an association that brought instances."""
        if self._sending is not None:
            ended = EndedAssociation(self._sending.id, end, datetime.now(UTC))
            self._service.store.end(ended)
            self._sending = None

    def _give_up(self, why: str, setting: str, reason: AbortReason) -> None:
        """Abort: the peer is too slow, or breaks the protocol or a limit."""
        log.warning("association given up", address=self.address, reason=why, setting=setting)
        if self.requestor.primitive is None:
            self._service.door.turn_away(self.address, why, setting)
        self._slot.free()
        with suppress(OSError):
            self._peer.send_until(abort_pdu(reason), time.monotonic() + _ABORT_S)
        self._note_abort(AssociationEnd.ABORTED)
        if self.dul.state_machine.current_state != _IDLE:
            self.dul.state_machine.transition(_WAITING_FOR_CLOSE)

    def _leave(self) -> None:
        """Let go of everything."""
        self._kill = True
        self.is_established = False
        self._messages.discard()
        self._slot.free()
        self._tell_end(AssociationEnd.LOST)
        self._part()
        with suppress(Exception):  # a handler's, at the very end
            self.dul.act()
        self.reports.end()

    def _part(self) -> None:
        """Close, after a while for the peer to read; its slot is free, so few may take that."""
        may_linger = self._service.lingering.acquire(blocking=False)
        with suppress(OSError):
            self._peer.linger(_LINGER_S if may_linger else 0.0)
        if may_linger:
            self._service.lingering.release()


class _AnsweredStore:
    """A C-STORE request that is answered on its association when it is complete."""

    def __init__(
        self,
        association: ReceivingAssociation,
        context_id: int,
        command: StoreCommand,
        incoming: IncomingStore,
    ) -> None:
        self._association = association
        self._context_id = context_id
        self._command = command
        self._incoming = incoming

    def write(self, pieces: Sequence[Piece]) -> None:
        """Take pieces of the data set."""
        self._incoming.write(pieces)

    def finish(self) -> None:
        """Keep the instance and answer."""
        try:
            self._incoming.finish()
            response = store_response(self._command, Status.SUCCESS)
        except RefusedError as refused:
            response = store_response(
                self._command,
                refused.status,
                refused.comment,
                names_instance=refused.status is not Status.INVALID_INSTANCE,
            )
        self._association.answer(self._context_id, response)

    def discard(self) -> None:
        """Keep nothing."""
        self._incoming.discard()
