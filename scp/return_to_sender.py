"""Where ``@sender`` leads: to the peer that a series came from."""

from collections.abc import Mapping, Sequence

from config import SENDER, Peer


def resolved(
    destinations: Sequence[str], calling_ae_title: str, peers: Mapping[str, Peer]
) -> tuple[str, ...]:
    """The destinations with the sender's peer in the place of ``@sender``, each once.

    ``@sender`` stays where no peer with that AE title is sent results.
    """
    sender = next(
        (
            name
            for name, peer in peers.items()
            if peer.receives_results and peer.ae_title == calling_ae_title
        ),
        SENDER,
    )
    named = (sender if name == SENDER else name for name in destinations)
    return tuple(dict.fromkeys(named))


def why_unresolved(calling_ae_title: str, job_id: int) -> str:
    """What a person is told whose sender cannot be sent results."""
    return (
        f"The route's destination is {SENDER!r}, and the sender {calling_ae_title!r} is no peer "
        f"that is sent results: set peers.NAME with ae_title = {calling_ae_title!r} and role = "
        f"'both', then 'hounsfield retry {job_id}'."
    )
