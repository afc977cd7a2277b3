"""What lies in a state folder's spool, read without the node's own code for data sets."""

import hashlib
from collections import Counter
from pathlib import Path

from scp.spool import Spool
from scp.state_folder import StateFolder

_META_LENGTH = slice(140, 144)
_META_START = 144


def stored_digests(state: Path) -> Counter[str]:
    """SHA-256 of the data set of each instance, with how many files have it."""
    return Counter(digests_of_files(state).values())


def digests_of_files(state: Path) -> dict[str, str]:
    """SHA-256 of the data set in each file of the spool's instances."""
    spool = Spool(StateFolder(state).spool)
    return {str(path): _digest(path) for path in map(spool.path, spool.names())}


def other_files(state: Path) -> list[Path]:
    """The files of the spool that are no kept instances: temporaries, foreign ones."""
    folder = StateFolder(state).spool
    spool = Spool(folder)
    kept = {spool.path(name) for name in spool.names()}
    return [path for path in folder.rglob("*") if path.is_file() and path not in kept]


def _digest(path: Path) -> str:
    """Of what follows the file meta information, by its group length (PS3.10 section 7.1)."""
    content = path.read_bytes()
    start = _META_START + int.from_bytes(content[_META_LENGTH], "little")
    return hashlib.sha256(content[start:]).hexdigest()
