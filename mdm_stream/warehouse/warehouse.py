"""The warehouse: golden feed messages in, tables out, the same on DuckDB and Snowflake.

Messages may come late, twice and in any order, in batches of any size, and a process may die between any two
statements: once each message has been applied at least once, the tables are the same (``applied_at`` aside), and no
value of an erased record is in them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import orjson

from mdm_stream.contracts.evidence import PublishedEvidence, key_and_digest
from mdm_stream.contracts.golden import (
    GoldenChange,
    PublishedGolden,
    published_golden,
)
from mdm_stream.core.model import make_ref
from mdm_stream.errors import MdmError, TerminalError
from mdm_stream.telemetry.spans import Stage
from mdm_stream.warehouse.applied import Applied, applied_by
from mdm_stream.warehouse.dialect import Dialect
from mdm_stream.warehouse.duckdb.file import find_in_file, rewrite_file
from mdm_stream.warehouse.duckdb.read_copy import ReadCopy, read_copy_path
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.duckdb.staged_file import IN_MEMORY
from mdm_stream.warehouse.faults import SessionLostError
from mdm_stream.warehouse.layout import Layout
from mdm_stream.warehouse.merge import MergeLayout
from mdm_stream.warehouse.old_versions import OldVersions
from mdm_stream.warehouse.paging import FIRST_PAGE_ROWS, next_page_rows
from mdm_stream.warehouse.remains import history_with, search
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.staging import FeedMessage

MESSAGES_PER_APPLY_MAX = 10_000
"""The largest batch that a Kinesis event source delivers."""

RECONNECTS_MAX = 1
"""A lost session is replaced at once, one time; a second loss is the event source's to retry."""

LOCK_WAIT_MS = 2_000
"""How long opening a DuckDB file waits for the process that holds it."""

PUBLISHED_PER_QUERY = 5_000
"""Golden records that ``published`` reads at a time, some megabytes, or fewer that are large (see ``paging``)."""

_Result = TypeVar("_Result")


