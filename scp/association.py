"""Associations that we open: who we are, how they begin and end, what they fail of."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation

from config import PeerAddress
from pipeline.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from scp.tls_client import ClientContext, ClientTls

_MAXIMUM_PDU_BYTES = 131072


class AssociationError(Exception):
    """No association with a peer, or it broke; the message says which and why."""


class NothingAcceptedError(AssociationError):
    """The peer took the association, and none of the SOP Classes that were proposed."""


class OpenedAssociation:
    """An association that we open, as a context manager: released at its end, aborted on an error.

    Parameters
    ----------
    entity
        Ours, with the presentation contexts to propose.
    peer
        Where to.
    tls
        How TLS is spoken with the peer; None speaks without.
    roles, handlers
        As for `open_association`.

    Raises
    ------
    AssociationError
        On entering: the peer cannot be reached, rejects, or accepts nothing.
    """

    def __init__(
        self,
        entity: ApplicationEntity,
        peer: PeerAddress,
        tls: ClientTls | None,
        *,
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
        handlers: Sequence[tuple[Any, ...]] = (),
    ) -> None:
        self._entity = entity
        self._peer = peer
        self._tls = tls
        self._roles = roles
        self._handlers = handlers
        self._opened: Association | None = None

    def __enter__(self) -> Self:
        self._opened = open_association(
            self._entity, self._peer, self._tls, self._roles, self._handlers
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        association, self._opened = self._opened, None
        if association is None or not association.is_established:
            return
        if kind is None:
            association.release()
        else:
            association.abort()

    @property
    def is_open(self) -> bool:
        """Whether the peer still holds it too."""
        return self._opened is not None and bool(self._opened.is_established)

    @property
    def _association(self) -> Association:
        if self._opened is None or not self._opened.is_established:
            raise AssociationError(f"the association with {self._peer} is not open")
        return self._opened

    def _status(self, response: Any) -> int:
        if "Status" not in response:
            raise AssociationError(f"{self._peer} broke off or did not answer in time")
        return int(response.Status)


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
