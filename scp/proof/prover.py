"""Asking destinations for proof of what they were sent, again and again until it is there."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

from pydicom.uid import generate_uid

from config import Peer
from scp.association import AssociationError, NothingAcceptedError
from scp.ledger.proofs import (
    SentDelivery,
    forget_requests,
    is_being_sent,
    keep_request,
    unproven,
)
from scp.proof.association import ProofAssociation, QueryFailedError
from scp.proof.docket import Docket
from scp.proof.report import ReportDesk
from scp.status import Status, is_report_transient
from scp.tls_client import ClientTls

_BATCH = 500
_TOGETHER = timedelta(seconds=10)
_REPORT_S = 2.0
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Prover:
    """Asks one destination to prove what it was sent.

    Parameters
    ----------
    name
        The destination's name in the settings.
    calling_ae_title
        Ours.
    docket
        What was sent, and what becomes of it.
    stopping
        Set when the node stops: it is waited for no report any more.
    tls
        How TLS is spoken with the destination; None speaks without.

    Notes
    -----
    While more is being sent it waits a little, so that a job's results are asked for together. A
    request for Storage Commitment is in the ledger before it goes out: its report may come on this
    association or on one that the destination opens, before or after a restart.
    """

    name: str
    peer: Peer
    calling_ae_title: str
    docket: Docket
    stopping: Event
    tls: ClientTls | None = None

    def tick(self, now: datetime) -> None:
        """Ask for what is due."""
        with self.docket.ledger.read() as connection:
            due = unproven(connection, self.name, now, _BATCH)
            is_sending = bool(due) and is_being_sent(connection, self.name, now)
        if not due or (is_sending and now - due[0].sent_at < _TOGETHER):
            return
        try:
            if self.peer.proof == "commitment":
                self._ask(due)
            else:
                self._look(due)
        except NothingAcceptedError:
            self._set_aside(due, f"{self._service_missing}; the result was sent")
        except AssociationError as error:
            self._ask_again(due, str(error))

    @property
    def _service_missing(self) -> str:
        service, other = ("Storage Commitment", "readback")
        if self.peer.proof == "readback":
            service, other = ("C-FIND (Study Root)", "commitment")
        return (
            f"{self.name} does not offer {service}: set peers.{self.name}.proof to {other!r} "
            "or 'status'"
        )

    def _ask(self, due: Sequence[SentDelivery]) -> None:
        """Ask for Storage Commitment; the report is taken here or by a receiver."""
        transaction_uid = str(generate_uid(prefix=None))
        self._keep_request(transaction_uid, due)
        reported = Event()
        desk = ReportDesk(self.docket, lambda _uid: reported.set())
        with self._associate(desk) as association:
            status = association.ask_for_commitment(transaction_uid, due)
            if status == Status.SUCCESS:
                self._await_report(association, reported)
        if status == Status.SUCCESS:
            return
        answer = f"{self.name} answered the request for Storage Commitment with {status:04X}"
        if is_report_transient(status):
            self._ask_again(due, answer)
        else:
            self._set_aside(due, f"{answer}; see peers.{self.name}.proof")

    def _keep_request(self, transaction_uid: str, due: Sequence[SentDelivery]) -> None:
        """Keep the request; where no report comes, it is asked for again after a time."""
        now = self.docket.clock()
        kept_for = timedelta(hours=self.docket.settings.give_up_after_h) + self.docket.patience
        with self.docket.ledger.write() as connection:
            forget_requests(connection, now - kept_for)
            keep_request(connection, transaction_uid, self.name, now)
            reason = f"{self.name} has not reported yet whether it commits to it"
            self.docket.wait_for(connection, self.name, due, reason)

    def _await_report(self, association: ProofAssociation, reported: Event) -> None:
        """Keep the association open for a moment: some report on it."""
        deadline = time.monotonic() + _REPORT_S
        while association.is_open and time.monotonic() < deadline and not self.stopping.is_set():
            if reported.wait(_LOOK_S):
                return

    def _look(self, due: Sequence[SentDelivery]) -> None:
        """Look for each at the destination, series by series."""
        by_series: dict[tuple[str, str], list[SentDelivery]] = defaultdict(list)
        for item in due:
            by_series[item.study_instance_uid, item.series_instance_uid].append(item)
        with self._associate() as association:
            for (study, series), items in by_series.items():
                if self.stopping.is_set():
                    return
                try:
                    there = association.instances_of(study, series)
                except QueryFailedError as error:
                    self._ask_again(items, str(error))
                else:
                    self._compare(items, there)

    def _compare(self, items: Sequence[SentDelivery], there: set[str]) -> None:
        """What is there is delivered; what has not come there for long is sent again."""
        now = self.docket.clock()
        missing = [item for item in items if item.sop_instance_uid not in there]
        lost = [item for item in missing if now - item.sent_at > self.docket.patience]
        waiting = [item for item in missing if item not in lost]
        reason = f"{self.name} answered that it took it, and a C-FIND does not find it there"
        with self.docket.ledger.write() as connection:
            found = [item for item in items if item.sop_instance_uid in there]
            self.docket.prove(connection, self.name, found)
            self.docket.send_again(connection, self.name, lost, reason)
            self.docket.ask_again(connection, self.name, waiting, reason)

    def _associate(self, desk: ReportDesk | None = None) -> ProofAssociation:
        timeout_s = self.docket.settings.timeout_s
        return ProofAssociation(self.calling_ae_title, self.peer.address, timeout_s, desk, self.tls)

    def _ask_again(self, items: Sequence[SentDelivery], reason: str) -> None:
        with self.docket.ledger.write() as connection:
            self.docket.ask_again(connection, self.name, items, reason)

    def _set_aside(self, items: Sequence[SentDelivery], reason: str) -> None:
        with self.docket.ledger.write() as connection:
            self.docket.set_aside(connection, self.name, items, reason)
