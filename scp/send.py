"""Associations that we open: C-ECHO and C-STORE as a service class user."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.events import Event

from config import PeerAddress
from pipeline.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from scp.receive.contexts import VERIFICATION
from scp.status import Status

_LITTLE_ENDIAN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
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
    transfer_syntaxes
        Proposed for every class.

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
        transfer_syntaxes: Sequence[str] = _LITTLE_ENDIAN,
    ) -> None:
        self._entity = _entity(calling_ae_title, timeout_s)
        for sop_class in sop_classes:
            self._entity.add_requested_context(sop_class, list(transfer_syntaxes))
        self._peer = peer
        self._association: Association | None = None

    def __enter__(self) -> Self:
        self._association = _associate(self._entity, self._peer)
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
        if not self._accepts(sop_class_uid):
            return Status.SOP_CLASS_NOT_SUPPORTED
        try:
            dataset = pydicom.dcmread(path)
        except (OSError, InvalidDicomError) as error:
            raise ResultFileError(f"{path.name} cannot be read ({type(error).__name__})") from error
        try:
            response = self._association.send_c_store(dataset)
        except (AttributeError, TypeError, ValueError) as error:
            raise ResultFileError(f"{path.name} cannot be encoded for {self._peer}") from error
        except (RuntimeError, OSError) as error:
            raise AssociationError(f"the association with {self._peer} broke") from error
        if "Status" not in response:
            raise AssociationError(f"{self._peer} broke off or did not answer in time")
        return int(response.Status)

    def _accepts(self, sop_class_uid: str) -> bool:
        contexts = self._association.accepted_contexts if self._association else []
        return any(context.abstract_syntax == sop_class_uid for context in contexts)


def echo(calling_ae_title: str, peer: PeerAddress, timeout_s: float) -> None:
    """Verify a peer by C-ECHO.

    Raises
    ------
    AssociationError
        It cannot be reached, rejects us or does not answer with success.
    """
    entity = _entity(calling_ae_title, timeout_s)
    entity.add_requested_context(VERIFICATION)
    association = _associate(entity, peer)
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


def _entity(calling_ae_title: str, timeout_s: float) -> ApplicationEntity:
    _config.LOG_HANDLER_LEVEL = "none"
    entity = ApplicationEntity(ae_title=calling_ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.connection_timeout = timeout_s
    entity.acse_timeout = timeout_s
    entity.dimse_timeout = timeout_s
    entity.network_timeout = timeout_s
    return entity


def _associate(entity: ApplicationEntity, peer: PeerAddress) -> Association:
    def limit_waiting(event: Event) -> None:
        # pynetdicom takes the timeout off after connecting: a peer that never reads would
        # hold the sender for ever
        transport = event.assoc.dul.socket
        if transport is not None and transport.socket is not None:
            transport.socket.settimeout(entity.network_timeout)

    association = entity.associate(
        peer.host,
        peer.port,
        ae_title=peer.ae_title,
        max_pdu=_MAXIMUM_PDU_BYTES,
        evt_handlers=[(evt.EVT_CONN_OPEN, limit_waiting)],
    )
    if association.is_established:
        return association
    raise _failure(association, peer)


def _failure(association: Association, peer: PeerAddress) -> AssociationError:
    answer = association.acceptor.primitive
    if answer is not None and association.is_rejected:
        return AssociationError(f"{peer} rejected the association: {answer.reason_str}")
    if answer is not None:
        return NothingAcceptedError(f"{peer} accepted none of the SOP Classes proposed")
    return AssociationError(f"{peer} cannot be reached, or broke off before it answered")
