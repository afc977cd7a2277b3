"""The free space that is kept in reserve on the spool's disk."""

import os
from dataclasses import dataclass
from pathlib import Path

from scp.spool.errors import SpoolFullError

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Reserve:
    """Free space below which nothing more is taken.

    Parameters
    ----------
    size_bytes
        At least so much stays free.
    percent
        At least this share of the disk stays free; the larger of the two counts.
    """

    size_bytes: int = 0
    percent: float = 0.0

    def check(self, place: Path | int) -> None:
        """Look at the disk of a folder or of an open file.

        Raises
        ------
        SpoolFullError
            The reserve is reached.
        """
        disk = os.statvfs(place)
        free = disk.f_bavail * disk.f_frsize
        reserve = max(self.size_bytes, int(disk.f_blocks * disk.f_frsize * self.percent / 100))
        if free < reserve:
            raise SpoolFullError(
                f"{free // _MIB} MiB are free, and {reserve // _MIB} MiB are kept in reserve "
                "(limits.free_space_mb, limits.free_space_percent)"
            )
