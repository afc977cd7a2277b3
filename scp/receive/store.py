"""C-STORE: check what was sent, make it durable, then say so."""

from dataclasses import dataclass
from io import BytesIO
from typing import Protocol, cast

import structlog
from pydicom.dataset import Dataset
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE

from scp.ledger.series import ReceivedInstance
from scp.receive.identifiers import (
    Identifiers,
    UnusableDataSetError,
    is_uid,
    read_identifiers,
)
from scp.receive.index import IndexBacklogError
from scp.spool import Reception, Spool, SpooledInstance, SpoolError, SpoolFullError
from scp.status import Status

log = structlog.get_logger()


class Index(Protocol):
    """Where a durable instance is announced."""

    def add(self, row: ReceivedInstance) -> None:
        """Take one row over."""


class RefusedError(Exception):
    """An instance is not taken, with the status and the words that the sender is told."""

    def __init__(self, status: Status, comment: str) -> None:
        super().__init__(status, comment)
        self.status = status
        self.comment = comment


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE request as the association delivers it."""

    reception: Reception
    context_sop_class_uid: str
    data_set: bytes | memoryview

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
            data_set=(request.DataSet or BytesIO()).getbuffer(),
        )


@dataclass(frozen=True, slots=True)
class StoreHandler:
    """Answers C-STORE requests: success means that the instance is safe on disk."""

    spool: Spool
    index: Index

    def __call__(self, event: Event) -> Dataset | int:
        """Handle pynetdicom's EVT_C_STORE."""
        request = StoreRequest.from_event(event)
        try:
            self.store(request)
        except RefusedError as refused:
            log.warning(
                "instance refused",
                status=f"{refused.status:04X}",
                reason=refused.comment,
                calling=request.reception.calling_ae_title,
                sop_instance_uid=request.reception.sop_instance_uid,
            )
            response = Dataset()
            response.Status = int(refused.status)
            response.ErrorComment = refused.comment[:64]
            return response
        return int(Status.SUCCESS)

    def store(self, request: StoreRequest) -> SpooledInstance:
        """Make the instance durable and announce it.

        Raises
        ------
        RefusedError
            It was not kept.
        """
        identifiers = _checked(request)
        try:
            spooled = self.spool.store(request.reception, request.data_set)
            self.index.add(index_row(request.reception, identifiers, spooled))
        except (SpoolFullError, IndexBacklogError) as error:
            log.error("out of resources", error=str(error))  # noqa: TRY400 - no traceback wanted
            raise RefusedError(Status.OUT_OF_RESOURCES, "Out of resources, send later") from error
        except SpoolError as error:
            log.error("spool failed", error=str(error))  # noqa: TRY400 - no traceback wanted
            raise RefusedError(Status.PROCESSING_FAILURE, "Storage failed") from error
        log.debug(
            "instance stored",
            sop_instance_uid=identifiers.sop_instance_uid,
            series_instance_uid=identifiers.series_instance_uid,
            is_new=spooled.is_new,
        )
        return spooled


def _checked(request: StoreRequest) -> Identifiers:
    """The data set's identifiers, agreed with the command and the presentation context."""
    reception = request.reception
    if not is_uid(reception.sop_instance_uid) or not is_uid(reception.sop_class_uid):
        raise RefusedError(Status.INVALID_INSTANCE, "Affected SOP UID is no UID")
    if reception.sop_class_uid != request.context_sop_class_uid:
        raise RefusedError(Status.SOP_CLASS_NOT_SUPPORTED, "SOP Class is not the context's")
    try:
        identifiers = read_identifiers(request.data_set, reception.transfer_syntax_uid)
    except UnusableDataSetError as error:
        raise RefusedError(Status.CANNOT_UNDERSTAND, str(error)) from error
    if identifiers.sop_class_uid != reception.sop_class_uid:
        raise RefusedError(Status.DATA_SET_MISMATCH, "SOP Class UID differs from the command's")
    if identifiers.sop_instance_uid != reception.sop_instance_uid:
        raise RefusedError(Status.DATA_SET_MISMATCH, "SOP Instance UID differs from the command's")
    return identifiers


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
