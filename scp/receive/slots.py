"""How many associations there are, in all receiver processes together and from each address.

The counts are in memory that the processes share. Each process writes only its own row, and none
locks another out: a receiver that dies leaves no lock behind, and its row is cleared by its parent.
"""

import hashlib
from ctypes import Array, c_uint64
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawArray
from threading import Lock

from config import LimitSettings

# Connections beyond the limits are still heard and rejected in due form, a few at one time.
_WAITING = 64
_WAITING_OF_ADDRESS = 8
_FREE = 0


@dataclass(frozen=True, slots=True)
class SlotTable:
    """The shared memory: a row of slots for each process, a slot for each connection.

    Parameters
    ----------
    cells
        The key of an address in each slot that is taken, 0 in each that is free.
    rows
        Processes that share it.
    """

    cells: "Array[c_uint64]"
    rows: int

    @classmethod
    def create(cls, limits: LimitSettings, rows: int = 1) -> "SlotTable":
        """Memory for so many processes; they get it when they are started."""
        return cls(RawArray(c_uint64, rows * (limits.associations + _WAITING)), rows)

    @property
    def columns(self) -> int:
        """Slots of one process."""
        return len(self.cells) // self.rows

    def clear(self, row: int) -> None:
        """Free what a process held that is dead."""
        for column in range(row * self.columns, (row + 1) * self.columns):
            self.cells[column] = _FREE


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many connections there are, one's own included."""

    in_all: int
    of_address: int


class Slots:
    """One process's row.

    Parameters
    ----------
    table
        Shared with the other processes.
    row
        This process's number.
    limits
        How many there may be.
    """

    def __init__(self, table: SlotTable, row: int, limits: LimitSettings) -> None:
        self._table = table
        self._limits = limits
        self._lock = Lock()
        begin = row * table.columns
        self._free = list(range(begin, begin + table.columns))

    def take(self, address: str) -> "Slot | None":
        """A slot for a connection; None where there are so many that it shall be closed unheard."""
        key = _key(address)
        with self._lock:
            if not self._free:
                return None
            index = self._free.pop()
        self._table.cells[index] = key
        slot = Slot(self, index, key)
        occupied = slot.occupancy()
        most_of_address = self._limits.associations_per_address + _WAITING_OF_ADDRESS
        if occupied.of_address > most_of_address or occupied.in_all > self._table.columns:
            slot.free()
            return None
        return slot

    def count(self, key: int) -> Occupancy:
        """How many slots are taken in all processes, and how many of them by an address."""
        cells = self._table.cells[:]
        return Occupancy(len(cells) - cells.count(_FREE), cells.count(key))

    def give_back(self, index: int) -> None:
        """Free a slot of this row."""
        self._table.cells[index] = _FREE
        with self._lock:
            self._free.append(index)


@dataclass(slots=True)
class Slot:
    """One connection's slot."""

    slots: Slots
    index: int
    key: int
    _is_taken: bool = True

    def occupancy(self) -> Occupancy:
        """How many there are now, this one included."""
        return self.slots.count(self.key)

    def free(self) -> None:
        """Give it back; may be called twice."""
        if self._is_taken:
            self._is_taken = False
            self.slots.give_back(self.index)


def _key(address: str) -> int:
    """A number that is not 0 for an address."""
    return int.from_bytes(hashlib.blake2b(address.encode(), digest_size=8).digest()) | 1
