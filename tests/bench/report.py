"""What every benchmark prints: one row a comparison, as a table and as JSON."""

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    Parameters
    ----------
    name
        What was measured, with the unit of ``ours`` and ``peer``.
    ours, peer
        The two figures.
    ratio
        The one that the target speaks of.
    target
        What the ratio is to be, in words: ``>= 2.0``.
    holds
        Whether it is; None where there is no target.
    """

    name: str
    ours: float
    peer: float
    ratio: float
    target: str = ""
    holds: bool | None = None


def at_least(name: str, ours: float, peer: float, target: float) -> Row:
    """A row on a time: ours is to be ``target`` times shorter than the peer's."""
    ratio = peer / ours
    return Row(name, ours, peer, ratio, f">= {target:g}", ratio >= target)


def at_most(name: str, ours: float, peer: float, target: float) -> Row:
    """A row on a cost: ours is to be at most ``target`` times the peer's."""
    ratio = ours / peer
    return Row(name, ours, peer, ratio, f"<= {target:g}", ratio <= target)


def best_of(times: int, work: Callable[[], Any]) -> float:
    """Seconds of the fastest of several runs."""
    best = float("inf")
    for _ in range(times):
        gc.collect()
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def peak_mib_of(module: str, *arguments: str) -> float:
    """Peak memory, in MiB, of a Python module that runs as a process of its own."""
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:];"
        "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True);"
        "from pathlib import Path; print(Path('/proc/self/status').read_text()"
        ".partition('VmHWM:')[2].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, module, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.split()[-1]) / 1024


def own_peak_mib() -> float:
    """Peak memory of this process so far, in MiB.

    Not from getrusage, whose figure begins with that of the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    return parser


def report(title: str, rows: Sequence[Row], json_file: Path | None) -> None:
    """Print the table; write the rows as JSON where asked."""
    table = Table(title=title, title_justify="left")
    for heading in ("", "ours", "peer", "ratio", "target", "holds"):
        table.add_column(heading, justify="left" if not heading else "right")
    for row in rows:
        holds = {True: "yes", False: "NO", None: ""}[row.holds]
        figures = (f"{row.ours:.4g}", f"{row.peer:.4g}", f"{row.ratio:.2f}")
        table.add_row(row.name, *figures, row.target, holds)
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
