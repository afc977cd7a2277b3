"""The journal of rejected associations as text for a person, or JSON for a program."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import chain
from typing import Any

import click

from config import Settings
from scp.ledger import Ledger
from scp.ledger.rejections import RejectedAssociations, all_rejections, clear_rejections
from scp.state_folder import StateFolder


def print_rejections(settings: Settings, *, as_json: bool) -> None:
    """Print the journal, the last rejected first.

    Raises
    ------
    LedgerError
        No node has run with these settings, or its ledger cannot be read.
    """
    with closing(_ledger(settings)) as ledger, ledger.read() as connection:
        rejected = all_rejections(connection)
    if as_json:
        click.echo(json.dumps(document(rejected), indent=2))
    elif rejected:
        click.echo("\n".join(chain.from_iterable(map(_lines, rejected))))
    else:
        click.echo("No association has been rejected.")


def forget_rejections(settings: Settings) -> None:
    """Empty the journal.

    Raises
    ------
    LedgerError
        The ledger cannot be written.
    """
    with closing(_ledger(settings)) as ledger, ledger.write() as connection:
        clear_rejections(connection)


def document(rejected: Sequence[RejectedAssociations]) -> list[dict[str, Any]]:
    """The same in values that JSON has: times in ISO 8601, UTC."""
    return [
        asdict(item) | {"first_at": item.first_at.isoformat(), "last_at": item.last_at.isoformat()}
        for item in rejected
    ]


def _ledger(settings: Settings) -> Ledger:
    return Ledger.open(StateFolder(settings.node.state_folder).ledger)


def _lines(item: RejectedAssociations) -> Iterator[str]:
    times = "once" if item.count == 1 else f"{item.count} times"
    yield (
        f"{item.last_at.astimezone():%Y-%m-%d %H:%M:%S}  {times}: "
        f"{item.calling_ae_title or '(no title)'} -> {item.called_ae_title or '(no title)'} "
        f"from {item.address}"
    )
    yield f"  {item.reason}"
    if item.setting:
        yield f"  setting: {item.setting}"
