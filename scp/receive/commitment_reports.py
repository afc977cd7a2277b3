"""N-EVENT-REPORT on the association that asked for commitment, as long as it is open.

Nothing here waits: the association looks in between its other work whether something is decided or
answered. What is not reported so is left to the couriers, which open associations of their own.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import structlog
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.dsutils import encode

from scp.commitment.report import STORAGE_COMMITMENT_INSTANCE, event_information, event_type
from scp.ledger import LedgerError
from scp.ledger.commitments import (
    Commitment,
    claim_report,
    find_decided,
    give_back_report,
    mark_reported,
)
from scp.receive.commitment import CommitmentDesk
from scp.receive.contexts import STORAGE_COMMITMENT
from scp.receive.scan import encoding_of
from scp.status import is_report_taken

if TYPE_CHECKING:
    from scp.receive.association import ReceivingAssociation

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_MOST_EXPECTED = 100
_ANSWER_S = 30.0
_MESSAGE_IDS = 0x10000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Sent:
    """A report that the peer has not answered yet."""

    commitment: Commitment
    until: float


class CommitmentReports:
    """The reports that one association may give.

    Parameters
    ----------
    association
        Whose thread calls.
    desk
        Where its requests are kept; None where none are taken.

    Notes
    -----
    Error handling: what the ledger cannot do now is left to the couriers; the association goes on.
    """

    def __init__(self, association: "ReceivingAssociation", desk: CommitmentDesk | None) -> None:
        self._association = association
        self._desk = desk
        self._expected: dict[int, int] = {}
        self._sent: dict[int, _Sent] = {}
        self._last_message_id = 0
        self._pause_s = _FIRST_PAUSE_S
        self._look_at = 0.0

    @property
    def wake_at(self) -> float | None:
        """When to look again, in the clock of `time.monotonic`; None where nothing is expected."""
        return self._look_at if self._expected or self._sent else None

    def expect(self, commitment_id: int, context_id: int) -> None:
        """Look for the decision of a request that came in this presentation context."""
        if len(self._expected) < _MOST_EXPECTED:
            self._expected[commitment_id] = context_id
            self._look_soon()

    def look(self) -> None:
        """Report what is decided by now, and note what the peer has answered."""
        if self._desk is None or self.wake_at is None:
            return
        try:
            self._take_answers(self._desk)
            if time.monotonic() >= self._look_at:
                self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
                self._look_at = time.monotonic() + self._pause_s
                self._give_back(self._desk, self._overdue())
                self._report_decided(self._desk)
        except LedgerError as error:
            log.warning("storage commitment left to the couriers", reason=str(error))
            self._expected.clear()

    def end(self) -> None:
        """Leave what the peer has not answered to others; the association is over."""
        if self._desk is None or not self._sent:
            return
        try:
            self._give_back(self._desk, list(self._sent))
        except LedgerError as error:  # they are found when the claim is over
            log.warning("storage commitment report not given back", reason=str(error))

    def _look_soon(self) -> None:
        self._pause_s = _FIRST_PAUSE_S
        self._look_at = time.monotonic() + self._pause_s

    def _report_decided(self, desk: CommitmentDesk) -> None:
        if not self._expected:
            return
        with desk.ledger.read() as connection:
            decided = find_decided(connection, list(self._expected))
        for each in decided:
            context_id = self._expected.pop(each.id)
            now = desk.clock()
            with desk.ledger.write() as connection:
                is_ours = claim_report(connection, each.id, now, now + timedelta(seconds=_ANSWER_S))
            if is_ours:
                self._send(each, context_id)

    def _send(self, commitment: Commitment, context_id: int) -> None:
        self._last_message_id = (self._last_message_id + 1) % _MESSAGE_IDS
        context = self._association.accepted_context(context_id)
        encoding = encoding_of(str(context.transfer_syntax[0]))
        report = N_EVENT_REPORT()
        report.MessageID = self._last_message_id
        report.AffectedSOPClassUID = STORAGE_COMMITMENT
        report.AffectedSOPInstanceUID = STORAGE_COMMITMENT_INSTANCE
        report.EventTypeID = int(event_type(commitment.outcome or ()))
        information = event_information(commitment)
        encoded = encode(information, encoding.is_implicit, encoding.is_little)
        report.EventInformation = BytesIO(encoded or b"")
        self._sent[self._last_message_id] = _Sent(commitment, time.monotonic() + _ANSWER_S)
        self._association.dimse.send_msg(report, context_id)

    def _take_answers(self, desk: CommitmentDesk) -> None:
        answers = self._association.dimse.msg_queue
        while self._sent and not answers.empty():
            _, answer = answers.get_nowait()
            if isinstance(answer, N_EVENT_REPORT):
                sent = self._sent.pop(answer.MessageIDBeingRespondedTo or 0, None)
                if sent is not None:
                    self._settle(desk, sent.commitment, answer.Status)

    def _settle(self, desk: CommitmentDesk, commitment: Commitment, status: int | None) -> None:
        """Record that the peer has it; whatever else it answered, a courier tries once more."""
        with desk.ledger.write() as connection:
            if status is not None and is_report_taken(status):
                mark_reported(connection, commitment.id, desk.clock())
            else:
                give_back_report(connection, commitment.id, desk.clock())
        log.info(
            "storage commitment reported",
            transaction_uid=commitment.transaction_uid,
            calling=commitment.calling_ae_title,
            association="its own",
            status="none" if status is None else f"{status:04X}",
        )

    def _overdue(self) -> list[int]:
        now = time.monotonic()
        return [message_id for message_id, sent in self._sent.items() if sent.until < now]

    def _give_back(self, desk: CommitmentDesk, message_ids: list[int]) -> None:
        if not message_ids:
            return
        given_back = [self._sent.pop(message_id).commitment for message_id in message_ids]
        with desk.ledger.write() as connection:
            for each in given_back:
                give_back_report(connection, each.id, desk.clock())
