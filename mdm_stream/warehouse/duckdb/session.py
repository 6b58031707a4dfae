"""A DuckDB connection that runs the shared statements: staging from memory through an NDJSON file.

DuckDB's prepared inserts cost about a millisecond a row; its NDJSON reader takes a batch of 500 rows in some 25 ms
and needs neither pandas nor Arrow. The file lives only while the batch is loaded (see ``staged_file``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from mdm_stream.errors import ConfigurationError
from mdm_stream.files import FILE_MODE
from mdm_stream.warehouse.dialect import DUCKDB
from mdm_stream.warehouse.duckdb.staged_file import IN_MEMORY, remove_leftovers, staged_file
from mdm_stream.warehouse.faults import duckdb_lock_error, is_duckdb_lock, translate_duckdb
from mdm_stream.warehouse.quick_rows import DELIMITER, NULL, QUICK_COLUMNS
from mdm_stream.warehouse.rows import EXTRACTED_COLUMNS, STAGED_COLUMNS, timestamp_text

_LOCK_POLL_S = 0.05
CHECKPOINT_MB = 256
"""How large the log may grow before it is written back. A batch of 5,000 golden changes writes 20 MB, so by DuckDB's
own 16 MB each commit would write everything twice; a log of this size is read in some seconds after a crash."""
_LINE_BYTES = 64 * 1024 * 1024
"""Room for one staged row, or more if one needs it: a feed record has at most 10 MiB, what a claim check leads to any
size."""


class DuckDbSession:
    """One open connection. Not safe for use by several threads at once; its owner serialises."""

    dialect = DUCKDB

    def __init__(self, path: str, *, read_only: bool, lock_wait_ms: int) -> None:
        """Open ``path``, waiting up to ``lock_wait_ms`` for another process to close it.

        Raises ``WarehouseBusyError`` when it does not, ``ConfigurationError`` when the path cannot be used.
        """
        self.path = path
        self.statements = 0
        self._connection = connect(path, read_only=read_only, lock_wait_ms=lock_wait_ms)
        self._has_staged = self._has_needles = False
        if not read_only:
            remove_leftovers(path)
            self.execute(f"SET checkpoint_threshold = '{CHECKPOINT_MB}MB'", step="set the size of the log")
            self.execute(_CREATE_STAGED_ROW, step="create the staging table")

    def execute(self, sql: str, parameters: Sequence[object] = (), *, step: str) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        import duckdb  # noqa: PLC0415 - a Lambda that writes to Snowflake does not carry DuckDB

        self.statements += 1
        try:
            return list(self._connection.execute(sql, list(parameters)).fetchall())
        except duckdb.Error as error:
            raise translate_duckdb(error, step) from error

    def stage(self, ndjson: bytes, applied_at: datetime) -> None:
        """Replace the content of ``staged_row``."""
        with staged_file(ndjson, self.path) as file:
            self.clear_staging()
            self._has_staged = True
            insert = _INSERT_STAGED_ROW.format(line_bytes_max=max(_LINE_BYTES, len(ndjson)))
            self.execute(insert, (timestamp_text(applied_at), file), step="stage")

    def stage_lines(self, lines: bytes, applied_at: datetime) -> None:
        """Add rows in the form of ``quick`` to those of ``staged_row``."""
        with staged_file(lines, self.path) as file:
            self._has_staged = True
            insert = _INSERT_STAGED_LINES.format(line_bytes_max=max(_LINE_BYTES, len(lines)))
            self.execute(insert, (timestamp_text(applied_at), file), step="stage")

    def clear_staging(self) -> None:
        """Empty ``staged_row``, which is in memory, unless nothing was staged since the last time."""
        if self._has_staged:
            self.execute("DELETE FROM staged_row", step="clear the staging table")
            self._has_staged = False

    def stage_needles(self, parts: Sequence[str]) -> None:
        """Replace the content of ``staged_needle``, which is in memory; parameters are kept nowhere here."""
        self.execute(_CREATE_STAGED_NEEDLE, step="create the staging table")
        self.clear_needles()
        self._has_needles = True
        insert = "INSERT INTO staged_needle SELECT UNNEST(?), UNNEST(?)"
        self.execute(insert, (list(range(len(parts))), list(parts)), step="stage what to look for")

    def clear_needles(self) -> None:
        """Empty ``staged_needle``, unless nothing was staged there since the last time."""
        if self._has_needles:
            self.execute("DELETE FROM staged_needle", step="clear the staging table")
            self._has_needles = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the statements inside one atomic change: readers see all of a batch or none of it."""
        self.execute("BEGIN TRANSACTION", step="begin")
        try:
            yield
            self.execute("COMMIT", step="commit")
        except BaseException:
            self._rollback()
            raise

    def close(self) -> None:
        """Close the file, which writes its log back and lets other processes open it."""
        self._connection.close()

    def _rollback(self) -> None:
        import duckdb  # noqa: PLC0415

        try:
            self._connection.execute("ROLLBACK")
        except duckdb.Error:
            # The first error is the one to report; a connection that cannot roll back is reopened by its owner.
            return


