"""An association that we open to report storage commitments: we are the provider."""

from types import TracebackType
from typing import Self

from pynetdicom.association import Association
from pynetdicom.presentation import build_role

from config import PeerAddress
from scp.commitment.report import STORAGE_COMMITMENT_INSTANCE, event_information, event_type
from scp.ledger.commitments import Commitment
from scp.receive.contexts import COMMITMENT_SYNTAXES, STORAGE_COMMITMENT
from scp.send import AssociationError, client_entity, open_association
from scp.tls_client import ClientTls


class ReportAssociation:
    """An association to a sender that asked for commitment, as a context manager.

    Parameters
    ----------
    calling_ae_title
        Ours.
    peer
        The sender.
    timeout_s
        Longest silence of the peer before it counts as lost.
    tls
        How TLS is spoken with the peer; None speaks without.

    Raises
    ------
    AssociationError
        On entering: the peer cannot be reached, rejects, or takes no reports.

    Source: PS3.4 section J.3.3: the provider proposes its own role.
    """

    def __init__(
        self,
        calling_ae_title: str,
        peer: PeerAddress,
        timeout_s: float,
        tls: ClientTls | None = None,
    ) -> None:
        self._entity = client_entity(calling_ae_title, timeout_s)
        self._entity.add_requested_context(STORAGE_COMMITMENT, list(COMMITMENT_SYNTAXES))
        self._peer = peer
        self._tls = tls
        self._association: Association | None = None

    def __enter__(self) -> Self:
        provider = build_role(STORAGE_COMMITMENT, scp_role=True)
        self._association = open_association(self._entity, self._peer, self._tls, [provider])
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

    def report(self, commitment: Commitment) -> int:
        """Report what was decided; return the peer's N-EVENT-REPORT status.

        Raises
        ------
        AssociationError
            The association broke before the peer answered.
        """
        if self._association is None or not self._association.is_established:
            raise AssociationError(f"the association with {self._peer} is not open")
        try:
            response, _ = self._association.send_n_event_report(
                event_information(commitment),
                event_type(commitment.outcome or ()),
                STORAGE_COMMITMENT,
                STORAGE_COMMITMENT_INSTANCE,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise AssociationError(f"the association with {self._peer} broke") from error
        if "Status" not in response:
            raise AssociationError(f"{self._peer} broke off or did not answer in time")
        return int(response.Status)
