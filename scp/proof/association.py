"""Associations that we open to ask for proof: Storage Commitment as the user, and C-FIND.

Source: PS3.4 annexes C and J.
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pynetdicom import evt

from config import PeerAddress
from scp.association import AssociationError, OpenedAssociation, client_entity
from scp.commitment.report import STORAGE_COMMITMENT_INSTANCE
from scp.ledger.proofs import SentDelivery
from scp.proof.report import ReportDesk
from scp.receive.contexts import COMMITMENT_SYNTAXES, STORAGE_COMMITMENT
from scp.status import Status
from scp.tls_client import ClientTls

_STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_REQUEST_COMMITMENT = 1
_PENDING = (0xFF00, 0xFF01)
_MOST_ANSWERS = 100_000


class QueryFailedError(Exception):
    """The destination answered a query with a failure; the message has its status."""


class ProofAssociation(OpenedAssociation):
    """An association to ask a destination for proof, as a context manager.

    Parameters
    ----------
    calling_ae_title
        Ours.
    peer
        The destination.
    timeout_s
        Longest silence of the peer before it counts as lost.
    desk
        Takes what it reports on this association; None asks by C-FIND.
    tls
        How TLS is spoken with the peer; None speaks without.

    Raises
    ------
    AssociationError
        On entering: the peer cannot be reached, rejects, or does not offer what is asked for.
    """

    def __init__(
        self,
        calling_ae_title: str,
        peer: PeerAddress,
        timeout_s: float,
        desk: ReportDesk | None = None,
        tls: ClientTls | None = None,
    ) -> None:
        entity = client_entity(calling_ae_title, timeout_s)
        asked_for = _STUDY_ROOT_FIND if desk is None else STORAGE_COMMITMENT
        entity.add_requested_context(asked_for, list(COMMITMENT_SYNTAXES))
        handlers = [] if desk is None else [(evt.EVT_N_EVENT_REPORT, desk)]
        super().__init__(entity, peer, tls, handlers=handlers)

    def ask_for_commitment(self, transaction_uid: str, items: Sequence[SentDelivery]) -> int:
        """Ask the peer to commit to instances; return its N-ACTION status.

        Raises
        ------
        AssociationError
            The association broke before the peer answered.

        Source: PS3.4 section J.3.2.
        """
        try:
            response, _ = self._association.send_n_action(
                _request(transaction_uid, items),
                _REQUEST_COMMITMENT,
                STORAGE_COMMITMENT,
                STORAGE_COMMITMENT_INSTANCE,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise AssociationError(f"the association with {self._peer} broke") from error
        return self._status(response)

    def instances_of(self, study_instance_uid: str, series_instance_uid: str) -> set[str]:
        """The SOP Instance UIDs that the peer has of a series, by C-FIND at the IMAGE level.

        Raises
        ------
        AssociationError
            The association broke before the peer had answered.
        QueryFailedError
            The peer answered with a failure.

        Source: PS3.4 sections C.4.1 and C.6.2.
        """
        asked = Dataset()
        asked.QueryRetrieveLevel = "IMAGE"
        asked.StudyInstanceUID = study_instance_uid
        asked.SeriesInstanceUID = series_instance_uid
        asked.SOPInstanceUID = ""
        found: set[str] = set()
        try:
            for response, match in self._association.send_c_find(asked, _STUDY_ROOT_FIND):
                status = self._status(response)
                if status not in _PENDING:
                    return self._complete(status, found)
                found.add(str(match.get("SOPInstanceUID", "")) if match else "")
                if len(found) > _MOST_ANSWERS:
                    raise QueryFailedError(f"{self._peer} answered with more than was asked for")
        except (RuntimeError, ValueError, OSError) as error:
            raise AssociationError(f"the association with {self._peer} broke") from error
        raise AssociationError(f"{self._peer} broke off or did not answer in time")

    def _complete(self, status: int, found: set[str]) -> set[str]:
        if status != Status.SUCCESS:
            raise QueryFailedError(f"{self._peer} answered the query with {status:04X}")
        return found


def _request(transaction_uid: str, items: Sequence[SentDelivery]) -> Dataset:
    """The Action Information of PS3.4 table J.3-1."""
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = [_reference(item) for item in items]
    return request


def _reference(item: SentDelivery) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = item.sop_class_uid
    reference.ReferencedSOPInstanceUID = item.sop_instance_uid
    return reference
