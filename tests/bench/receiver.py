"""Our receiver against DCMTK's storescp, Orthanc and plain pynetdicom, on this machine.

Run it as ``python -m tests.bench.receiver``; it needs DCMTK and Orthanc. The senders are DCMTK's
storescu. All receivers run throughout; each round has every one of them take the same load in
turn, with no page unwritten at the start, and the best round of each counts: the rest is what else
the machine did. With ``--real-time`` it does little else. A round ends the run if a sender was
refused anything or if a receiver holds less than it acknowledged.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import receiver_peers as peers
from tests.bench.process_cost import PeakMemory
from tests.bench.receiver_figures import Figures, Idling, Take, print_figures
from tests.bench.receiver_peers import DCMTK, ORTHANC, OURS, OURS_UNSYNCED, STOCK, Receiver
from tests.bench.report import Row, arguments, at_most, report
from tests.bench.sending import Load, idle_associations, send, write_large, write_slices

_ROUNDS, _QUICK_ROUNDS = 5, 2
_SLICES, _SMALL, _FRAMES = 300, 2000, 1000
_SLICE_SIZE, _SMALL_SIZE = 512, 64
_QUICK_SHARE = 5
_SENDERS = (1, 4)
_CROWD, _CROWD_INSTANCES = 200, 20
_IDLE, _IDLE_S = 50, 10.0
_IDLE_CPU_PERCENT, _IDLE_MIB = 3.0, 120.0
_LARGE_GROWTH_MIB = 64.0
_SETTLE_S = 0.5

Start = Callable[[Path], AbstractContextManager[Receiver]]
Goals = Mapping[tuple[str, str], float | None]

_STARTS: dict[str, Start] = {
    OURS: peers.ours,
    OURS_UNSYNCED: peers.unsynced,
    DCMTK: peers.storescp,
    ORTHANC: peers.orthanc,
    STOCK: peers.stock,
}
_STREAM_GOALS: dict[int, Goals] = {
    1: {
        (OURS_UNSYNCED, DCMTK): 1.0,
        (OURS, DCMTK): 0.8,
        (OURS, ORTHANC): 2.0,
        (OURS, STOCK): 2.5,
    },
    4: {
        (OURS_UNSYNCED, DCMTK): 1.0,
        (OURS, DCMTK): 0.9,
        (OURS, ORTHANC): 1.5,
        (OURS, STOCK): 2.5,
    },
}
_NO_GOALS: Goals = dict.fromkeys(_STREAM_GOALS[1])
_LARGE_GOALS: Goals = {**_NO_GOALS, (OURS_UNSYNCED, DCMTK): 1.0, (OURS, DCMTK): 1.0}
_CROWD_GOALS: Goals = {(OURS, DCMTK): None, (OURS, ORTHANC): None}


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmark.

    Parameters
    ----------
    folder
        For the receivers and for what is sent.
    rounds
        How often each receiver takes each load.
    share
        By what the numbers of instances are divided.
    """

    folder: Path
    rounds: int
    share: int

    def race(self, loads: Sequence[Load], names: Sequence[str]) -> list[list[Figures]]:
        """Have receivers take loads; for each load the figures of each receiver."""
        with ExitStack() as stack:
            running = [
                stack.enter_context(_STARTS[name](self.folder / f"{loads[0].title} {name}"))
                for name in names
            ]
            for receiver in running:
                _take(loads[0], receiver)
            return [self._figures(load, running) for load in loads]

    def _figures(self, load: Load, running: Sequence[Receiver]) -> list[Figures]:
        takes: dict[str, list[Take]] = {receiver.name: [] for receiver in running}
        for number in range(self.rounds):
            first = number % len(running)
            for receiver in (*running[first:], *running[:first]):
                takes[receiver.name].append(_take(load, receiver))
        return [Figures(load, name, taken) for name, taken in takes.items()]


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--only", nargs="*", choices=_PARTS, help="parts; all if none")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and instances")
    parser.add_argument(
        "--real-time",
        action="store_true",
        help="run senders and receivers before all other work of this machine, where that may be",
    )
    parser.add_argument("--folder", type=Path, help="on the disk to measure; else a temporary one")
    given = parser.parse_args()
    try:
        peers.require_programs()
        if given.real_time:
            _go_before_others()
        rows, figures = _measure(given)
    except (peers.MissingProgramError, peers.PeerError) as error:
        sys.exit(str(error))
    print_figures(figures)
    report(_title(), rows, given.json)


