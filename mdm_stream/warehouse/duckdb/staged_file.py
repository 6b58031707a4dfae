"""The file through which rows get into DuckDB, and which no crash leaves behind.

Rows hold values of records. A process that is killed removes nothing, so a named file in the folder for temporary files
would keep them, where no erasure looks. On Linux the file has no name: it is memory of the process and gone with it.
Elsewhere it lies beside the warehouse's file, under a name by which the next process that opens that one for writing
removes it, and a search finds it.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mdm_stream.files import FILE_MODE

IN_MEMORY = ":memory:"
STAGED_SUFFIX = ".staged-"

_RUN = secrets.token_hex(8)
"""Tells this process from one before it that had the same number."""


@contextmanager
def staged_file(content: bytes, warehouse: str) -> Iterator[str]:
    """Give the path of a file with this content, for this process alone, as long as the context lasts."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("mdm-staged")
        try:
            _write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    beside = Path(tempfile.gettempdir()) / "mdm" if warehouse == IN_MEMORY else Path(os.path.realpath(warehouse))
    path = Path(f"{beside}{STAGED_SUFFIX}{os.getpid()}-{_RUN}-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        try:
            _write(descriptor, content)
        finally:
            os.close(descriptor)
        yield str(path)
    finally:
        path.unlink(missing_ok=True)


def leftovers(warehouse: str) -> list[str]:
    """Return the files that other processes have left beside a warehouse's file."""
    if warehouse == IN_MEMORY:
        return []
    file = Path(os.path.realpath(warehouse))
    own = f"{file.name}{STAGED_SUFFIX}{os.getpid()}-{_RUN}-"
    found = (each for each in file.parent.iterdir() if each.name.startswith(f"{file.name}{STAGED_SUFFIX}"))
    return sorted(str(each) for each in found if not each.name.startswith(own))


def remove_leftovers(warehouse: str) -> None:
    """Remove what other processes have left. For a process that has the file open for writing: it is then alone."""
    for path in leftovers(warehouse):
        Path(path).unlink(missing_ok=True)


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
