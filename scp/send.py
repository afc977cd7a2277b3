"""Associations that we open: C-ECHO and C-STORE as a service class user."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import build_context

from config import PeerAddress
from pipeline.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from scp.receive.contexts import VERIFICATION
from scp.status import Status
from scp.tls_client import ClientContext, ClientTls
from scp.transcode import in_accepted_syntax, offers

_MAXIMUM_PDU_BYTES = 131072


class AssociationError(Exception):
    """No association with a peer, or it broke; the message says which and why."""


class NothingAcceptedError(AssociationError):
    """The peer took the association, and none of the SOP Classes that were proposed."""


class ResultFileError(Exception):
    """A file to be sent is missing or damaged."""


class StoreAssociation:
    """An association to store instances at a peer, as a context manager.

    Parameters
    ----------
    calling_ae_title
        Ours.
    peer
        Where to.
    sop_classes
        Those of the instances that will be sent; no others are proposed.
    timeout_s
        Longest silence of the peer before it counts as lost.
    preferred_syntax
        Transfer syntax that images are offered in first; plain ones always too.
    tls
        How TLS is spoken with the peer; None speaks without.

    Raises
    ------
    AssociationError
        On entering: the peer cannot be reached or rejects.
    """

    def __init__(
        self,
        calling_ae_title: str,
        peer: PeerAddress,
        sop_classes: Sequence[str],
        timeout_s: float,
        preferred_syntax: str = ExplicitVRLittleEndian,
        *,
        tls: ClientTls | None = None,
    ) -> None:
        self._entity = client_entity(calling_ae_title, timeout_s)
        self._entity.requested_contexts = [
            build_context(sop_class, syntaxes)
            for sop_class in sop_classes
            for syntaxes in offers(sop_class, preferred_syntax)
        ]
        self._preferred_syntax = preferred_syntax
        self._peer = peer
        self._tls = tls
        self._association: Association | None = None

    def __enter__(self) -> Self:
        self._association = open_association(self._entity, self._peer, self._tls)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        association, self._association = self._association, None
        if association is None or not association.is_established:
            return
        if kind is None:
            association.release()
        else:
            association.abort()

    def send(self, path: Path, sop_class_uid: str) -> int:
        """Send a Part 10 file; return the peer's C-STORE status.

        A peer that has not accepted the SOP Class gives ``Status.SOP_CLASS_NOT_SUPPORTED``, as if
        it had answered it.

        Raises
        ------
        ResultFileError
            The file cannot be read.
        AssociationError
            The association broke before the peer answered.
        """
        if self._association is None or not self._association.is_established:
            raise AssociationError(f"the association with {self._peer} is not open")
        accepted = self._accepted_for(sop_class_uid)
        if not accepted:
            return Status.SOP_CLASS_NOT_SUPPORTED
        try:
            dataset = pydicom.dcmread(path)
        except (OSError, InvalidDicomError) as error:
            raise ResultFileError(f"{path.name} cannot be read ({type(error).__name__})") from error
        try:
            sent = in_accepted_syntax(dataset, accepted, self._preferred_syntax)
            response = self._association.send_c_store(sent)
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise ResultFileError(f"{path.name} cannot be encoded for {self._peer}") from error
        except (RuntimeError, OSError) as error:
            raise AssociationError(f"the association with {self._peer} broke") from error
        if "Status" not in response:
            raise AssociationError(f"{self._peer} broke off or did not answer in time")
        return int(response.Status)

    def _accepted_for(self, sop_class_uid: str) -> list[str]:
        """The transfer syntaxes in which the peer takes a SOP Class."""
        contexts = self._association.accepted_contexts if self._association else []
        return [
            str(context.transfer_syntax[0])
            for context in contexts
            if context.abstract_syntax == sop_class_uid
        ]


def echo(
    calling_ae_title: str, peer: PeerAddress, timeout_s: float, tls: ClientTls | None = None
) -> None:
    """Verify a peer by C-ECHO, with TLS where it is given.

    Raises
    ------
    AssociationError
        It cannot be reached, rejects us or does not answer with success.
    """
    entity = client_entity(calling_ae_title, timeout_s)
    entity.add_requested_context(VERIFICATION)
    association = open_association(entity, peer, tls)
    try:
        response = association.send_c_echo()
    except (RuntimeError, ValueError) as error:
        raise AssociationError(f"{peer} does not support C-ECHO") from error
    finally:
        association.release()
    if "Status" not in response:
        raise AssociationError(f"{peer} did not answer C-ECHO within {timeout_s:g} s")
    if response.Status != Status.SUCCESS:
        raise AssociationError(f"{peer} answered C-ECHO with status {response.Status:04X}")


def client_entity(calling_ae_title: str, timeout_s: float) -> ApplicationEntity:
    """What opens our associations: its title, and the longest silence that it bears."""
    _config.LOG_HANDLER_LEVEL = "none"
    entity = ApplicationEntity(ae_title=calling_ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.connection_timeout = timeout_s
    entity.acse_timeout = timeout_s
    entity.dimse_timeout = timeout_s
    entity.network_timeout = timeout_s
    return entity


def open_association(
    entity: ApplicationEntity,
    peer: PeerAddress,
    tls: ClientTls | None,
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    handlers: Sequence[tuple[Any, ...]] = (),
) -> Association:
    """Associate with a peer for what the entity requests.

    Parameters
    ----------
    entity
        Ours, with the presentation contexts to propose.
    peer
        Where to.
    tls
        How TLS is spoken with the peer; None speaks without.
    roles
        Of SOP Classes in which we are not the user.
    handlers
        Of pynetdicom's events, for what the peer requests on it.

    Raises
    ------
    AssociationError
        The peer cannot be reached, rejects, or accepts nothing.
    """

    def prepare(event: Event) -> None:
        _keep_responses(event.assoc)
        # pynetdicom takes the timeout off after connecting: a peer that never reads would
        # hold the sender for ever
        transport = event.assoc.dul.socket
        if transport is not None and transport.socket is not None:
            transport.socket.settimeout(entity.network_timeout)

    context = None if tls is None else _tls_context(tls, peer)
    association = entity.associate(
        peer.host,
        peer.port,
        ae_title=peer.ae_title,
        max_pdu=_MAXIMUM_PDU_BYTES,
        ext_neg=list(roles),
        evt_handlers=[(evt.EVT_CONN_OPEN, prepare), *handlers],
        tls_args=None if context is None else (context, peer.host),
    )
    if association.is_established:
        return association
    raise _failure(association, peer, context)


def _keep_responses(association: Association) -> None:
    """Have the association's own thread put back the answers it takes from who waits for them.

    That thread pauses while we wait for an answer, but may be past the place where it looks: then
    it takes the answer for a request of the peer's and drops it.
    """
    serve = association._serve_request  # noqa: SLF001 - pynetdicom offers no other place

    def serve_requests_only(message: Any, context_id: int) -> None:
        if message.is_valid_request:
            serve(message, context_id)
        else:
            association.dimse.msg_queue.put((context_id, message))

    vars(association)["_serve_request"] = serve_requests_only


def _tls_context(tls: ClientTls, peer: PeerAddress) -> ClientContext:
    try:
        return tls.context()
    except OSError as error:
        raise AssociationError(f"no TLS with {peer}: our files cannot be used: {error}") from error


def _failure(
    association: Association, peer: PeerAddress, context: ClientContext | None
) -> AssociationError:
    if context is not None and context.failure:
        return AssociationError(f"no TLS with {peer}: {context.failure}")
    answer = _answer(association)
    if answer is None:
        return AssociationError(f"{peer} cannot be reached, or broke off before it answered")
    if answer.result:
        return AssociationError(f"{peer} rejected the association: {answer.reason_str}")
    return NothingAcceptedError(f"{peer} accepted none of the SOP Classes proposed")


def _answer(association: Association) -> A_ASSOCIATE | None:
    """What the peer answered to the request, if anything.

    pynetdicom takes a connection for one that never was where the peer rejects and closes before
    it looks; the answer is in its queue then.
    """
    answers = [association.acceptor.primitive, *association.dul.to_user_queue.queue]
    return next((each for each in answers if isinstance(each, A_ASSOCIATE)), None)
