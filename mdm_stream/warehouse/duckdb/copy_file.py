"""Run as a program, ``copy_file.py SOURCE DRAFT``: copies a file, whole and to the disk, and writes how many
seconds that took. Standard library alone.

A program of its own because closing any descriptor of a DuckDB file gives up the locks that the closing process has on
it: the process that has the file open by DuckDB must never open it otherwise.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import time

_FICLONE = 0x40049409
"""Linux: let the copy share the blocks of the source (XFS, Btrfs, and whatever else can)."""
_CHUNK_BYTES = 64 * 1024**2
_NOT_HERE = {errno.EINVAL, errno.ENOSYS, errno.ENOTTY, errno.EOPNOTSUPP, errno.EXDEV, errno.EPERM, errno.EBADF}
"""What a file system says that cannot share blocks, or copy within itself."""


def copy_file(source: str, draft: str) -> None:
    """Make ``draft``, which must not be there, a copy of ``source`` with its mode. ``OSError`` leaves a part of it."""
    read = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        write = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if not _clone(read, write):
                _copy(read, write)
            os.fchmod(write, stat.S_IMODE(os.fstat(read).st_mode))
            os.fsync(write)
        finally:
            os.close(write)
    finally:
        os.close(read)


def _clone(read: int, write: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(write, _FICLONE, read)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return False
        raise
    return True


def _copy(read: int, write: int) -> None:
    left = os.fstat(read).st_size
    while left > 0:
        copied = _copy_chunk(read, write, min(left, _CHUNK_BYTES))
        if not copied:
            raise OSError(errno.EIO, "the file ended before its size")
        left -= copied


def _copy_chunk(read: int, write: int, length: int) -> int:
    if hasattr(os, "copy_file_range"):
        try:
            return os.copy_file_range(read, write, length)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
    content = memoryview(os.read(read, min(length, 1024**2)))
    written = 0
    while written < len(content):
        written += os.write(write, content[written:])
    return written


if __name__ == "__main__":
    began_s = time.monotonic()
    copy_file(*sys.argv[1:])
    sys.stdout.write(str(time.monotonic() - began_s))
