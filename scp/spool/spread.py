"""Spreading folders over an ext4 disk."""

import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS
_TOP_OF_HIERARCHIES = 0x00020000  # FS_TOPDIR_FL, as chattr +T sets it


def spread_folders_of(folder: Path) -> None:
    """Let the file system put the folders that will be made in this one far from each other.

    ext4 does not take up an inode again for minutes after its file was removed, and looks past
    each such inode in a folder's neighbourhood whenever it makes a file. In one neighbourhood for
    all, a spool that old instances are removed from would take up to a millisecond an instance.
    File systems that know no such thing are left as they are.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            flags = bytearray(8)
            fcntl.ioctl(descriptor, _GET_FLAGS, flags)
            (present,) = struct.unpack("=Q", flags)
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("=Q", present | _TOP_OF_HIERARCHIES))
    finally:
        os.close(descriptor)
