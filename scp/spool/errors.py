"""What goes wrong in the spool.

::

    SpoolError
    └── SpoolFullError
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_SCARCE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)


class SpoolError(Exception):
    """An instance could not be made durable, and is not to be acknowledged."""


class SpoolFullError(SpoolError):
    """No room for an instance, no descriptor for its file, or the free-space reserve is reached."""


@contextmanager
def spool_errors() -> Iterator[None]:
    """Turn what the file system raises into errors of the spool."""
    try:
        yield
    except OSError as error:
        kind = SpoolFullError if error.errno in _SCARCE else SpoolError
        raise kind(f"the spool could not take an instance: {error.strerror}") from error
