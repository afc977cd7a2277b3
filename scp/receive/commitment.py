"""N-ACTION of Storage Commitment: a request is kept durably before it is answered.

Source: PS3.4 section J.3.2.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import structlog
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE

from scp.commitment.report import STORAGE_COMMITMENT_INSTANCE
from scp.ledger import Ledger, LedgerError
from scp.ledger.commitments import (
    CommitmentRequest,
    Reference,
    TooManyCommitmentsError,
    TransactionInUseError,
    keep_request,
)
from scp.receive.admission import plain_address
from scp.receive.contexts import STORAGE_COMMITMENT
from scp.receive.identifiers import PARSE_ERRORS, is_uid
from scp.receive.scan import encoding_of
from scp.status import Status

if TYPE_CHECKING:
    from pynetdicom.dimse_primitives import N_ACTION

_REQUEST_COMMITMENT = 1
_LARGEST_REQUEST = 2 * 2**20
_MOST_REFERENCES = 10_000
_ITEM = b"\xfe\xff\x00\xe0"  # its tag in Little Endian
_PATIENCE_S = 10.0
_REFERENCED_SOP_CLASS_UID = 0x00081150
_REFERENCED_SOP_INSTANCE_UID = 0x00081155
_TRANSACTION_UID = 0x00081195
_REFERENCED_SOP_SEQUENCE = 0x00081199

log = structlog.get_logger()


def _now() -> datetime:
    return datetime.now(UTC)


class RefusedRequestError(Exception):
    """A request is not kept; the status and a comment without patient data tell why."""

    def __init__(self, status: Status, comment: str) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment


class CommitmentDesk:
    """Answers N-ACTION requests: success means that the request is safe in the ledger.

    Parameters
    ----------
    ledger
        Where requests are kept.
    clock
        The present time.

    Notes
    -----
    Resource handling: one request is read and kept at a time, so that a flood takes neither memory
    nor connections to the ledger; who waits too long is told to come later.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime] = _now) -> None:
        self.ledger = ledger
        self.clock = clock
        self._turn = threading.Lock()

    def __call__(self, event: Event) -> tuple[Dataset, None]:
        """Handle pynetdicom's EVT_N_ACTION."""
        answer = Dataset()
        answer.Status = int(Status.SUCCESS)
        try:
            commitment_id = self._keep(event)
        except RefusedRequestError as refused:
            log.warning(
                "storage commitment refused",
                status=f"{refused.status:04X}",
                reason=refused.comment,
                address=event.assoc.requestor.address,
            )
            answer.Status = int(refused.status)
            answer.ErrorComment = refused.comment
        else:
            expect_decision(event, commitment_id)
        return answer, None

    def _keep(self, event: Event) -> int:
        """Read a request and keep it; return its id."""
        asked_at = self.clock()
        action = cast("N_ACTION", event.request)
        _check_action(action)
        with self._my_turn():
            transaction_uid, references = read_request(
                action.ActionInformation, str(event.context.transfer_syntax)
            )
            requested = cast("A_ASSOCIATE", event.assoc.requestor.primitive)
            request = CommitmentRequest(
                transaction_uid=transaction_uid,
                calling_ae_title=str(requested.calling_ae_title).strip(),
                called_ae_title=str(requested.called_ae_title).strip(),
                address=str(plain_address(str(event.assoc.requestor.address))),
                references=references,
                received_at=asked_at,
            )
            return self._keep_durably(request)

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=_PATIENCE_S):
            raise RefusedRequestError(Status.RESOURCE_LIMITATION, "Busy, ask later")
        try:
            yield
        finally:
            self._turn.release()

    def _keep_durably(self, request: CommitmentRequest) -> int:
        try:
            with self.ledger.write() as connection:
                commitment_id = keep_request(connection, request)
        except TransactionInUseError as error:
            raise RefusedRequestError(
                Status.DUPLICATE_TRANSACTION, "Transaction UID is used for other instances"
            ) from error
        except TooManyCommitmentsError as error:
            raise RefusedRequestError(
                Status.RESOURCE_LIMITATION, "Too many requests wait for their report"
            ) from error
        except LedgerError as error:
            log.error("storage commitment not kept", reason=str(error))  # noqa: TRY400 - a reason
            raise RefusedRequestError(Status.RESOURCE_LIMITATION, "Ask later") from error
        log.info(
            "storage commitment asked for",
            transaction_uid=request.transaction_uid,
            calling=request.calling_ae_title,
            instances=len(request.references),
        )
        return commitment_id


