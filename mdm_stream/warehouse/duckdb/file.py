"""What lies in a DuckDB file beside its tables: freed pages. Looking into them, and rewriting the file without them.

DuckDB never overwrites a page in place: an updated or deleted row stays in the file, in plaintext, until its page
happens to be used again. CHECKPOINT and VACUUM do not change that. A file that was copied table by table into a new
one has no freed pages.

Nothing here opens the file, other than through DuckDB: closing any descriptor of it would give up the lock that
DuckDB has on it in this process (see ``scan``).
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from mdm_stream.errors import TransientError
from mdm_stream.warehouse.duckdb import scan
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.duckdb.staged_file import IN_MEMORY, leftovers
from mdm_stream.warehouse.faults import WarehouseBusyError

LOG_SUFFIX = ".wal"
COPY_SUFFIX = ".rewritten"
SPILL_SUFFIX = ".tmp"
"""DuckDB's own folder for what does not fit into memory; a process that is killed leaves it."""

SCAN_TIMEOUT_S = 60.0
SCAN_BYTES_PER_S_MIN = 10 * 1024**2
"""A look into the files takes a tenth of a second for a hundred megabytes and a text; slower than this, on top of the
time to start, something is wrong with the disk."""


def rewrite_file(path: str, lock_wait_ms: int) -> None:
    """Replace the file by a copy of its live rows. Idempotent; after a crash the file is the old one or the new one,
    and what the crash left of the copy goes with the next call.

    The copy is made while the file is open for writing, and takes its place while the file is open for reading: by
    DuckDB's own locks nobody writes meanwhile. If another process wrote or purged in between, or the file cannot be had
    within ``lock_wait_ms``, it is left as it is with ``WarehouseBusyError``. A reader that has it open keeps the old
    file, and the old file its pages, until it closes.
    """
    path = os.path.realpath(path)  # a link stays one, and what it leads to is rewritten
    copy = Path(path + COPY_SUFFIX)
    made: int | None = None
    try:
        with closing(DuckDbSession(path, read_only=False, lock_wait_ms=lock_wait_ms)) as session:
            # Only now: a copy that another process has made waits for its turn under the same name.
            for leftover in (copy, Path(f"{copy}{LOG_SUFFIX}")):
                leftover.unlink(missing_ok=True)
            try:
                _copy_tables(session, str(copy))
            except BaseException:
                copy.unlink(missing_ok=True)
                raise
            made, copied = _inode(copy), _state(path)
        with closing(DuckDbSession(path, read_only=True, lock_wait_ms=lock_wait_ms)):
            if _state(path) != copied or _inode(copy) != made:
                raise WarehouseBusyError(
                    f"the warehouse file {path} was written to or purged while it was copied; purge again"
                )
            copy.chmod(stat.S_IMODE(Path(path).stat().st_mode))
            copy.replace(path)
            _flush_folder(Path(path).parent)
    finally:
        if made is not None and _inode(copy) == made:
            copy.unlink(missing_ok=True)


def find_in_file(path: str, needles: Sequence[str]) -> list[str]:
    """Return the names of those files of the database whose bytes hold one of the texts: log, leftover copy, and what
    a process that was killed has left of staged rows and of DuckDB's own spilled ones.

    Pages may be compressed, so a find proves that a text is there, and none does not prove that it is not. A child
    process reads them; ``TransientError`` if it cannot.
    """
    files = [file for file in _files_of(os.path.realpath(path)) if Path(file).exists()]
    if path == IN_MEMORY or not files or not any(needles):
        return []
    size_bytes = sum(map(_size_bytes, files))
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own script
            [sys.executable, "-I", scan.__file__],
            input=json.dumps({"files": files, "texts": list(needles)}).encode(),
            capture_output=True,
            env={},
            timeout=SCAN_TIMEOUT_S + size_bytes / SCAN_BYTES_PER_S_MIN,
            check=True,
        )
        return [Path(file).name for file in json.loads(done.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        # The error of a child has its input, which is values of records.
        raise TransientError(f"the warehouse file {path} could not be looked into: {type(error).__name__}") from None


def _files_of(path: str) -> list[str]:
    own = [path + suffix for suffix in ("", LOG_SUFFIX, COPY_SUFFIX, COPY_SUFFIX + LOG_SUFFIX)]
    spilled = Path(path + SPILL_SUFFIX)
    return [*own, *leftovers(path), *sorted(map(str, spilled.iterdir() if spilled.is_dir() else ()))]


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


def _size_bytes(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except FileNotFoundError:  # a spilled file that is gone by now
        return 0


def _inode(file: Path) -> int | None:
    return file.stat().st_ino if file.exists() else None


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
