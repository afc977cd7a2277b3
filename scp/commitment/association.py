"""An association that we open to report storage commitments: we are the provider."""

from pynetdicom.presentation import build_role

from config import PeerAddress
from scp.association import AssociationError, OpenedAssociation, client_entity
from scp.commitment.report import STORAGE_COMMITMENT_INSTANCE, event_information, event_type
from scp.ledger.commitments import Commitment
from scp.receive.contexts import COMMITMENT_SYNTAXES, STORAGE_COMMITMENT
from scp.tls_client import ClientTls


class ReportAssociation(OpenedAssociation):
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
        entity = client_entity(calling_ae_title, timeout_s)
        entity.add_requested_context(STORAGE_COMMITMENT, list(COMMITMENT_SYNTAXES))
        provider = build_role(STORAGE_COMMITMENT, scp_role=True)
        super().__init__(entity, peer, tls, roles=[provider])

    def report(self, commitment: Commitment) -> int:
        """Report what was decided; return the peer's N-EVENT-REPORT status.

        Raises
        ------
        AssociationError
            The association broke before the peer answered.
        """
        try:
            response, _ = self._association.send_n_event_report(
                event_information(commitment),
                event_type(commitment.outcome or ()),
                STORAGE_COMMITMENT,
                STORAGE_COMMITMENT_INSTANCE,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise AssociationError(f"the association with {self._peer} broke") from error
        return self._status(response)
