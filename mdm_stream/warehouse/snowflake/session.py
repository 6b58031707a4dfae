"""A Snowflake connection that runs the shared statements: staging by PUT and COPY of one NDJSON file a batch.

The file goes to the stage of a temporary table, so it needs no object that outlives the session and no grant beyond
USAGE on database and schema. Its name is the digest of its content; COPY runs with FORCE because the same batch may
come again, and PURGE removes the file.

Each statement commits by itself. A reader can see the history of a batch some moments before its golden records; the
version guards make a crash between two statements harmless.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import orjson

from mdm_stream.aws.retry import full_jitter
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.errors import ConfigurationError, MdmError
from mdm_stream.warehouse.dialect import SNOWFLAKE, Dialect, snowflake_dialect
from mdm_stream.warehouse.faults import LockNotReleasedError, translate_snowflake
from mdm_stream.warehouse.rows import EXTRACTED_COLUMNS, STAGED_COLUMNS, timestamp_text
from mdm_stream.warehouse.snowflake.limits import (
    ANSWER_MARGIN_S,
    LOCK_PAUSE_S,
    LOCK_PAUSE_S_MAX,
    STATEMENT_TIMEOUT_S_MAX,
    Limits,
)
from mdm_stream.warehouse.snowflake.parameters import PINNED, query_tag

_DEFAULTS: dict[str, object] = {
    "application": "mdm_stream",
    "autocommit": True,
    "paramstyle": "qmark",
    # Otherwise each login asks the metadata services of three clouds and STS where and as whom the process runs.
    "platform_detection_timeout_seconds": 0.0,
}
BATCH_DIGITS = 16
"""So much of the digest of what is staged names a batch: one that is delivered again has the same name."""

DEFAULT_LIMITS = Limits()

RETENTION_DAYS = 1
"""Dynamic tables and streams read the changes of a table out of its Time Travel, so that 0 would shut them out. An
erasure is complete a day later, as on a Kinesis stream. What was lost by mistake is rebuilt from feed or archive."""


class SnowflakeSession:
    """One logged-in session with its temporary staging tables. Not safe for use by several threads at once."""

    dialect: Dialect

    def __init__(
        self, connect_args: Mapping[str, Any], limits: Limits = DEFAULT_LIMITS, retention_days: int = RETENTION_DAYS
    ) -> None:
        """Log in with the arguments of ``snowflake.connector.connect``; ours are defaults that they override.

        ``retention_days``: Time Travel of the tables that this session makes.
        """
        self.dialect = snowflake_dialect(retention_days)
        self.statements = 0
        self._limits = limits
        self._unlimited = False
        self._has_staged = self._has_needles = False
        self._tag = query_tag()
        self._connection = _connect(connect_args, limits)
        try:
            for sql in (_CREATE_STAGED_LINE, _CREATE_STAGED_ROW):
                self.execute(sql, step="create the staging tables")
        except BaseException:
            with suppress(MdmError):
                self.close()
            raise

    def execute(self, sql: str, parameters: Sequence[object] = (), *, step: str) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        return self._run(step, sql, tuple(parameters) or None)

    def stage(self, ndjson: bytes, applied_at: datetime) -> None:
        """Replace the content of ``staged_row``."""
        self.clear_staging()
        self.tag_batch(domain_of(ndjson), digest_of_bytes(ndjson)[:BATCH_DIGITS])
        self._has_staged = True
        self._load_lines(ndjson)
        self._run("stage", _INSERT_STAGED_ROW, (timestamp_text(applied_at),))

    def stage_needles(self, parts: Sequence[str]) -> None:
        """Replace the content of ``staged_needle``, through a file: Snowflake keeps parameters for seven days."""
        self._run("create the staging tables", _CREATE_STAGED_NEEDLE)
        self.clear_needles()
        self._has_needles = True
        self._load_lines(b"".join(orjson.dumps({"number": n, "part": part}) + b"\n" for n, part in enumerate(parts)))
        self._run("stage what to look for", _INSERT_STAGED_NEEDLE)

    def clear_needles(self) -> None:
        """Empty ``staged_needle``, and the lines that it was made of, unless nothing was staged there."""
        if self._has_needles:
            self._run("clear the staging tables", "TRUNCATE TABLE staged_line")
            self._run("clear the staging tables", "TRUNCATE TABLE staged_needle")
            self._has_needles = False

    def _load_lines(self, ndjson: bytes) -> None:
        """Add the lines of a file to ``staged_line``."""
        name = f"{digest_of_bytes(ndjson)}.ndjson"
        put = f"PUT file://{name} @%staged_line AUTO_COMPRESS = TRUE OVERWRITE = TRUE"
        self._run("upload the staged file", put, file_stream=io.BytesIO(ndjson))
        copy = (
            f"COPY INTO staged_line FROM @%staged_line/{name}.gz FILE_FORMAT = (TYPE = JSON) FORCE = TRUE PURGE = TRUE"
        )
        try:
            self._run("copy the staged file", copy)
        except BaseException:
            with suppress(MdmError):  # the stage goes with the session
                self._run("remove the staged file", "REMOVE @%staged_line")
            raise

    def tag_batch(self, domain: str, batch: str) -> None:
        """Tag the statements until ``clear_staging`` with a batch and its first domain."""
        self._tag = query_tag(domain=domain, batch=batch)

    def clear_staging(self) -> None:
        """Empty both staging tables, unless nothing was staged since the last time; ``PURGE`` has removed the file.

        That ends the batch.
        """
        if self._has_staged:
            self._run("clear the staging tables", "TRUNCATE TABLE staged_line")
            self._run("clear the staging tables", "TRUNCATE TABLE staged_row")
            self._has_staged = False
        self._tag = query_tag()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do nothing: each statement commits by itself, as the module's docstring says."""
        yield

    @contextmanager
    def without_limit(self) -> Iterator[None]:
        """Let statements run for as long as Snowflake allows: verification reads every row of every table."""
        before, self._unlimited = self._unlimited, True
        try:
            yield
        finally:
            self._unlimited = before

    def close(self) -> None:
        """Log out; the temporary tables and staged files go with the session."""
        import snowflake.connector  # noqa: PLC0415

        try:
            self._connection.close()
        except snowflake.connector.errors.Error as error:
            raise translate_snowflake(error, "close") from error

    def _run(
        self, step: str, sql: str, parameters: tuple[object, ...] | None = None, **options: Any
    ) -> list[tuple[Any, ...]]:
        deadline_s, attempt = time.monotonic() + self._limits.lock_timeout_s, 0
        while True:
            try:
                return self._run_once(step, sql, parameters, options)
            except LockNotReleasedError:
                pause_s = full_jitter(attempt, LOCK_PAUSE_S, LOCK_PAUSE_S_MAX)
                if time.monotonic() + pause_s >= deadline_s:
                    raise
            attempt += 1
            time.sleep(pause_s)

    def _run_once(
        self, step: str, sql: str, parameters: tuple[object, ...] | None, options: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        import snowflake.connector  # noqa: PLC0415 - a laptop that writes to DuckDB does not carry the connector

        self.statements += 1
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, parameters, **self._statement_options(), **options)
                return list(cursor.fetchall())
        except snowflake.connector.errors.Error as error:
            raise translate_snowflake(error, step) from error

    def _statement_options(self) -> dict[str, Any]:
        """Return the tag and the limits of the next statement: the server's, and the later one of this side."""
        if self._unlimited:
            own = {"QUERY_TAG": query_tag(), "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_TIMEOUT_S_MAX}
            return {"timeout": STATEMENT_TIMEOUT_S_MAX, "_statement_params": own}
        own = {"QUERY_TAG": self._tag}
        return {"timeout": self._limits.statement_timeout_s + ANSWER_MARGIN_S, "_statement_params": own}


def domain_of(ndjson: bytes) -> str:
    """Return the domain of the first row; a batch is of one shard, which most often carries one domain."""
    first, _, _ = ndjson.partition(b"\n")
    return str(orjson.loads(first).get("domain") or "") if first else ""


def _connect(connect_args: Mapping[str, Any], limits: Limits) -> Any:
    try:
        import snowflake.connector  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            "the Snowflake connector is not installed; install mdm-stream with the extra 'snowflake'"
        ) from error
    given = dict(connect_args)
    ours = {**_DEFAULTS, **limits.connect_args()}
    session_parameters = {**PINNED, **limits.session_parameters(), "QUERY_TAG": query_tag()}
    session_parameters |= given.pop("session_parameters", {})
    try:
        return snowflake.connector.connect(**{**ours, **given}, session_parameters=session_parameters)
    except snowflake.connector.errors.Error as error:
        raise translate_snowflake(error, "log in") from error


