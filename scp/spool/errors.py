"""What goes wrong in the spool.

::

    SpoolError
    └── SpoolFullError
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class SpoolError(Exception):
    """An instance could not be made durable; nothing of it is kept."""


class SpoolFullError(SpoolError):
    """There is no room for an instance, or the free-space reserve is reached."""


@contextmanager
def spool_errors() -> Iterator[None]:
    """Turn what the file system raises into errors of the spool."""
    try:
        yield
    except OSError as error:
        kind = SpoolFullError if error.errno in _NO_SPACE else SpoolError
        raise kind(f"the spool could not take an instance: {error.strerror}") from error