def expect_decision(event: Event, commitment_id: int) -> None:
    """Let the association report, where it is one of ours and can wait for the decision."""
    reports = getattr(event.assoc, "reports", None)
    if reports is not None:
        reports.expect(commitment_id, int(event.context.context_id))


def _check_action(action: "N_ACTION") -> None:
    if action.RequestedSOPClassUID != STORAGE_COMMITMENT:
        raise RefusedRequestError(Status.NO_SUCH_CLASS, "No such SOP Class")
    if action.RequestedSOPInstanceUID != STORAGE_COMMITMENT_INSTANCE:
        raise RefusedRequestError(Status.NO_SUCH_INSTANCE, "Not the well-known SOP Instance")
    if action.ActionTypeID != _REQUEST_COMMITMENT:
        raise RefusedRequestError(Status.NO_SUCH_ACTION, "No such action type")


def read_request(
    information: BytesIO | None, transfer_syntax_uid: str
) -> tuple[str, tuple[Reference, ...]]:
    """The Transaction UID and what is referenced in an Action Information.

    Raises
    ------
    RefusedRequestError
        It is damaged, incomplete or too large. The comment quotes no value.

    Source: PS3.4 table J.3-1.
    """
    content = information.getvalue() if information else b""
    _check_size(content)
    encoding = encoding_of(transfer_syntax_uid)
    try:
        found = read_dataset(
            BytesIO(content),
            encoding.is_implicit,
            encoding.is_little,
            stop_when=_is_past_sequence,
            specific_tags=[BaseTag(_TRANSACTION_UID), BaseTag(_REFERENCED_SOP_SEQUENCE)],
        )
        transaction_uid = _uid(found, _TRANSACTION_UID)
        items = _items(found)
        return transaction_uid, tuple(_reference(item) for item in items)
    except PARSE_ERRORS as error:
        raise RefusedRequestError(
            Status.INVALID_ARGUMENT, f"Damaged request ({type(error).__name__})"
        ) from error


def _check_size(content: bytes) -> None:
    """Refuse what is too large before it is decoded, which takes a hundred times its size."""
    if len(content) > _LARGEST_REQUEST:
        raise RefusedRequestError(
            Status.RESOURCE_LIMITATION, f"More than {_LARGEST_REQUEST} bytes in one request"
        )
    if content.count(_ITEM) > _MOST_REFERENCES:
        raise RefusedRequestError(
            Status.RESOURCE_LIMITATION, f"More than {_MOST_REFERENCES} instances in one request"
        )


def _is_past_sequence(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) > _REFERENCED_SOP_SEQUENCE


def _items(found: Dataset) -> list[Dataset]:
    items: Any = found[_REFERENCED_SOP_SEQUENCE].value if _REFERENCED_SOP_SEQUENCE in found else []
    if not items:
        raise RefusedRequestError(Status.INVALID_ARGUMENT, "No instances referenced")
    return list(items)


def _reference(item: Dataset) -> Reference:
    return Reference(
        sop_class_uid=_uid(item, _REFERENCED_SOP_CLASS_UID),
        sop_instance_uid=_uid(item, _REFERENCED_SOP_INSTANCE_UID),
    )


def _uid(found: Dataset, tag: int) -> str:
    """A UID as it was sent: pydicom's conversion would quote a bad one in its warnings."""
    value = found.get_item(tag).value if tag in found else b""
    text = value.decode("ascii", "replace").strip("\0 ") if isinstance(value, bytes) else ""
    if not is_uid(text):
        raise RefusedRequestError(
            Status.INVALID_ARGUMENT, f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is no UID"
        )
    return text
