"""What receivers took for their loads."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench.sending import Load

_SMALL_MB = 0.1


@dataclass(frozen=True, slots=True)
class Take:
    """One load taken once by one receiver.

    Parameters
    ----------
    seconds
        From the first sender's start to the last one's end.
    cpu_s
        Processor time of the receiving processes.
    peak_mib
        Their most resident memory at one time, added up.
    growth_mib
        By how much that was above the memory before.
    """

    seconds: float
    cpu_s: float
    peak_mib: float
    growth_mib: float


@dataclass(frozen=True, slots=True)
class Idling:
    """What a receiver costs while nothing is sent.

    Parameters
    ----------
    cpu_percent
        Of one core.
    rss_mib
        Resident memory of its processes, added up.
    pss_mib
        The same with each page that they share counted once.
    """

    cpu_percent: float
    rss_mib: float
    pss_mib: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All rounds of one load on one receiver."""

    load: Load
    name: str
    takes: Sequence[Take]

    @property
    def rate(self) -> float:
        """Of the best round, in `unit`."""
        return (self.load.instances if self._is_small else self.load.megabytes) / self._best_s

    @property
    def unit(self) -> str:
        """MB/s, or instances/s where instances are small."""
        return "instances/s" if self._is_small else "MB/s"

    @property
    def cpu_s_per_gb(self) -> float:
        """Processor seconds of the cheapest round for 10^9 bytes."""
        return min(take.cpu_s for take in self.takes) / self.load.megabytes * 1e3

    @property
    def peak_mib(self) -> float:
        """The most memory of any round."""
        return max(take.peak_mib for take in self.takes)

    @property
    def growth_mib(self) -> float:
        """The most growth of any round."""
        return max(take.growth_mib for take in self.takes)

    def cells(self) -> tuple[str, ...]:
        """For the table of `print_figures`."""
        middle_s = median(take.seconds for take in self.takes)
        return (
            str(self.load),
            self.name,
            f"{self.load.megabytes / self._best_s:.0f}",
            f"{self.load.megabytes / middle_s:.0f}",
            f"{self.load.instances / self._best_s:.4g}",
            f"{self.cpu_s_per_gb:.2f}",
            f"{self.peak_mib:.0f}",
        )

    @property
    def _best_s(self) -> float:
        return min(take.seconds for take in self.takes)

    @property
    def _is_small(self) -> bool:
        return self.load.megabytes / self.load.instances < _SMALL_MB


def print_figures(figures: Sequence[Figures]) -> None:
    """Print what each receiver took."""
    table = Table(title="What each receiver took", title_justify="left")
    headings = ("MB/s, best", "median", "instances/s", "CPU s/GB", "peak MiB")
    for heading in ("load", "receiver"):
        table.add_column(heading)
    for heading in headings:
        table.add_column(heading, justify="right")
    for each in figures:
        table.add_row(*each.cells())
    Console().print(table)
