"""C-STORE: check what was sent, make it durable, then say so."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from threading import Lock
from typing import Protocol, cast

import structlog
from pydicom.dataset import Dataset
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE

from scp.ledger.associations import EndedAssociation, SendingAssociation
from scp.ledger.series import ReceivedInstance
from scp.receive.contexts import is_stored
from scp.receive.declared import declares_absurd_size, is_nested_too_deep
from scp.receive.identifiers import (
    HEAD_BYTES,
    Identifiers,
    UnusableDataSetError,
    glance,
    is_uid,
    read_identifiers,
)
from scp.receive.index import IndexBacklogError
from scp.spool import (
    IncomingInstance,
    Reception,
    Spool,
    SpooledInstance,
    SpoolError,
    SpoolFullError,
)
from scp.status import Status

log = structlog.get_logger()

Piece = bytes | bytearray | memoryview


class Index(Protocol):
    """Where a durable instance is announced."""

    def add(self, row: ReceivedInstance) -> None:
        """Take one row over."""

    def end(self, ended: EndedAssociation) -> None:
        """Take over how an association ended."""


class RefusedError(Exception):
    """An instance is not taken, with the status and the words that the sender is told."""

    def __init__(self, status: Status, comment: str) -> None:
        super().__init__(status, comment)
        self.status = status
        self.comment = comment


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE request without its data set.

    Parameters
    ----------
    reception
        How it came, and which instance the command says it is.
    context_sop_class_uid
        The abstract syntax of its presentation context.
    association
        What it came over, where that is known.
    """

    reception: Reception
    context_sop_class_uid: str
    association: SendingAssociation | None = None

    @classmethod
    def from_event(cls, event: Event) -> "StoreRequest":
        """What pynetdicom's event holds."""
        request = cast("C_STORE", event.request)
        requested = cast("A_ASSOCIATE", event.assoc.requestor.primitive)
        return cls(
            reception=Reception(
                sop_class_uid=str(request.AffectedSOPClassUID or ""),
                sop_instance_uid=str(request.AffectedSOPInstanceUID or ""),
                transfer_syntax_uid=str(event.context.transfer_syntax),
                calling_ae_title=str(requested.calling_ae_title).strip(),
                called_ae_title=str(requested.called_ae_title).strip(),
            ),
            context_sop_class_uid=str(event.context.abstract_syntax),
        )


@dataclass(slots=True)
class _Episode:
    """A trouble that is logged when it begins and when it ends, not with every instance."""

    _lasts: bool = False
    _lock: Lock = field(default_factory=Lock)

    def begins(self, reason: str) -> None:
        """It is met; said once."""
        with self._lock:
            is_first, self._lasts = not self._lasts, True
        if is_first:
            log.error("out of resources, instances are refused", reason=reason)

    def ends(self) -> None:
        """It is over; said once."""
        if not self._lasts:
            return
        with self._lock:
            was, self._lasts = self._lasts, False
        if was:
            log.info("resources are back, instances are taken again")


