"""The spool: every acknowledged instance as one durable Part 10 file."""

from scp.spool.errors import SpoolError, SpoolFullError
from scp.spool.incoming import IncomingInstance, SpooledInstance
from scp.spool.part10 import Reception, part10_header
from scp.spool.spool import Spool
from scp.spool.sync import sync_folder

__all__ = [
    "IncomingInstance",
    "Reception",
    "Spool",
    "SpoolError",
    "SpoolFullError",
    "SpooledInstance",
    "part10_header",
    "sync_folder",
]
