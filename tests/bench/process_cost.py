"""What processes cost together with their children: processor time and memory."""

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SAMPLE_S = 0.05
_FIRST_TIME, _AFTER_TIMES = 11, 15


@dataclass(frozen=True, slots=True)
class Processes:
    """Processes and whatever they start.

    Parameters
    ----------
    roots
        The ids of those that were started first.
    """

    roots: Sequence[int]

    def cpu_s(self) -> float:
        """Processor seconds, user and system, those of ended children included."""
        return sum(_ticks(pid) for pid in self._all()) / _TICKS_PER_S

    def rss_mib(self) -> float:
        """Resident memory at this moment, added up: pages that two share count twice."""
        return sum(_resident_pages(pid) for pid in self._all()) * _PAGE_BYTES / 2**20

    def pss_mib(self) -> float:
        """The same with a page that several share counted once; slower to find out."""
        return sum(_proportional_kib(pid) for pid in self._all()) / 1024

    def _all(self) -> Iterator[int]:
        for root in self.roots:
            yield from _with_children(root)


class PeakMemory:
    """Follows the memory of processes while it is entered.

    Parameters
    ----------
    processes
        Those to follow.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self.mib = 0.0

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._sample()

    def _follow(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            self._sample()

    def _sample(self) -> None:
        self.mib = max(self.mib, self._processes.rss_mib())


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    for child in _read(pid, f"task/{pid}/children").split():
        yield from _with_children(int(child))


def _ticks(pid: int) -> int:
    """Own time and that of children that were waited for, which the kernel adds up."""
    after_the_name = _read(pid, "stat").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in after_the_name[_FIRST_TIME:_AFTER_TIMES])


def _resident_pages(pid: int) -> int:
    sizes = _read(pid, "statm").split()
    return int(sizes[1]) if sizes else 0


def _proportional_kib(pid: int) -> int:
    """A page counts by one part in as many processes as have it."""
    after = _read(pid, "smaps_rollup").partition("Pss:")[2].split()
    return int(after[0]) if after else 0


def _read(pid: int, what: str) -> str:
    """A file of the kernel's on a process; empty for one that has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