class Warehouse(Protocol):
    """Where golden changes are kept for analysis. ``takes_quick``: it is faster with changes in the form of ``quick``.

    Any warehouse takes them; the tables are the same. ``kind`` is what its stage is called in traces.
    """

    takes_quick: bool
    kind: Stage

    @property
    def appends(self) -> bool:
        """Whether the schema is of the append kind; of the merge kind until it was opened."""
        ...

    @property
    def statements(self) -> int:
        """Statements that were run in the database, those that failed included."""
        ...

    def apply(self, messages: Sequence[FeedMessage]) -> Applied:
        """Apply a micro-batch. Idempotent. On an error nothing may be assumed: apply the batch again."""
        ...

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one reading statement with ``?`` parameters. JSON columns come as JSON text."""
        ...

    def published(self, domain: str) -> Iterator[PublishedGolden]:
        """Yield what the newest change of each golden record says, by golden id, retired ones too. Read in pages."""
        ...

    def published_evidence(self, domain: str) -> Iterator[PublishedEvidence]:
        """Yield what was last said of each record, link and review item, erased records left out. Read in pages."""
        ...

    def erased(self, domain: str) -> list[str]:
        """Return the references of the records whose erasure was applied."""
        ...

    def position(self, domain: str) -> tuple[int, int]:
        """Return the greatest (epoch, sequence) of the domain that was applied, or (0, 0). Erasures count too."""
        ...

    def mentions(self, domain: str, source: str, record_id: str, *, copies: bool = True) -> list[str]:
        """Return the tables that hold a value whose provenance names this source record; it reads every row.

        Those of read copies too, with the copy's name before the table's, unless ``copies`` is false.
        """
        ...

    def search(self, needles: Sequence[str]) -> list[str]:
        """Return the tables that hold one of these texts in any column, or value or key of JSON; it reads every row."""
        ...

    def history_with(self, texts: Sequence[str], rows_max: int) -> Iterator[str]:
        """Yield up to ``rows_max`` payloads of the history for each of these texts that may hold it."""
        ...

    def old_versions(self, domain: str, refs: Collection[str]) -> list[OldVersions]:
        """Return the tables of which the database still keeps old versions of rows of these erased records."""
        ...

    def purge(self) -> bool:
        """Free the storage of what was erased or replaced; False where the database keeps old versions for a time."""
        ...

    def close(self) -> None:
        """Release the connection (and the DuckDB file). The next call opens it again."""
        ...


def utc_now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


class SqlWarehouse:
    """The one implementation over a ``Session``, which it opens on first use, keeps, and replaces when it is lost.

    Safe for use by several threads: calls wait for one another, since a session has one staging table.
    """

    takes_quick = False
    kind: Stage = "duckdb"

    def __init__(
        self,
        connect: Callable[[], Session],
        *,
        read_only: bool = False,
        clock: Callable[[], datetime] = utc_now,
        layout_of: Callable[[Session], Layout] | None = None,
    ) -> None:
        """Take how to open a session, and how to tell the kind of its schema: that of the merge writer if left out.

        Nothing is opened yet. A read-only warehouse does not migrate.
        """
        self._connect = connect
        self._read_only = read_only
        self._clock = clock
        self._session: Session | None = None
        self._statements = 0
        self._layout_of = layout_of
        self._layout: Layout = MergeLayout()
        self._lock = threading.Lock()

    @property
    def appends(self) -> bool:
        """Whether the schema is of the append kind; see ``Warehouse.appends``."""
        return self._layout.appends

    @property
    def statements(self) -> int:
        """Statements that were run; see ``Warehouse.statements``."""
        return self._statements + (0 if self._session is None else self._session.statements)

    def apply(self, messages: Sequence[FeedMessage]) -> Applied:
        """Apply a micro-batch of at most ``MESSAGES_PER_APPLY_MAX`` messages; see ``Warehouse.apply``."""
        self._check_writable()
        if len(messages) > MESSAGES_PER_APPLY_MAX:
            raise ValueError(f"a batch holds at most {MESSAGES_PER_APPLY_MAX} messages")
        if messages:
            applied_at = self._clock()
            self._run(lambda session: self._apply(session, messages, applied_at))
        return applied_by(messages)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one reading statement; see ``Warehouse.query``."""
        return self._look(lambda session: session.execute(sql, parameters, step="query"))

    def dialect(self) -> Dialect:
        """Return the words of the database, which is opened for that."""
        return self._run(lambda session: session.dialect)

    def published(self, domain: str) -> Iterator[PublishedGolden]:
        """Yield what the newest change of each golden record says; see ``Warehouse.published``."""
        last, rows_max = "", min(FIRST_PAGE_ROWS, PUBLISHED_PER_QUERY)
        while rows := self._select(lambda of: of.select_published, domain, last, rows_max):
            content_bytes = sum(len(payload) for (payload,) in rows)
            rows_max = next_page_rows(len(rows), content_bytes, PUBLISHED_PER_QUERY)
            for (payload,) in rows:
                golden = published_golden(GoldenChange.model_validate(orjson.loads(payload)))
                last = golden.golden_id
                yield golden

    def published_evidence(self, domain: str) -> Iterator[PublishedEvidence]:
        """Yield what was last said of records, links and review items; see ``Warehouse.published_evidence``."""
        epoch, sequence, rows_max = 0, 0, min(FIRST_PAGE_ROWS, PUBLISHED_PER_QUERY)
        while rows := self._select(lambda of: of.select_published_evidence, domain, epoch, epoch, sequence, rows_max):
            rows_max = next_page_rows(len(rows), sum(len(payload) for _, _, payload in rows), PUBLISHED_PER_QUERY)
            for epoch, sequence, payload in rows:
                key, digest = key_and_digest(orjson.loads(payload))
                yield PublishedEvidence(key, int(epoch), int(sequence), digest)

    def erased(self, domain: str) -> list[str]:
        """Return the references of erased records; see ``Warehouse.erased``."""
        return [make_ref(*row) for row in self._select(lambda of: of.select_erased, domain)]

    def position(self, domain: str) -> tuple[int, int]:
        """Return the greatest (epoch, sequence) that was applied; see ``Warehouse.position``."""
        rows = self._select(lambda of: of.select_position, domain)
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)

    def mentions(self, domain: str, source: str, record_id: str, *, copies: bool = True) -> list[str]:
        """Return the tables that hold a value of this source record; see ``Warehouse.mentions``."""
        del copies  # this warehouse makes none
        return self._look(lambda session: self._layout.mentions(session, domain, (source, record_id)))

    def search(self, needles: Sequence[str]) -> list[str]:
        """Return the tables that hold one of these texts; see ``Warehouse.search``."""
        return self._look(lambda session: search(session, needles))

    def history_with(self, texts: Sequence[str], rows_max: int) -> Iterator[str]:
        """Yield payloads that may hold a text; see ``Warehouse.history_with``."""
        for text in texts:
            yield from self._look(partial(_history_with, text=text, rows_max=rows_max))

    def old_versions(self, domain: str, refs: Collection[str]) -> list[OldVersions]:
        """Return nothing: no statement reads what a row once was; see ``Warehouse.old_versions``."""
        del domain, refs
        return []

    def purge(self) -> bool:
        """Say that nothing can be promised about the storage; see ``Warehouse.purge``."""
        return False

    def close(self) -> None:
        """Release the connection; see ``Warehouse.close``. What batches have put off is done, if it can be."""
        with self._lock:
            if self._session is not None and not self._read_only:
                with suppress(MdmError):  # the next writer does it
                    self._layout.settle(self._session, self._clock())
            self._discard()

    def _apply(self, session: Session, messages: Sequence[FeedMessage], applied_at: datetime) -> None:
        self._layout.apply(session, messages, applied_at)

    def _select(self, statement_of: Callable[[Layout], str], *parameters: object) -> list[tuple[Any, ...]]:
        def read(session: Session) -> list[tuple[Any, ...]]:
            statement = session.dialect.render(statement_of(self._layout))
            return session.execute(statement, parameters, step="read what was published")

        return self._run(read)

    def _look(self, work: Callable[[Session], _Result]) -> _Result:
        """Do what reads every row for a person who waits for the answer."""
        return self._run(work)

    def _run(self, work: Callable[[Session], _Result]) -> _Result:
        with self._lock:
            for attempt in range(RECONNECTS_MAX + 1):
                try:
                    return work(self._open())
                except SessionLostError:
                    self._discard()
                    if attempt == RECONNECTS_MAX:
                        raise
                except BaseException:
                    self._leave_nothing_staged()
                    raise
        raise AssertionError("the loop returns or raises")

    def _open(self) -> Session:
        if self._session is None:
            session = self._connect()
            try:
                if self._layout_of is not None:
                    self._layout = self._layout_of(session)
                (self._layout.check if self._read_only else self._layout.migrate)(session)
            except BaseException:
                with suppress(MdmError):
                    session.close()
                raise
            self._session = session
        return self._session

    def _leave_nothing_staged(self) -> None:
        """Empty the staging tables after a failure; where that fails too, they go with their session."""
        if self._session is not None:
            try:
                self._session.clear_staging()
                self._session.clear_needles()
            except MdmError:
                self._discard()

    def _discard(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._statements += session.statements
            # A session that is lost cannot be closed either, and nothing depends on its end.
            with suppress(MdmError):
                session.close()

    def _check_writable(self) -> None:
        if self._read_only:
            raise TerminalError("this warehouse was opened read-only; open it for writing to apply changes")


class DuckDbWarehouse(SqlWarehouse):
    """The embedded warehouse: one DuckDB file, or memory with the path ``:memory:`` (gone with ``close``).

    One process may write and none read beside it, or several read. A writer therefore closes the file when it is
    idle, and whoever opens it waits up to ``lock_wait_ms`` before giving up with ``WarehouseBusyError``. Readers who
    need not wait open the read copy (see ``duckdb.read_copy`` and ``duckdb.tables``).
    """

    takes_quick = True

    def __init__(
        self,
        path: str | Path,
        *,
        read_only: bool = False,
        lock_wait_ms: int = LOCK_WAIT_MS,
        copy_age_s: float | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Take the file's path; its folder must exist.

        ``copy_age_s`` is how old the read copy beside the file may be before a change makes a new one. 0 removes the
        copy; None leaves it alone, and only ``purge`` renews it.
        """
        self._path, self._lock_wait_ms = str(path), lock_wait_ms
        makes_copies = copy_age_s is not None and not read_only and self._path != IN_MEMORY
        self._read_copy = ReadCopy(self._path, copy_age_s or 0.0, clock=clock) if makes_copies else None
        connect = partial(DuckDbSession, self._path, read_only=read_only, lock_wait_ms=lock_wait_ms)
        super().__init__(connect, read_only=read_only, clock=clock)

    def search(self, needles: Sequence[str]) -> list[str]:
        """Return the tables that hold one of these texts, and the file if its bytes do: see ``find_in_file``.

        The read copy is searched in the same way; its tables have its name before theirs.
        """
        found = super().search(needles)
        if self._path == IN_MEMORY:
            return found
        in_copy = self._in_copy(lambda copy: copy.search(needles))
        return [*found, *find_in_file(self._path, needles), *in_copy]

    def mentions(self, domain: str, source: str, record_id: str, *, copies: bool = True) -> list[str]:
        """Return the tables that hold a value of this source record; see ``Warehouse.mentions``."""
        found = super().mentions(domain, source, record_id)
        return [*found, *self._in_copy(lambda copy: copy.mentions(domain, source, record_id))] if copies else found

    def purge(self) -> bool:
        """Rewrite the file without the pages that updates have freed, which still hold erased values; True.

        A read copy is made anew from it, or removed where that fails. Takes as long, and as much room on the disk, as
        the live rows, twice with a read copy. ``WarehouseBusyError`` if another process has the file open.
        """
        self._check_writable()
        if self._path != IN_MEMORY:
            with self._lock:
                self._discard()
                rewrite_file(self._path, self._lock_wait_ms)
                with closing(DuckDbSession(self._path, read_only=False, lock_wait_ms=self._lock_wait_ms)) as session:
                    (self._read_copy or ReadCopy(self._path, 0.0)).renew(session)
        return True

    def close(self) -> None:
        """Bring the read copy up to date and let go of the file; see ``Warehouse.close``."""
        with self._lock:
            if self._read_copy is not None and isinstance(self._session, DuckDbSession):
                self._read_copy.publish(self._session)
            self._discard()

    def _open(self) -> Session:
        is_new = self._session is None
        session = super()._open()
        if is_new and self._read_copy is not None:
            self._read_copy.opened()
        return session

    def _apply(self, session: Session, messages: Sequence[FeedMessage], applied_at: datetime) -> None:
        super()._apply(session, messages, applied_at)
        if self._read_copy is not None and isinstance(session, DuckDbSession):
            self._read_copy.changed(session)

    def _discard(self) -> None:
        if self._read_copy is not None:
            self._read_copy.abandon()  # closing the file would write to what is being copied
        super()._discard()

    def _in_copy(self, look: Callable[[SqlWarehouse], list[str]]) -> list[str]:
        """Return what is found in the read copy, if there is one beside this file: places with its name before."""
        path = read_copy_path(self._path)
        if self._path == IN_MEMORY or not path.exists() or path == Path(self._path):
            return []
        with closing(DuckDbWarehouse(path, read_only=True, lock_wait_ms=self._lock_wait_ms)) as copy:
            return [place if place.startswith(path.name) else f"{path.name}: {place}" for place in look(copy)]


def _history_with(session: Session, text: str, rows_max: int) -> list[str]:
    return list(history_with(session, [text], rows_max))