def _go_before_others() -> None:
    """Take the real-time class, which what is started from here on has too.

    In the usual class a process that was woken by the disk or by its peer waits for the end of
    another's turn, several milliseconds on a busy machine: more than a sync or an instance takes.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        sys.exit("--real-time needs a right that this user has not: CAP_SYS_NICE, as root has.")


def _measure(given: argparse.Namespace) -> tuple[list[Row], list[Figures]]:
    rows: list[Row] = []
    figures: list[Figures] = []
    rounds, share = (_QUICK_ROUNDS, _QUICK_SHARE) if given.quick else (_ROUNDS, 1)
    with TemporaryDirectory(dir=given.folder) as folder:
        for name, part in _PARTS.items():
            if not given.only or name in given.only:
                results = list(part(Bench(Path(folder) / name, rounds, share)))
                rows += [each for each in results if isinstance(each, Row)]
                figures += [each for each in results if isinstance(each, Figures)]
    return rows, figures


def _title() -> str:
    load = os.getloadavg()[0]
    return f"Receiver, {len(os.sched_getaffinity(0))} processors, load {load:.1f} at the end"


def _take(load: Load, receiver: Receiver) -> Take:
    """One receiver takes one load; what its index writes afterwards counts as its cost."""
    os.sync()
    cpu_s, rss_mib = receiver.processes.cpu_s(), receiver.processes.rss_mib()
    with PeakMemory(receiver.processes) as peak:
        seconds = send(load, receiver)
    time.sleep(_SETTLE_S)
    cpu_s = receiver.processes.cpu_s() - cpu_s
    receiver.empty()
    return Take(seconds, cpu_s, peak.mib, peak.mib - rss_mib)


def _stream(bench: Bench) -> Iterator[Row | Figures]:
    slices = write_slices(bench.folder / "slices", _SLICES // bench.share, _SLICE_SIZE)
    loads = [Load.of("x 0.5 MB", slices, senders) for senders in _SENDERS]
    for load, figures in zip(loads, bench.race(loads, tuple(_STARTS)), strict=True):
        yield from figures
        yield from _compared(figures, _STREAM_GOALS[load.senders])


def _small(bench: Bench) -> Iterator[Row | Figures]:
    count = _SMALL // bench.share
    loads = [
        Load.of(
            "x 8 KB",
            write_slices(bench.folder / f"{senders}", count // senders, _SMALL_SIZE),
            senders,
        )
        for senders in _SENDERS
    ]
    for figures in bench.race(loads, tuple(_STARTS)):
        yield from figures
        yield from _compared(figures, _NO_GOALS)


def _large(bench: Bench) -> Iterator[Row | Figures]:
    load = Load.of("x 500 MB", write_large(bench.folder / "large", _FRAMES // bench.share))
    (figures,) = bench.race([load], tuple(_STARTS))
    yield from figures
    yield from _compared(figures, _LARGE_GOALS)
    name = f"{load}: MiB by which memory grows, and allowed"
    yield at_most(name, _named(figures, OURS).growth_mib, _LARGE_GROWTH_MIB, 1.0)


def _crowd(bench: Bench) -> Iterator[Row | Figures]:
    senders = _CROWD // bench.share
    folder = write_slices(bench.folder / "few", _CROWD_INSTANCES, _SMALL_SIZE)
    (figures,) = bench.race([Load.of("x 8 KB", folder, senders)], (OURS, DCMTK, ORTHANC))
    yield from figures
    yield from _compared(figures, _CROWD_GOALS)
    load = figures[0].load
    stored = float(load.instances)
    yield Row(f"{load}: stored, acknowledged", stored, stored, 1.0, "= 1", True)


def _idle(bench: Bench) -> Iterator[Row | Figures]:
    ours = _idling(peers.ours, bench.folder / "ours")
    stock = _idling(peers.stock, bench.folder / "stock")
    name = f"{_IDLE} idle associations:"
    yield at_most(f"{name} % of a core, allowed", ours.cpu_percent, _IDLE_CPU_PERCENT, 1.0)
    yield at_most(f"{name} MiB, allowed", ours.pss_mib, _IDLE_MIB, 1.0)
    cpu = (ours.cpu_percent, stock.cpu_percent)
    yield Row(f"{name} % of a core, {STOCK}", *cpu, cpu[0] / cpu[1])
    rss = (ours.rss_mib, stock.rss_mib)
    yield Row(f"{name} MiB with shared pages in each process, {STOCK}", *rss, rss[0] / rss[1])


def _idling(start: Start, folder: Path) -> Idling:
    """What a receiver costs that holds associations which send nothing."""
    with start(folder) as receiver, idle_associations(receiver, _IDLE):
        time.sleep(_SETTLE_S)
        processes = receiver.processes
        before = processes.cpu_s()
        time.sleep(_IDLE_S)
        cpu_percent = 100 * (processes.cpu_s() - before) / _IDLE_S
        return Idling(cpu_percent, processes.rss_mib(), processes.pss_mib())


def _compared(figures: Sequence[Figures], goals: Goals) -> Iterator[Row]:
    """Rates with their goals, then the cost of the durable receiver."""
    for (name, peer_name), goal in goals.items():
        own, peer = _named(figures, name), _named(figures, peer_name)
        ratio = own.rate / peer.rate
        target, holds = ("", None) if goal is None else (f">= {goal:g}", ratio >= goal)
        title = f"{own.load}: {own.unit}, {peer_name}"
        if name == OURS_UNSYNCED:
            title += ", neither synced"
        yield Row(title, own.rate, peer.rate, ratio, target, holds)
    yield from _costs(_named(figures, OURS), _named(figures, DCMTK))


def _costs(own: Figures, peer: Figures) -> Iterator[Row]:
    cpu = (own.cpu_s_per_gb, peer.cpu_s_per_gb)
    yield Row(f"{own.load}: CPU s/GB, {peer.name}", *cpu, cpu[0] / cpu[1])
    peak = (own.peak_mib, peer.peak_mib)
    yield Row(f"{own.load}: peak MiB, {peer.name}", *peak, peak[0] / peak[1])


def _named(figures: Sequence[Figures], name: str) -> Figures:
    return next(each for each in figures if each.name == name)


_PARTS: dict[str, Callable[[Bench], Iterator[Row | Figures]]] = {
    "stream": _stream,
    "small": _small,
    "large": _large,
    "idle": _idle,
    "crowd": _crowd,
}


if __name__ == "__main__":
    main()
