"""Storage commitments as text for a person, or JSON for a program."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import chain
from typing import Any

import click

from config import Settings
from scp.ledger import CommitmentState, Ledger
from scp.ledger.commitments import CommitmentLine, all_commitments
from scp.state_folder import StateFolder


def print_commitments(settings: Settings, *, as_json: bool) -> None:
    """Print the requests that are kept, the last asked first.

    Raises
    ------
    LedgerError
        No node has run with these settings, or its ledger cannot be read.
    """
    with (
        closing(Ledger.open(StateFolder(settings.node.state_folder).ledger)) as ledger,
        ledger.read() as connection,
    ):
        lines = all_commitments(connection)
    if as_json:
        click.echo(json.dumps(document(lines), indent=2))
    elif lines:
        click.echo("\n".join(chain.from_iterable(map(_lines, lines))))
    else:
        click.echo("No storage commitment has been asked for.")


def document(lines: Sequence[CommitmentLine]) -> list[dict[str, Any]]:
    """The same in values that JSON has: times in ISO 8601, UTC."""
    return [
        asdict(item)
        | {
            "received_at": item.received_at.isoformat(),
            "reported_at": item.reported_at.isoformat() if item.reported_at else None,
        }
        for item in lines
    ]


def _lines(item: CommitmentLine) -> Iterator[str]:
    yield (
        f"{item.received_at.astimezone():%Y-%m-%d %H:%M:%S}  {_shown(item.calling_ae_title)} from "
        f"{item.address}: {_outcome(item)}, {_state(item)}"
    )
    yield f"  transaction {item.transaction_uid}"
    if item.reason:
        yield f"  {item.reason}"


def _shown(title: str) -> str:
    """A title that a caller made up, as a terminal can show it."""
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in title)


def _outcome(item: CommitmentLine) -> str:
    asked = "1 instance" if item.asked == 1 else f"{item.asked} instances"
    if item.failed is None:
        return f"{asked}, not decided yet"
    return f"{asked}, all committed" if not item.failed else f"{asked}, {item.failed} not committed"


def _state(item: CommitmentLine) -> str:
    match item.state:
        case CommitmentState.REPORTED:
            return "reported"
        case CommitmentState.SET_ASIDE:
            return "report set aside"
        case CommitmentState.PENDING:
            return f"report pending after {item.attempts} attempts"
