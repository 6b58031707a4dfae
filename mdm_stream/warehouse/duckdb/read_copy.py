"""The read copy: a whole, consistent copy of the warehouse file beside it, for readers, swapped in by a rename.

A DuckDB file that is open for writing cannot be opened by another process. So the writer publishes
``warehouse.read.duckdb`` beside ``warehouse.duckdb``: any number of processes may open it at any time, for as long as
they like. Each copy is the state after a whole batch, and says in its table ``read_copy`` when it was taken and how far
each domain had come.

DuckDB never changes a block that the last checkpoint names: changes go to the log and to free blocks until the next
one. So the writer makes a checkpoint and forbids further ones, a child process copies the file, in which the writer may
go on meanwhile, and the writer renames the finished copy. If the writer dies, its child only ever leaves a draft,
which the next one removes.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mdm_stream.errors import MdmError, TransientError
from mdm_stream.warehouse.duckdb import copy_file
from mdm_stream.warehouse.duckdb.file import COPY_SUFFIX
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.rows import timestamp_text

READ_COPY_AGE_S = 5.0
"""How old the read copy may be before a change makes a new one; 0: there is none."""

READ_COPY_PAUSE_TIMES = 4
"""Of a large file, a copy is made less often: after one that took t, none begins for this many t."""

COPY_TIMEOUT_S = 60.0
COPY_BYTES_PER_S_MIN = 10 * 1024**2
"""A disk copies 200 MB/s and more; slower than this, on top of the time to start, something is wrong with it."""

_STEP = "make the read copy"
_NEVER_CHECKPOINT = "1TB"
_CREATE = """
CREATE OR REPLACE TABLE read_copy AS
SELECT CAST(? AS TIMESTAMP) AS taken_at, newest.domain, newest.at.epoch AS epoch, newest.at.sequence AS sequence,
    newest.at.committed_at AS committed_at
