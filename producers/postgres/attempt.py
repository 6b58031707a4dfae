"""One attempt of the reader: what lives from its connections' beginning to their end."""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from producers.postgres.catalog import PublishedTable
from producers.postgres.connection import quoted, translated
from producers.postgres.messages import CapturedTable, ChangePlace, encoded
from producers.postgres.pgoutput import (
    LoggedChange,
    PgoutputMessage,
    Relation,
    TransactionBegin,
    TransactionEnd,
    Truncation,
    parse,
)
from producers.postgres.rows import RowMessages
from producers.postgres.settings import SNAPSHOT_SUFFIX, ReaderProgress, ReaderSettings
from producers.postgres.slots import (
    create_snapshot_slot,
    current_lsn,
    find_slot,
    finish_snapshot_slot,
    server_of,
)
from producers.postgres.snapshot import TableSnapshot
from producers.postgres.visibility import wait_for_open
from producers.publisher import Publisher

WAIT_S = 0.05
"""How long the log is waited for before the clock is looked at."""
LOOK_EVERY_MESSAGES = 64
"""Messages between two looks at the clock, and at whether to stop, while they keep coming."""
ACKNOWLEDGE_S = 10
"""Between two signs of life to PostgreSQL, whose wal_sender_timeout is a minute."""


class Attempt:
    """Reads with one pair of connections and one publisher. ``tell`` is called with the phase when there is news."""

    def __init__(
        self,
        control: Any,
        replication: Any,
        tables: dict[str, PublishedTable],
        publisher: Publisher,
        stop: threading.Event,
        settings: ReaderSettings,
        progress: ReaderProgress,
        tell: Callable[[str], None],
    ) -> None:
        self._control = control
        self._replication = replication
        self._tables = tables
        self._publisher = publisher
        self._stop = stop
        self._settings = settings
        self._progress = progress
        self._tell = tell
        self._messages = RowMessages(
            control, server_of(replication), settings, tables, self._send, self._pause, progress
        )
        self._put = 0
        self._begin: TransactionBegin | None = None
        self._alive: Callable[[], None] | None = None
        self._in_flight: deque[tuple[int, int, int]] = deque()
        """Transactions that Kinesis has not accepted all of: messages up to their end, its position, commit time."""

    def snapshots(self, dsn: str, again: set[str]) -> bool:
        """Read the rows that are needed before the stream: at first all, then those of tables wanted ``again``.

        Tell whether all of them are with Kinesis; not if it is time to stop. What was read is taken out of ``again``.
        """
        slot = self._settings.slot
        if unknown := sorted(again - self._tables.keys()):
            raise ConfigurationError(f"table {', '.join(unknown)} is not captured, so its rows are not read again")
        if find_slot(self._control, slot) is None:
            held, exported = find_slot(self._control, slot + SNAPSHOT_SUFFIX), None
            if held is None:
                held, exported = create_snapshot_slot(self._replication, slot)
            if not self._read(TableSnapshot(dsn, self._settings, exported), self._tables.values(), held.confirmed_lsn):
                return False
            again.clear()
        finish_snapshot_slot(self._control, slot)
        found = find_slot(self._control, slot)
        if again and found is not None:
            # What the slot still has comes above the rows read here, and what it no longer has lies below them.
            # The snapshot has to see all that lies below: the slot may be ahead of what queries see.
            wait_for_open(self._control, self._pause)
            tables = [self._tables[name] for name in sorted(again)]
            if not self._read(TableSnapshot(dsn, self._settings, None), tables, found.confirmed_lsn):
                return False
            again.clear()
        return not self._stop.is_set()

    def stream(self) -> None:
        """Follow the log until it is time to stop; ``TransientError`` when the connection breaks."""
        options = {"proto_version": "1", "publication_names": quoted(self._settings.publication)}
        with translated("follow the log"), self._replication.cursor() as cursor:
            cursor.start_replication(
                slot_name=self._settings.slot, options=options, decode=False, status_interval=ACKNOWLEDGE_S
            )
            self._alive = lambda: cursor.send_feedback(force=True)
            self._tell("stream")
            self._follow(cursor)

    def _read(self, snapshot: TableSnapshot, tables: Iterable[PublishedTable], lsn: int) -> bool:
        self._tell("snapshot")
        told_s = time.monotonic()
        with snapshot:
            place = ChangePlace(lsn, 0, snapshot.time_us)
            for published in tables:
                for relation, portion in snapshot.read(published):
                    table = self._messages.of_snapshot(relation, published)
                    for row in portion:
                        self._messages.read(table, place, row)
                    self._progress.snapshot_rows += len(portion)
                    if self._stop.is_set():
                        return False
                    if time.monotonic() - told_s >= self._settings.status_interval_s:
                        told_s = time.monotonic()
                        self._tell("snapshot")
        self._publisher.flush()
        return True

    def _follow(self, cursor: Any) -> None:
        confirm_s = status_s = time.monotonic()
        read = 0
        while True:
            payload = cursor.read_message()
            if payload is None:
                select.select([cursor], [], [], WAIT_S)
            else:
                self._take(parse(payload.payload), payload.data_start)
                read += 1
                if read % LOOK_EVERY_MESSAGES:
                    continue
            now_s = time.monotonic()
            if self._stop.is_set():
                self._publisher.flush()
                self._confirm(cursor, idle=False)
                self._measure()
                return
            if now_s - confirm_s >= self._settings.confirm_interval_s:
                confirm_s = now_s
                self._confirm(cursor, idle=payload is None)
            if now_s - status_s >= self._settings.status_interval_s:
                status_s = now_s
                self._measure()

    def _take(self, message: PgoutputMessage | None, lsn: int) -> None:
        begin = self._begin
        if isinstance(message, LoggedChange | Truncation):
            if begin is None:
                raise TerminalError("the log changes rows outside of a transaction")
            place = ChangePlace(begin.commit_lsn, lsn, begin.time_us, begin.xid)
            if isinstance(message, Truncation):
                self._progress.truncations += self._messages.truncated(place, message.oids)
            else:
                self._progress.changes += self._messages.change(place, message)
        elif isinstance(message, Relation):
            self._messages.take(message)
        elif isinstance(message, TransactionBegin):
            self._begin = message
        elif isinstance(message, TransactionEnd) and begin is not None:
            self._progress.transactions += 1
            self._in_flight.append((self._put, message.end_lsn, begin.time_us))
            self._begin = None

    def _confirm(self, cursor: Any, *, idle: bool) -> None:
        """Tell PostgreSQL up to where Kinesis has everything; where nothing is under way, that is all it has sent."""
        through = self._publisher.delivered_through
        reached = 0
        while self._in_flight and self._in_flight[0][0] <= through:
            _, reached, _ = self._in_flight.popleft()
        if idle and not self._in_flight and self._begin is None:
            reached = max(reached, cursor.wal_end or 0)
        if reached > self._progress.confirmed_lsn:
            self._progress.confirmed_lsn = reached
            cursor.send_feedback(write_lsn=reached, flush_lsn=reached, apply_lsn=reached, force=True)

    def _measure(self) -> None:
        progress = self._progress
        progress.lag_s = max(0.0, time.time() - self._in_flight[0][2] / 1_000_000) if self._in_flight else 0.0
        progress.lag_bytes = max(0, current_lsn(self._control) - progress.confirmed_lsn)
        self._tell("stream")

    def _pause(self) -> None:
        """Wait a moment for the database; ``TransientError`` if it is time to stop."""
        if self._stop.wait(WAIT_S):
            raise TransientError("it is time to stop")
        if self._alive is not None:
            self._alive()

    def _send(self, table: CapturedTable, event: dict[str, Any], key: str) -> None:
        data, left_out = encoded(table, event, key)
        self._progress.cut_rows += bool(left_out)
        while True:
            try:
                self._publisher.put(data, key)
                break
            except TransientError:
                # The buffer is full because Kinesis is slow. PostgreSQL would take a silent reader for a dead one.
                if self._stop.is_set():
                    raise
                if self._alive is not None:
                    self._alive()
        self._put += 1
        self._progress.messages += 1
