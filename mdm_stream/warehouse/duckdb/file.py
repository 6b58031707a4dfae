"""What lies in a DuckDB file beside its tables: freed pages. Looking into them, and rewriting the file without them.

DuckDB never overwrites a page in place: an updated or deleted row stays in the file, in plaintext, until its page
happens to be used again. CHECKPOINT and VACUUM do not change that. A file that was copied table by table into a new
one has no freed pages.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.faults import WarehouseBusyError

LOG_SUFFIX = ".wal"
COPY_SUFFIX = ".rewritten"


def rewrite_file(path: str, lock_wait_ms: int) -> None:
    """Replace the file by a copy of its live rows. Idempotent; after a crash the file is the old one or the new one,
    and what the crash left of the copy goes with the next call.

    The copy is made while the file is open for writing, and takes its place while the file is open for reading: by
    DuckDB's own locks nobody writes meanwhile. If somebody wrote in between, or the file cannot be had within
    ``lock_wait_ms``, it is left as it is with ``WarehouseBusyError``. A reader that has it open keeps the old file,
    and the old file its pages, until it closes.
    """
    copy = path + COPY_SUFFIX
    for leftover in _files_of(copy):
        Path(leftover).unlink(missing_ok=True)
    try:
        with closing(DuckDbSession(path, read_only=False, lock_wait_ms=lock_wait_ms)) as session:
            _copy_tables(session, copy)
            copied = _state(path)
        with closing(DuckDbSession(path, read_only=True, lock_wait_ms=lock_wait_ms)):
            if _state(path) != copied:
                raise WarehouseBusyError(f"the warehouse file {path} was written to while it was copied; purge again")
            Path(copy).chmod(stat.S_IMODE(Path(path).stat().st_mode))
            Path(copy).replace(path)
            _flush_folder(Path(path).parent)
    finally:
        Path(copy).unlink(missing_ok=True)


def find_in_file(path: str, needles: Sequence[str]) -> list[str]:
    """Return the names of those files of the database whose bytes hold one of the texts: log and leftover copy too.

    Pages may be compressed, so a find proves that a text is there, and none does not prove that it is not.
    """
    wanted = [needle.encode() for needle in needles if needle]
    return [Path(name).name for name in _files_of(path) if _holds(Path(name), wanted)]


def _files_of(path: str) -> list[str]:
    return [path + suffix for suffix in ("", LOG_SUFFIX, COPY_SUFFIX, COPY_SUFFIX + LOG_SUFFIX)]


def _copy_tables(session: DuckDbSession, copy: str) -> None:
    step = "copy the file"
    [(current,)] = session.execute("SELECT current_database()", step=step)
    session.execute("CHECKPOINT", step=step)
    session.execute(f"ATTACH {_quoted(copy, chr(39))} AS rewritten", step=step)
    session.execute(f"COPY FROM DATABASE {_quoted(str(current), chr(34))} TO rewritten", step=step)
    session.execute("DETACH rewritten", step=step)


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark


def _state(path: str) -> tuple[int, int, int, bool]:
    found = os.stat(path)  # noqa: PTH116 - beside the log's, by the same name
    log = Path(path + LOG_SUFFIX)
    return found.st_ino, found.st_size, found.st_mtime_ns, log.exists() and log.stat().st_size > 0


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(file: Path, wanted: Sequence[bytes]) -> bool:
    if not file.exists() or not file.stat().st_size:
        return False
    with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(needle) >= 0 for needle in wanted)