class StoreHandler:
    """Answers C-STORE requests: success means that the instance is safe on disk.

    Parameters
    ----------
    spool
        Where instances are kept.
    index
        Told of each that is durable.
    """

    def __init__(self, spool: Spool, index: Index) -> None:
        self._spool = spool
        self._index = index
        self._shortage = _Episode()

    def begin(self, request: StoreRequest) -> "IncomingStore":
        """Begin to take an instance whose data set is still to come; never raises."""
        return IncomingStore(self, request)

    def store(self, request: StoreRequest, data_set: Piece) -> SpooledInstance:
        """Take a whole instance.

        Raises
        ------
        RefusedError
            It was not kept.
        """
        incoming = self.begin(request)
        incoming.write([data_set])
        return incoming.finish()

    def __call__(self, event: Event) -> Dataset | int:
        """Handle pynetdicom's EVT_C_STORE."""
        request = StoreRequest.from_event(event)
        content = (cast("C_STORE", event.request).DataSet or BytesIO()).getbuffer()
        try:
            self.store(request, content)
        except RefusedError as refused:
            response = Dataset()
            response.Status = int(refused.status)
            response.ErrorComment = refused.comment[:64]
            return response
        return int(Status.SUCCESS)

    def open(self, request: StoreRequest) -> IncomingInstance:
        """The instance's place in the spool.

        Raises
        ------
        RefusedError
            It is not wanted, or there is no room.
        """
        _check_command(request)
        try:
            return self._spool.begin(request.reception)
        except SpoolError as error:
            raise self.refusal(error) from error

    def end(self, ended: EndedAssociation) -> None:
        """An association that brought instances has ended."""
        self._index.end(ended)

    def keep(
        self, request: StoreRequest, identifiers: Identifiers, incoming: IncomingInstance
    ) -> SpooledInstance:
        """Make an instance durable and announce it.

        Raises
        ------
        RefusedError
            It was not kept.
        """
        try:
            spooled = incoming.commit()
            row = index_row(request.reception, identifiers, spooled)
            self._index.add(replace(row, association=request.association))
        except (SpoolError, IndexBacklogError) as error:
            raise self.refusal(error) from error
        self._shortage.ends()
        log.debug(
            "instance stored",
            sop_instance_uid=identifiers.sop_instance_uid,
            series_instance_uid=identifiers.series_instance_uid,
            is_new=spooled.is_new,
        )
        return spooled

    def refusal(self, error: SpoolError | IndexBacklogError) -> RefusedError:
        """What the sender is told of our trouble; the log is told more."""
        if isinstance(error, SpoolFullError | IndexBacklogError):
            self._shortage.begins(str(error))
            return RefusedError(Status.OUT_OF_RESOURCES, "Out of resources, send later")
        log.error("spool failed", reason=str(error))
        return RefusedError(Status.PROCESSING_FAILURE, "Storage failed")


class IncomingStore:
    """One C-STORE request from its command to its outcome.

    Parameters
    ----------
    handler
        Whose rules hold.
    request
        The command.

    Notes
    -----
    Error handling: what is wrong is kept until `finish` tells it, so that the rest of the data set
    can be taken off the association meanwhile.
    """

    def __init__(self, handler: StoreHandler, request: StoreRequest) -> None:
        self._handler = handler
        self._request = request
        self._head = bytearray()
        self._identifiers: Identifiers | None = None
        self._refused: RefusedError | None = None
        self._incoming: IncomingInstance | None = None
        try:
            self._incoming = handler.open(request)
        except RefusedError as refused:
            self._refused = refused

    def write(self, pieces: Sequence[Piece]) -> None:
        """Take pieces of the data set; they may be reused after the return."""
        if self._incoming is None:
            return
        try:
            self._incoming.write(pieces)
        except SpoolError as error:
            self._refuse(self._handler.refusal(error))
        if len(self._head) < HEAD_BYTES:
            self._keep_head(pieces)

    def finish(self) -> SpooledInstance:
        """The data set is complete: keep the instance.

        Raises
        ------
        RefusedError
            It was not kept, and nothing is left of it.
        """
        try:
            if self._incoming is not None:
                identifiers = self._checked(self._incoming)
                return self._handler.keep(self._request, identifiers, self._incoming)
        except RefusedError as refused:
            self._refused = refused
        finally:
            self.discard()
        raise self._told(self._refused or RefusedError(Status.PROCESSING_FAILURE, "Not stored"))

    def discard(self) -> None:
        """Let go of what is there; it will not be completed. May be called at any time."""
        if self._incoming is not None:
            self._incoming.discard()
            self._incoming = None

    def _refuse(self, refused: RefusedError) -> None:
        self._refused = refused
        self.discard()

    def _keep_head(self, pieces: Sequence[Piece]) -> None:
        """Keep the first bytes, and look at them while the rest is still on its way."""
        for piece in pieces:
            if (room := HEAD_BYTES - len(self._head)) <= 0:
                break
            self._head += piece[:room]
        if len(self._head) == HEAD_BYTES:
            self._look()

    def _look(self) -> None:
        """Find the identifiers in the head, and what makes it unfit to be kept."""
        head, syntax = bytes(self._head), self._request.reception.transfer_syntax_uid
        if is_nested_too_deep(head, syntax):
            self._refuse(RefusedError(Status.CANNOT_UNDERSTAND, "Sequences nested too deep"))
        elif declares_absurd_size(head, syntax):
            self._refuse(RefusedError(Status.CANNOT_UNDERSTAND, "More pixels declared than can be"))
        else:
            self._identifiers = glance(head, syntax)

    def _checked(self, incoming: IncomingInstance) -> Identifiers:
        """The data set's identifiers, agreed with the command."""
        if len(self._head) < HEAD_BYTES:
            self._look()
        if self._refused is not None:
            raise self._refused
        reception = self._request.reception
        identifiers = self._identifiers or _read(incoming, reception.transfer_syntax_uid)
        if identifiers.sop_class_uid != reception.sop_class_uid:
            raise RefusedError(Status.DATA_SET_MISMATCH, "SOP Class UID differs from the command's")
        if identifiers.sop_instance_uid != reception.sop_instance_uid:
            raise RefusedError(
                Status.DATA_SET_MISMATCH, "SOP Instance UID differs from the command's"
            )
        return identifiers

    def _told(self, refused: RefusedError) -> RefusedError:
        if refused.status is not Status.OUT_OF_RESOURCES:
            log.warning(
                "instance refused",
                status=f"{refused.status:04X}",
                reason=refused.comment,
                calling=self._request.reception.calling_ae_title,
                sop_instance_uid=_loggable(self._request.reception.sop_instance_uid),
            )
        return refused


