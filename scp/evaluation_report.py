"""Comparisons as a table for a person, or JSON for a program."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from pipeline.dataset import Comparison, LabelResult, Outcome

_COLUMNS = {
    "dice": "Dice",
    "jaccard": "Jacc.",
    "sensitivity": "Sens.",
    "specificity": "Spec.",
    "hausdorff_mm": "HD mm",
    "hausdorff95_mm": "HD95",
    "predicted_ml": "Pred ml",
    "truth_ml": "True ml",
}
_WIDTH_OF_FILE = 160
_IN_SHARES = ("dice", "jaccard", "sensitivity", "specificity")


def print_comparisons(
    comparisons: Sequence[Comparison], failures: Sequence[Outcome[Comparison]], *, as_json: bool
) -> None:
    """Print every label of every comparison.

    Parameters
    ----------
    comparisons
        What was compared.
    failures
        What could not be; the JSON has their reasons.
    as_json
        A document in place of a table; a measure that is not defined is null.
    """
    if as_json:
        # Not by a console: it would break lines at the width of a terminal.
        click.echo(json.dumps(document(comparisons, failures), indent=2))
    elif comparisons:
        console = Console(markup=False, highlight=False)
        if not console.is_terminal:
            console.width = _WIDTH_OF_FILE
        console.print(_table(comparisons))


def document(
    comparisons: Sequence[Comparison], failures: Sequence[Outcome[Comparison]]
) -> dict[str, Any]:
    """The same in values that JSON has."""
    return {
        "comparisons": [
            {
                "predicted": str(comparison.predicted),
                "truth": str(comparison.truth),
                "labels": [
                    {"label": item.label, "name": item.name, **asdict(item.measures)}
                    for item in comparison.labels
                ],
            }
            for comparison in comparisons
        ],
        "failures": [
            {"source": str(failure.source), "reason": failure.reason} for failure in failures
        ],
    }


def _table(comparisons: Sequence[Comparison]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("File", overflow="fold")
    table.add_column("Label", overflow="fold")
    for title in _COLUMNS.values():
        table.add_column(title, justify="right", no_wrap=True)
    for comparison in comparisons:
        name = comparison.predicted.name
        for item in comparison.labels:
            table.add_row(name, _label(item), *_cells(item))
            name = ""
        if not comparison.labels:
            table.add_row(name, "none in either")
    return table


def _label(item: LabelResult) -> str:
    return f"{item.label} {item.name}".strip()


def _cells(item: LabelResult) -> list[str]:
    return [_cell(name, getattr(item.measures, name)) for name in _COLUMNS]


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if name in _IN_SHARES else f"{value:.1f}"
