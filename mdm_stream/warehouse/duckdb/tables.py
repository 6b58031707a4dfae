"""The tables of a local warehouse, read by people and programs: any query, and an export of whole tables.

A reader opens the read copy, which no writer ever holds, and the file itself only where it is asked to or there is no
copy. What it runs can read the warehouse and nothing else: no other file, no network, no change, and not without end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.warehouse.duckdb.read_copy import read_copy_path
from mdm_stream.warehouse.duckdb.session import connect
from mdm_stream.warehouse.faults import DUCKDB_SESSION_LOST, translate_duckdb

SQL_MEMORY_MB = 1_024
"""Memory that a query may take; what needs more is refused, and nothing is put into temporary files."""
SQL_TIMEOUT_S = 60.0
"""How long a query may run."""
FETCH_ROWS = 1_000

_READING = {"SELECT", "EXPLAIN"}
"""Kinds of statements that are run. SHOW, DESCRIBE and SUMMARIZE are SELECTs to DuckDB."""
_OF_THE_TEXT = {"BinderException", "CatalogException", "ParserException", "SyntaxException"}
"""Errors whose message speaks of the statement alone, and of no row."""

_POSITIONS = """
SELECT domain, MAX({'epoch': epoch, 'sequence': sequence, 'committed_at': committed_at}) FROM golden_history
GROUP BY domain ORDER BY domain
"""


class QueryError(ConfigurationError):
    """A statement that cannot be run as it is: it must be changed."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a domain has come: its greatest (epoch, sequence), and the engine's time of it, in UTC."""

    epoch: int
    sequence: int
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class AsOf:
    """Which state is read: since ``taken_at`` nothing more is in it; the file itself is as of when it was opened."""

    file: Path
    is_copy: bool
    taken_at: datetime
    positions: Mapping[str, Position]


class LocalTables:
    """The tables of one file, open for reading. Not safe for use by several threads."""

    def __init__(self, connection: Any, file: Path, *, is_copy: bool) -> None:
        """Take an open connection, which the caller closes."""
        self._connection = connection
        self._file = file
        self._is_copy = is_copy

    def as_of(self) -> AsOf:
        """Return which state this is."""
        positions = {
            domain: Position(at["epoch"], at["sequence"], at["committed_at"].replace(tzinfo=UTC))
            for domain, at in self.execute(_POSITIONS).fetchall()
        }
        taken_at = datetime.now(UTC)
        if self._is_copy:
            taken_at = self.execute("SELECT taken_at FROM read_copy LIMIT 1").fetchall()[0][0].replace(tzinfo=UTC)
        return AsOf(self._file, self._is_copy, taken_at, positions)

    def names(self) -> tuple[list[str], list[str]]:
        """Return the names of the tables and those of the views, sorted."""
        found = self.execute(
            "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'main' ORDER BY 1"
        ).fetchall()
        return [name for name, kind in found if kind != "VIEW"], [name for name, kind in found if kind == "VIEW"]

    def query(self, sql: str, *, timeout_s: float = SQL_TIMEOUT_S) -> tuple[list[str], Generator[tuple[Any, ...]]]:
        """Run one reading statement; return the names of its columns, and its rows one after the other.

        ``QueryError`` for a statement that is none, more than one, or wrong; ``TransientError`` where it takes longer
        than ``timeout_s`` or more memory than it may.
        """
        self._require_reading(sql)
        watch = threading.Timer(timeout_s, self._connection.interrupt)
        watch.daemon = True
        watch.start()
        try:
            cursor = self.execute(sql, timeout_s=timeout_s)
        except BaseException:
            watch.cancel()
            raise
        return [column[0] for column in cursor.description], self._rows(cursor, watch, timeout_s)

    def execute(self, sql: str, parameters: Sequence[object] = (), *, timeout_s: float = SQL_TIMEOUT_S) -> Any:
        """Run a statement of our own, and return the cursor."""
        with _told(timeout_s):
            return self._connection.execute(sql, list(parameters))

    def _rows(self, cursor: Any, watch: threading.Timer, timeout_s: float) -> Generator[tuple[Any, ...]]:
        try:
            while True:
                with _told(timeout_s):
                    rows = cursor.fetchmany(FETCH_ROWS)
                if not rows:
                    return
                yield from rows
        finally:
            watch.cancel()

    def _require_reading(self, sql: str) -> None:
        with _told(0):
            statements = self._connection.extract_statements(sql)
        if len(statements) != 1:
            raise QueryError(f"give one statement, not {len(statements)}")
        kind = statements[0].type.name
        if kind not in _READING:
            raise QueryError(
                f"this is {kind}; only statements that read are run: SELECT, WITH, DESCRIBE, SHOW, EXPLAIN"
            )


@contextmanager
def open_tables(
    path: str | Path,
    *,
    live: bool = False,
    memory_mb: int = SQL_MEMORY_MB,
    lock_wait_ms: int = 0,
    write_to: Path | None = None,
) -> Iterator[LocalTables]:
    """Open the read copy of a warehouse file, or the file itself if ``live`` or where there is no copy.

    ``write_to`` is a folder that statements may write to, for an export. ``ConfigurationError`` where there is no file,
    ``WarehouseBusyError`` where another process has the file itself open.
    """
    copy = read_copy_path(path)
    is_copy = not live and copy.exists()
    file = copy if is_copy else Path(os.path.realpath(path))
    connection = connect(str(file), read_only=True, lock_wait_ms=lock_wait_ms)
    try:
        with _told(0):
            connection.execute(f"SET memory_limit = '{memory_mb}MB'")
            connection.execute("SET TimeZone = 'UTC'")
            if write_to is None:
                connection.execute("SET temp_directory = ''")
            else:
                connection.execute("SET allowed_directories = [?]", [str(write_to)])
                connection.execute("SET temp_directory = ?", [str(write_to)])
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
        yield LocalTables(connection, file, is_copy=is_copy)
    finally:
        connection.close()


@contextmanager
def _told(timeout_s: float) -> Iterator[None]:
    """Turn DuckDB's errors into ours; a message is repeated only where it speaks of the statement and not of rows."""
    import duckdb  # noqa: PLC0415 - a Lambda that writes to Snowflake does not carry DuckDB

    try:
        yield
    except duckdb.Error as error:
        kind = type(error).__name__
        if kind in _OF_THE_TEXT:
            raise QueryError(str(error).strip()) from error
        if kind == "InterruptException":
            raise TransientError(f"the query took more than {timeout_s:g} s; narrow it or give it more") from error
        if kind == "OutOfMemoryException":
            raise TransientError("the query needs more memory than it may take; narrow it, or allow more") from error
        if kind == "PermissionException":
            raise QueryError("a query reads the warehouse alone, and no other file") from error
        if kind in DUCKDB_SESSION_LOST:
            raise translate_duckdb(error, "query") from error
        raise QueryError(f"the statement cannot be run on these rows ({kind})") from error
