"""Making a folder's entries durable."""

import os
from pathlib import Path


def sync_folder(folder: Path | str) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
