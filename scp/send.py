"""What we ask of peers as a user of their services: C-STORE and C-ECHO."""

from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.presentation import build_context

from config import PeerAddress
from scp.association import (
    AssociationError,
    OpenedAssociation,
    client_entity,
    open_association,
)
from scp.receive.contexts import VERIFICATION
from scp.status import Status
from scp.tls_client import ClientTls
from scp.transcode import in_accepted_syntax, offers


class ResultFileError(Exception):
    """A file to be sent is missing or damaged."""


class StoreAssociation(OpenedAssociation):
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
    preferred_syntax
        Transfer syntax that images are offered in first; plain ones always too.
    tls
        How TLS is spoken with the peer; None speaks without.

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
        preferred_syntax: str = ExplicitVRLittleEndian,
        *,
        tls: ClientTls | None = None,
    ) -> None:
        entity = client_entity(calling_ae_title, timeout_s)
        entity.requested_contexts = [
            build_context(sop_class, syntaxes)
            for sop_class in sop_classes
            for syntaxes in offers(sop_class, preferred_syntax)
        ]
        super().__init__(entity, peer, tls)
        self._preferred_syntax = preferred_syntax

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
        association = self._association
        accepted = self._accepted_for(sop_class_uid)
        if not accepted:
            return Status.SOP_CLASS_NOT_SUPPORTED
        try:
            dataset = pydicom.dcmread(path)
        except (OSError, InvalidDicomError) as error:
            raise ResultFileError(f"{path.name} cannot be read ({type(error).__name__})") from error
        try:
            sent = in_accepted_syntax(dataset, accepted, self._preferred_syntax)
            response = association.send_c_store(sent)
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise ResultFileError(f"{path.name} cannot be encoded for {self._peer}") from error
        except (RuntimeError, OSError) as error:
            raise AssociationError(f"the association with {self._peer} broke") from error
        return self._status(response)

    def _accepted_for(self, sop_class_uid: str) -> list[str]:
        """The transfer syntaxes in which the peer takes a SOP Class."""
        return [
            str(context.transfer_syntax[0])
            for context in self._association.accepted_contexts
            if context.abstract_syntax == sop_class_uid
        ]


def echo(
    calling_ae_title: str, peer: PeerAddress, timeout_s: float, tls: ClientTls | None = None
) -> None:
    """Verify a peer by C-ECHO, with TLS where it is given.

    Raises
    ------
    AssociationError
        It cannot be reached, rejects us or does not answer with success.
    """
    entity = client_entity(calling_ae_title, timeout_s)
    entity.add_requested_context(VERIFICATION)
    association = open_association(entity, peer, tls)
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
