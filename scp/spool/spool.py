"""The spool's folder: every acknowledged instance as one durable Part 10 file.

::

    spool/incoming/                     temporaries of this moment; emptied at start
    spool/instances/ab/<name>.dcm       what was acknowledged
    spool/damaged/                      files that were found unreadable at a start

A name is a hash of the SOP Instance UID and of how it came (transfer syntax, called AE title), the
data set's size and its checksum: never a text that a peer chose. The same bytes sent again are the
same file, which is told by comparing them; other bytes under the same UID are another file.
"""

from collections.abc import Iterator
from pathlib import Path

from scp.spool.free_space import Reserve
from scp.spool.incoming import IncomingInstance, Piece, Place, SpooledInstance
from scp.spool.part10 import Reception
from scp.spool.spread import spread_folders_of
from scp.spool.sync import sync_folder

_SHARDS = tuple(f"{value:02x}" for value in range(256))


class Spool:
    """A folder of durable instances.

    Parameters
    ----------
    folder
        Created where missing.
    reserve_bytes, reserve_percent
        Free space on its file system below which nothing more is taken; the larger counts.
    durable
        False leaves out every sync, so that a benchmark can tell what they cost. What is
        acknowledged then may be lost with the machine's power.

    Notes
    -----
    Resource handling: an instance leaves no temporary behind, whatever happens short of the
    process's death; `discard_temporaries` removes those at the next start. Several processes may
    store into one spool at once.
    """

    def __init__(
        self,
        folder: Path,
        *,
        reserve_bytes: int = 0,
        reserve_percent: float = 0.0,
        durable: bool = True,
    ) -> None:
        self._damaged = folder / "damaged"
        self._place = Place(
            incoming=folder / "incoming",
            instances=folder / "instances",
            reserve=Reserve(reserve_bytes, reserve_percent),
            is_durable=durable,
        )

    def prepare(self) -> None:
        """Create the folders, durably."""
        incoming, instances = self._place.incoming, self._place.instances
        if not instances.exists():
            instances.mkdir(parents=True)
            spread_folders_of(instances)
        for folder in (incoming, *(instances / shard for shard in _SHARDS)):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (instances, instances.parent, instances.parent.parent):
            sync_folder(folder)

    def begin(self, reception: Reception) -> IncomingInstance:
        """Begin to write an instance.

        Raises
        ------
        SpoolFullError
            The free-space reserve is reached.
        SpoolError
            The disk failed in another way.
        """
        return IncomingInstance(self._place, reception)

    def store(self, reception: Reception, data_set: Piece) -> SpooledInstance:
        """Make a whole instance durable.

        Parameters
        ----------
        reception
            Goes into the file meta information.
        data_set
            The encoded data set as received; stored bit for bit.

        Raises
        ------
        SpoolFullError
            No room.
        SpoolError
            The disk failed in another way.
        """
        incoming = self.begin(reception)
        try:
            incoming.write([data_set])
            return incoming.commit()
        finally:
            incoming.discard()

    def path(self, name: str) -> Path:
        """The Part 10 file of this name."""
        return self._place.path(name)

    def names(self) -> Iterator[str]:
        """The names of all instances there are, shard by shard."""
        for shard in _SHARDS:
            yield from sorted(path.stem for path in (self._place.instances / shard).glob("*.dcm"))

    def set_damaged_aside(self, name: str) -> Path:
        """Move a file that is no instance any more out of the way, for inspection."""
        self._damaged.mkdir(exist_ok=True)
        return self.path(name).rename(self._damaged / f"{name}.dcm")

    def discard_temporaries(self, process_id: int | None = None) -> int:
        """Remove what was left unfinished (never acknowledged), by one process or by all."""
        pattern = "*.part" if process_id is None else f"{process_id}-*.part"
        leftovers = list(self._place.incoming.glob(pattern))
        for leftover in leftovers:
            leftover.unlink()
        return len(leftovers)