def connect(path: str, *, read_only: bool, lock_wait_ms: int) -> Any:
    """Return DuckDB's own connection to a file, which may have been waited for; raises as ``DuckDbSession`` does."""
    try:
        import duckdb  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError("DuckDB is not installed; install mdm-stream with the extra 'local'") from error
    if path != IN_MEMORY:
        _check_path(path, read_only=read_only)
        # Under two names DuckDB would open one file twice, and the first to be closed would give up the other's lock.
        path = os.path.realpath(path)
    deadline = time.monotonic() + lock_wait_ms / 1000
    while True:
        before = _identity(path)
        try:
            connection = duckdb.connect(path, read_only=read_only, config={"autoinstall_known_extensions": "false"})
        except duckdb.ConnectionException as error:
            raise ConfigurationError(
                f"the warehouse file {path} is already open in this process in another mode; close that one first"
            ) from error
        except duckdb.Error as error:
            if not is_duckdb_lock(error):
                raise translate_duckdb(error, f"open {path}") from error
            if time.monotonic() >= deadline:
                raise duckdb_lock_error(error, path, lock_wait_ms) from error
            time.sleep(_LOCK_POLL_S)
            continue
        if before is None and path != IN_MEMORY:
            Path(path).chmod(FILE_MODE)  # one that was there keeps what its owner gave it
        if before in (None, _identity(path)):
            return connection
        # A purge put a new file in this place between our opening the old one and our lock on it.
        connection.close()


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells the file at a path from another one at the same path; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - the path may be DuckDB's name for memory
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _check_path(path: str, *, read_only: bool) -> None:
    file = Path(path)
    if not file.parent.is_dir():
        raise ConfigurationError(f"the folder of the warehouse file {path} does not exist; create it")
    if read_only and not file.exists():
        raise ConfigurationError(f"there is no warehouse file {path} yet; it appears with the first golden change")


_STRUCT = ", ".join(f"{name}: '{getattr(DUCKDB, kind)}'" for name, kind in STAGED_COLUMNS)
_COLUMN_NAMES = ", ".join(name for name, _ in STAGED_COLUMNS)
_CREATE_STAGED_NEEDLE = f"CREATE TEMP TABLE IF NOT EXISTS staged_needle (number {DUCKDB.integer}, part {DUCKDB.text})"
_CREATE_STAGED_ROW = (
    "CREATE TEMP TABLE staged_row ("
    + ", ".join(f"{name} {getattr(DUCKDB, kind)}" for name, kind in STAGED_COLUMNS)
    + "".join(f", {name} {DUCKDB.json}" for name, _ in EXTRACTED_COLUMNS)
    + f", applied_at {DUCKDB.timestamp})"
)
_LINE_TYPES = {name: DUCKDB.text if kind == "json" else getattr(DUCKDB, kind) for name, kind in STAGED_COLUMNS}
_LINE_COLUMNS = ", ".join(f"'{name}': '{_LINE_TYPES.get(name, DUCKDB.text)}'" for name in QUICK_COLUMNS)
_INSERT_STAGED_LINES = (
    f"INSERT INTO staged_row ({', '.join(QUICK_COLUMNS)}, applied_at) "  # noqa: S608 - made of declared column names
    f"SELECT {', '.join(QUICK_COLUMNS)}, CAST(? AS {DUCKDB.timestamp}) "
    "FROM read_csv(?, auto_detect = false, header = false, quote = '', escape = '', comment = '', "
    f"delim = '{DELIMITER}', nullstr = '{NULL}', new_line = '\\n', strict_mode = true, "
    f"max_line_size = {{line_bytes_max}}, columns = {{{{{_LINE_COLUMNS}}}}})"
)
_INSERT_STAGED_ROW = (
    f"INSERT INTO staged_row SELECT {_COLUMN_NAMES}"  # noqa: S608 - made of declared column names
    + "".join(f", json_extract(document, '$.{key}')" for _, key in EXTRACTED_COLUMNS)
    + f", CAST(? AS {DUCKDB.timestamp}) FROM read_json(?, format = 'newline_delimited', "
    f"maximum_object_size = {{line_bytes_max}}, columns = {{{{{_STRUCT}}}}})"
)