def _loggable(uid: str) -> str:
    """A UID for the log; anything else in its place could be a patient's name."""
    return uid if is_uid(uid) else ""


def _check_command(request: StoreRequest) -> None:
    reception = request.reception
    if not is_uid(reception.sop_instance_uid) or not is_uid(reception.sop_class_uid):
        raise RefusedError(Status.INVALID_INSTANCE, "Affected SOP UID is no UID")
    if reception.sop_class_uid != request.context_sop_class_uid:
        raise RefusedError(Status.SOP_CLASS_NOT_SUPPORTED, "SOP Class is not the context's")
    if not is_stored(reception.sop_class_uid):
        raise RefusedError(Status.SOP_CLASS_NOT_SUPPORTED, "SOP Class is not stored")


def _read(incoming: IncomingInstance, transfer_syntax_uid: str) -> Identifiers:
    """The identifiers by pydicom, from the file itself: they stand behind the head, or nowhere."""
    try:
        with incoming.data_set() as data_set:
            return read_identifiers(data_set, transfer_syntax_uid)
    except OSError as error:
        raise RefusedError(Status.PROCESSING_FAILURE, "Storage failed") from error
    except UnusableDataSetError as error:
        raise RefusedError(Status.CANNOT_UNDERSTAND, str(error)) from error


def index_row(
    reception: Reception, identifiers: Identifiers, spooled: SpooledInstance
) -> ReceivedInstance:
    """The index row of an instance that is safe in the spool."""
    return ReceivedInstance(
        name=spooled.name,
        sop_instance_uid=identifiers.sop_instance_uid,
        sop_class_uid=identifiers.sop_class_uid,
        transfer_syntax_uid=reception.transfer_syntax_uid,
        study_instance_uid=identifiers.study_instance_uid,
        series_instance_uid=identifiers.series_instance_uid,
        modality=identifiers.modality[:16],
        calling_ae_title=reception.calling_ae_title,
        called_ae_title=reception.called_ae_title,
        size_bytes=spooled.size_bytes,
        received_at=spooled.received_at,
    )
