"""A running process under strace: the order of its system calls, or a disk that takes its time."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.tools import require

SYNCS = ("fsync", "fdatasync", "syncfs", "sync_file_range")
_CALL = re.compile(r"^\d+\s+(?P<name>\w+)\((?P<arguments>.*)\)\s+=\s+(?P<result>-?\d+|\?)")
_UNFINISHED = re.compile(r"^(?P<thread>\d+)\s+(?P<start>\w+\(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(?P<thread>\d+)\s+<\.\.\. \w+ resumed>\s*(?P<rest>.*)$")
_TRACED_SYNC_S = 0.003
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that ended: paths stand in its arguments beside the descriptors."""

    name: str
    arguments: str
    result: str


@contextmanager
def slow_syncs(process_id: int, delay_s: float) -> Iterator[None]:
    """Each sync of a process takes this much longer."""
    what = ("-e", f"trace={','.join(SYNCS)}", "-e", _delayed(SYNCS, delay_s))
    with _attached(process_id, *what, "-o", "/dev/null"):
        yield


@contextmanager
def traced(process_id: int, names: tuple[str, ...], file: Path) -> Iterator[None]:
    """Write these system calls of a process to a file; `calls` reads it afterwards.

    Syncs take a little longer meanwhile, so that what should wait for them can be told from what
    does not.
    """
    what = (
        "-e",
        f"trace={','.join(names)}",
        "-e",
        _delayed(("fsync", "fdatasync"), _TRACED_SYNC_S),
    )
    with _attached(process_id, "-y", "-s", "512", *what, "-o", str(file)):
        yield


def _delayed(names: tuple[str, ...], delay_s: float) -> str:
    return f"inject={','.join(names)}:delay_enter={round(delay_s * 1e6)}"


def calls(file: Path) -> list[Call]:
    """The system calls of a trace, in the order in which they ended."""
    started: dict[str, str] = {}
    found = []
    for line in file.read_text().splitlines():
        whole = line
        if match := _UNFINISHED.match(line):
            started[match["thread"]] = match["start"]
            continue
        if match := _RESUMED.match(line):
            whole = f"{match['thread']} {started.pop(match['thread'], '')}{match['rest']}"
        if match := _CALL.match(whole):
            found.append(Call(match["name"], match["arguments"], match["result"]))
    return found


@contextmanager
def _attached(process_id: int, *options: str) -> Iterator[None]:
    """Hold strace on all threads of a process."""
    strace = subprocess.Popen(
        [require("strace"), "-f", "-p", str(process_id), *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert strace.stderr is not None
        first = strace.stderr.readline()
        if "Operation not permitted" in first:
            pytest.skip("this machine lets no process be traced")
        assert "attached" in first, first
        yield
    finally:
        strace.terminate()
        strace.communicate(timeout=_TIMEOUT_S)