_NO_TIME_TRAVEL = "DATA_RETENTION_TIME_IN_DAYS = 0"
"""Staged rows must not outlive the batch: Snowflake would keep those of a temporary table for a day."""

_CREATE_STAGED_LINE = f"CREATE TEMPORARY TABLE IF NOT EXISTS staged_line (line {SNOWFLAKE.json}) {_NO_TIME_TRAVEL}"
_CREATE_STAGED_NEEDLE = (
    f"CREATE TEMPORARY TABLE IF NOT EXISTS staged_needle (number {SNOWFLAKE.integer}, part {SNOWFLAKE.text}) "
    f"{_NO_TIME_TRAVEL}"
)
_INSERT_STAGED_NEEDLE = (
    "INSERT INTO staged_needle "  # noqa: S608 - made of declared type names
    f"SELECT line['number']::{SNOWFLAKE.integer}, line['part']::{SNOWFLAKE.text} "
    "FROM staged_line"
)
_CREATE_STAGED_ROW = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS staged_row ("
    + ", ".join(f"{name} {getattr(SNOWFLAKE, kind)}" for name, kind in STAGED_COLUMNS)
    + "".join(f", {name} {SNOWFLAKE.json}" for name, _ in EXTRACTED_COLUMNS)
    + f", applied_at {SNOWFLAKE.timestamp}) {_NO_TIME_TRAVEL}"
)
_INSERT_STAGED_ROW = (
    "INSERT INTO staged_row SELECT "  # noqa: S608 - made of declared column names
    + ", ".join(f"line['{name}']::{getattr(SNOWFLAKE, kind)}" for name, kind in STAGED_COLUMNS)
    + "".join(f", line['document']['{key}']" for _, key in EXTRACTED_COLUMNS)
    + f", CAST(? AS {SNOWFLAKE.timestamp}) FROM staged_line"
)