FROM (SELECT 1) LEFT JOIN (
    SELECT domain, MAX({'epoch': epoch, 'sequence': sequence, 'committed_at': committed_at}) AS at
    FROM golden_history GROUP BY domain
) AS newest ON TRUE
"""

_LOG = logging.getLogger(__name__)


def read_copy_path(path: str | Path) -> Path:
    """Return where the read copy of a warehouse file is: ``warehouse.read.duckdb`` of ``warehouse.duckdb``."""
    file = Path(os.path.realpath(path))
    return file.with_name(f"{file.stem}.read{file.suffix}")


def _now() -> datetime:
    return datetime.now(UTC)


class ReadCopy:
    """Makes the read copies of one file, for the one process that writes it. Not safe for use by several threads.

    No method raises because a copy fails: the older copy stays, the fault is logged, and the next change tries again.
    """

    def __init__(
        self,
        path: str,
        age_s: float,
        *,
        clock: Callable[[], datetime] = _now,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the warehouse file, and how old its copy may be; with 0 ``opened`` removes the copy that is there."""
        self._source = os.path.realpath(path)
        self._copy = read_copy_path(path)
        self._draft = Path(f"{self._copy}{COPY_SUFFIX}")
        self._age_s = age_s
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._child: subprocess.Popen[bytes] | None = None
        self._threshold = ""
        self._begun_s = float("-inf")
        self._pause_s = 0.0
        self._changed = False

    @property
    def is_running(self) -> bool:
        """Whether a child copies the file at this moment; the connection must not be closed meanwhile."""
        return self._child is not None

    def opened(self) -> None:
        """Note that the file was opened for writing: remove what a crash has left, and an abandoned copy."""
        self._draft.unlink(missing_ok=True)
        if not self._age_s:
            self._copy.unlink(missing_ok=True)
        elif not self._copy.exists() or self._is_behind():
            self._changed = True

    def changed(self, session: DuckDbSession) -> None:
        """Note that a batch was committed; publish a copy that is ready, and begin one that is due."""
        self._changed = True
        if not self._age_s:
            return
        self._guarded(session, self._go_on)

    def publish(self, session: DuckDbSession) -> None:
        """Wait until the copy holds all that was committed; at once if it does. Called before the file is closed."""
        if self._age_s and (self._changed or self.is_running):
            self._guarded(session, self._catch_up)

    def renew(self, session: DuckDbSession) -> None:
        """Replace the copy, if there is one, by one of the file as it is now; where that fails, remove it.

        For what must not stay in it: nothing of an older copy is left, nor of a draft.
        """
        self.abandon()
        self._draft.unlink(missing_ok=True)
        if not self._copy.exists():
            return
        older = self._copy.stat().st_ino
        self._guarded(session, lambda session: self._catch_up(session, anyway=True))
        if self._copy.exists() and self._copy.stat().st_ino == older:
            self._copy.unlink()

    def abandon(self) -> None:
        """Stop a copy that is under way, without a connection to tell: it may be lost already."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()
            self._draft.unlink(missing_ok=True)
            self._changed = True

    def _guarded(self, session: DuckDbSession, work: Callable[[DuckDbSession], None]) -> None:
        try:
            work(session)
        except (MdmError, OSError) as error:
            said = str(error) if isinstance(error, MdmError) else os.strerror(error.errno or 0)
            _LOG.warning("the read copy %s stays as it was: %s", self._copy, said)

    def _go_on(self, session: DuckDbSession) -> None:
        if self._child is not None:
            if self._child.poll() is None:
                return
            self._end(session)
        if self._changed and self._monotonic_s() - self._begun_s >= max(self._age_s, self._pause_s):
            self._begin(session)

    def _catch_up(self, session: DuckDbSession, *, anyway: bool = False) -> None:
        if self._child is not None:
            self._end(session)
        if self._changed or anyway:
            self._begin(session)
            self._end(session)

    def _begin(self, session: DuckDbSession) -> None:
        self._begun_s = self._monotonic_s()
        if not self._threshold:
            [(self._threshold,)] = session.execute("SELECT current_setting('checkpoint_threshold')", step=_STEP)
        session.execute(_CREATE, (timestamp_text(self._clock()),), step=_STEP)
        session.execute("CHECKPOINT", step=_STEP)
        session.execute(f"SET checkpoint_threshold = '{_NEVER_CHECKPOINT}'", step=_STEP)
        self._draft.unlink(missing_ok=True)
        command = [sys.executable, "-I", "-S", copy_file.__file__, self._source, str(self._draft)]
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own script
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
            )
        except OSError:
            self._allow_checkpoints(session)
            raise
        self._changed = False

    def _end(self, session: DuckDbSession) -> None:
        """Wait for the child and put what it made in place of the older copy."""
        assert self._child is not None
        try:
            timeout_s = COPY_TIMEOUT_S + Path(self._source).stat().st_size / COPY_BYTES_PER_S_MIN
            took_s, _ = self._child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            took_s = b""
        if self._child.returncode or not took_s:
            self.abandon()
            self._allow_checkpoints(session)
            raise TransientError(f"the warehouse file {self._source} could not be copied; is there room on the disk?")
        self._child = None
        self._pause_s = READ_COPY_PAUSE_TIMES * float(took_s)
        self._allow_checkpoints(session)
        self._draft.replace(self._copy)
        _flush_folder(self._copy.parent)

    def _allow_checkpoints(self, session: DuckDbSession) -> None:
        session.execute(f"SET checkpoint_threshold = '{self._threshold}'", step=_STEP)

    def _is_behind(self) -> bool:
        """Tell whether the file was written to after its copy: by a process that died before it made one."""
        files = [file for file in (Path(self._source), Path(f"{self._source}.wal")) if file.exists()]
        return max((file.stat().st_mtime_ns for file in files), default=0) > self._copy.stat().st_mtime_ns


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
