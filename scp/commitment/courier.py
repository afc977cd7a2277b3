"""Reports to senders on associations of our own, again and again until they are taken."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from threading import Event

import structlog

from config import Peer, Settings
from scp.association import AssociationError, NothingAcceptedError
from scp.backoff import retry_delay_s
from scp.commitment.association import ReportAssociation
from scp.ledger import Ledger
from scp.ledger.commitments import (
    Commitment,
    due_reports,
    mark_reported,
    postpone_report,
    set_report_aside,
)
from scp.status import is_report_taken, is_report_transient
from scp.tls_client import ClientTls

_BATCH = 50

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CommitmentCourier:
    """Reports what is due to one calling AE title.

    Parameters
    ----------
    title
        The senders' AE title.
    peers
        Those of the settings that have it, at least one.
    settings
        The site's.
    ledger
        What is due.
    stopping
        Set when the node stops: the courier ends after the report under way.
    clock
        The present time.

    Notes
    -----
    A report counts as given once the sender has answered with success or a warning and that answer
    is in the ledger. A kill in between gives the same report again.
    """

    title: str
    peers: tuple[Peer, ...]
    settings: Settings
    ledger: Ledger
    stopping: Event
    clock: Callable[[], datetime]

    def tick(self, now: datetime) -> None:
        """Report what is due."""
        with self.ledger.read() as connection:
            due = due_reports(connection, self.title, now, _BATCH)
        by_peer: dict[int, list[Commitment]] = defaultdict(list)
        for item in due:
            by_peer[peer_at(self.peers, item.address)].append(item)
        for number, items in by_peer.items():
            self._report_all(self.peers[number], items)

    def _report_all(self, peer: Peer, items: Sequence[Commitment]) -> None:
        try:
            with ReportAssociation(
                self.settings.node.ae_title,
                peer.address,
                self.settings.delivery.timeout_s,
                ClientTls.to(peer, self.settings.tls),
            ) as association:
                self._report_each(association, items)
        except NothingAcceptedError:
            reason = f"{peer.address} takes no storage commitment reports from us"
            for item in items:
                self._set_aside(item, reason)
        except AssociationError as error:
            for item in items:
                self._try_later(item, str(error))

    def _report_each(self, association: ReportAssociation, items: Sequence[Commitment]) -> None:
        """Report one after the other; what an association breaks on does not hold the rest."""
        for item in items:
            if self.stopping.is_set():
                return
            try:
                status = association.report(item)
            except AssociationError as error:
                self._try_later(item, str(error))
                return
            self._settle(item, status)

    def _settle(self, item: Commitment, status: int) -> None:
        if is_report_taken(status):
            with self.ledger.write() as connection:
                mark_reported(connection, item.id, self.clock())
            log.info(
                "storage commitment reported",
                transaction_uid=item.transaction_uid,
                calling=self.title,
                association="new",
            )
        elif is_report_transient(status):
            self._try_later(item, f"it answered {status:04X}")
        else:
            self._set_aside(item, f"it answered {status:04X}, which would not change")

    def _try_later(self, item: Commitment, reason: str) -> None:
        """Postpone a report by its number of attempts, or give it up where it is too old."""
        now = self.clock()
        too_old = timedelta(hours=self.settings.delivery.give_up_after_h)
        if now - item.received_at > too_old:
            self._set_aside(item, f"{reason}; given up after {too_old}")
            return
        until = now + timedelta(seconds=retry_delay_s(item.attempts + 1, self.settings.delivery))
        with self.ledger.write() as connection:
            postpone_report(connection, item.id, reason, until)
        log.warning(
            "storage commitment report postponed",
            transaction_uid=item.transaction_uid,
            calling=self.title,
            attempts=item.attempts + 1,
            until=until.isoformat(timespec="seconds"),
            reason=reason,
        )

    def _set_aside(self, item: Commitment, reason: str) -> None:
        with self.ledger.write() as connection:
            set_report_aside(connection, item.id, reason)
        log.error(
            "storage commitment set aside",
            transaction_uid=item.transaction_uid,
            calling=self.title,
            reason=reason,
        )


def peers_by_title(settings: Settings) -> dict[str, tuple[Peer, ...]]:
    """The peers of each AE title; who asks for commitment need not be known as a sender."""
    by_title: dict[str, list[Peer]] = defaultdict(list)
    for peer in settings.peers.values():
        if peer.ae_title is not None:
            by_title[peer.ae_title].append(peer)
    return {title: tuple(peers) for title, peers in by_title.items()}


def peer_at(peers: Sequence[Peer], address: str) -> int:
    """Which of peers with one AE title called from an address; the first where none is known to."""
    return next((number for number, peer in enumerate(peers) if _is_at(peer, address)), 0)


def _is_at(peer: Peer, address: str) -> bool:
    networks = peer.addresses or ()
    return peer.host == address or any(ip_address(address) in network for network in networks)
