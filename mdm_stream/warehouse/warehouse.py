"""The warehouse: golden feed messages in, tables out, the same on DuckDB and Snowflake.

Messages may come late, twice and in any order, in batches of any size, and a process may die between any two
statements: once each message has been applied at least once, the tables are the same (``applied_at`` aside).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.errors import MdmError, TerminalError
from mdm_stream.warehouse import statements
from mdm_stream.warehouse.duckdb_session import DuckDbSession
from mdm_stream.warehouse.faults import SessionLostError
from mdm_stream.warehouse.migrations import check_schema, migrate
from mdm_stream.warehouse.rows import StagedBatch, stage_batch, timestamp_text
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.snowflake_session import SnowflakeSession

MESSAGES_PER_APPLY_MAX = 10_000
"""The largest batch that a Kinesis event source delivers."""

RECONNECTS_MAX = 1
"""A lost session is replaced at once, one time; a second loss is the event source's to retry."""

LOCK_WAIT_MS = 2_000
"""How long opening a DuckDB file waits for the process that holds it."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Applied:
    """What one ``apply`` was given; messages that changed nothing count too."""

    changes: int
    reports: int
    oldest_committed_at: datetime | None


class Warehouse(Protocol):
    """Where golden changes are kept for analysis."""

    def apply(self, envelopes: Sequence[FeedEnvelope]) -> Applied:
        """Apply a micro-batch. Idempotent. On an error nothing may be assumed: apply the batch again."""
        ...

    def finish_epoch(self, domain: str, epoch: int, finished_at: datetime) -> None:
        """End whatever earlier epochs said of the domain and this one has not restated. Idempotent."""
        ...

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one reading statement with ``?`` parameters. JSON columns come as JSON text."""
        ...

    def close(self) -> None:
        """Release the connection (and the DuckDB file). The next call opens it again."""
        ...


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqlWarehouse:
    """The one implementation over a ``Session``, which it opens on first use, keeps, and replaces when it is lost.

    Safe for use by several threads: calls wait for one another, since a session has one staging table.
    """

    def __init__(
        self, connect: Callable[[], Session], *, read_only: bool = False, clock: Callable[[], datetime] = _utc_now
    ) -> None:
        """Take how to open a session. Nothing is opened yet. A read-only warehouse does not migrate."""
        self._connect = connect
        self._read_only = read_only
        self._clock = clock
        self._session: Session | None = None
        self._lock = threading.Lock()

    def apply(self, envelopes: Sequence[FeedEnvelope]) -> Applied:
        """Apply a micro-batch of at most ``MESSAGES_PER_APPLY_MAX`` messages; see ``Warehouse.apply``."""
        self._check_writable()
        if len(envelopes) > MESSAGES_PER_APPLY_MAX:
            raise ValueError(f"a batch holds at most {MESSAGES_PER_APPLY_MAX} messages")
        batch = stage_batch(envelopes)
        if envelopes:
            applied_at = self._clock()
            self._run(lambda session: _apply(session, batch, applied_at))
        return Applied(batch.changes, batch.reports, batch.oldest_committed_at)

    def finish_epoch(self, domain: str, epoch: int, finished_at: datetime) -> None:
        """Mark golden records of earlier epochs that ``epoch`` has not restated as retired, and free their records.

        Call it once every change of the restatement has been applied; ``finished_at`` is when that was (aware time).
        The ended rows stand at (epoch, 0), below every change of that epoch, so that calling too early, twice, or
        among redeliveries does no harm. The first ``finished_at`` of an epoch is kept.
        """
        self._check_writable()
        if epoch < 1:
            raise ValueError("epochs count from 1")
        applied_at = self._clock()
        self._run(lambda session: _finish_epoch(session, domain, epoch, finished_at, applied_at))

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one reading statement; see ``Warehouse.query``."""
        return self._run(lambda session: session.execute(sql, parameters, step="query"))

    def close(self) -> None:
        """Release the connection; see ``Warehouse.close``."""
        with self._lock:
            self._discard()

    def _run(self, work: Callable[[Session], _Result]) -> _Result:
        with self._lock:
            for attempt in range(RECONNECTS_MAX + 1):
                try:
                    return work(self._open())
                except SessionLostError:
                    self._discard()
                    if attempt == RECONNECTS_MAX:
                        raise
        raise AssertionError("the loop returns or raises")

    def _open(self) -> Session:
        if self._session is None:
            session = self._connect()
            try:
                (check_schema if self._read_only else migrate)(session)
            except BaseException:
                with suppress(MdmError):
                    session.close()
                raise
            self._session = session
        return self._session

    def _discard(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            # A session that is lost cannot be closed either, and nothing depends on its end.
            with suppress(MdmError):
                session.close()

    def _check_writable(self) -> None:
        if self._read_only:
            raise TerminalError("this warehouse was opened read-only; open it for writing to apply changes")


class DuckDbWarehouse(SqlWarehouse):
    """The embedded warehouse: one DuckDB file, or memory with the path ``:memory:`` (gone with ``close``).

    One process may write and none read beside it, or several read. A writer therefore closes the file when it is
    idle, and whoever opens it waits up to ``lock_wait_ms`` before giving up with ``WarehouseBusyError``.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        read_only: bool = False,
        lock_wait_ms: int = LOCK_WAIT_MS,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Take the file's path; its folder must exist."""
        connect = partial(DuckDbSession, str(path), read_only=read_only, lock_wait_ms=lock_wait_ms)
        super().__init__(connect, read_only=read_only, clock=clock)


class SnowflakeWarehouse(SqlWarehouse):
    """The warehouse in a Snowflake schema, through the Python connector."""

    def __init__(self, connect_args: Mapping[str, Any], *, clock: Callable[[], datetime] = _utc_now) -> None:
        """Take the arguments of ``snowflake.connector.connect``, with database and schema among them."""
        super().__init__(partial(SnowflakeSession, connect_args), clock=clock)


def _apply(session: Session, batch: StagedBatch, applied_at: datetime) -> None:
    render = session.dialect.render
    with session.transaction():
        session.stage(batch.ndjson, applied_at)
        if batch.changes:
            session.execute(render(statements.MERGE_HISTORY), step="merge golden_history")
            session.execute(render(statements.MERGE_GOLDEN_RECORD), step="merge golden_record")
        if batch.claims:
            session.execute(render(statements.MERGE_CROSSWALK), step="merge crosswalk")
        if batch.reports:
            session.execute(render(statements.MERGE_QUARANTINED_EVENT), step="merge quarantined_event")


def _finish_epoch(session: Session, domain: str, epoch: int, finished_at: datetime, applied_at: datetime) -> None:
    render, step = session.dialect.render, "finish epoch"
    now = timestamp_text(applied_at)
    with session.transaction():
        marker = (domain, epoch, timestamp_text(finished_at))
        session.execute(render(statements.INSERT_FINISHED_EPOCH), marker, step=step)
        # A later epoch may have been finished before; what counts is the latest one.
        floor, floor_at = session.execute(render(statements.SELECT_EPOCH_FLOOR), (domain,), step=step)[0]
        ended_at = timestamp_text(floor_at.replace(tzinfo=UTC))
        session.execute(render(statements.END_GOLDEN_RECORDS), (floor, ended_at, now, domain, floor), step=step)
        session.execute(render(statements.END_CROSSWALK), (floor, now, domain, floor), step=step)
