"""The thread that reads one shard and hands its batches to whoever invokes the handler."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from mdm_stream.errors import TransientError
from mdm_stream.local.event_source.checkpoints import SHARD_END, Checkpoints
from mdm_stream.local.event_source.lanes import Batch, Discard, Lane, ShardCursor, Work
from mdm_stream.local.event_source.mapping import ShardRecord
from mdm_stream.local.event_source.shard_feed import Fetched, ShardFeed, StartingPosition

IDLE_READS = 50
"""Reads without a record after which a shard is idle: 5 s at the interval of the local stack."""
IDLE_FACTOR = 2
"""How many times the interval is between reads of an idle shard: its next record waits for 0.2 s at most."""
_READ_BACKOFF_S_MAX = 5.0
_READ_DOUBLINGS_MAX = 10

Submit = Callable[["ShardReader", Lane, Work], None]
"""Have some work of a lane done, and then call one of the reader's ``settle`` methods."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all readers of one poller share."""

    feed: ShardFeed
    checkpoints: Checkpoints
    clock: Callable[[], float]
    stopping: threading.Event
    poll_interval_s: float
    submit: Submit
    on_read_error: Callable[[TransientError], None]


class ShardReader:
    """One shard: its cursor, guarded by a lock, and ``read``, which the poller runs on a thread of its own.

    ``closed`` is set from outside once the stream lists the shard as closed.
    """

    def __init__(
        self, shard_id: str, cursor: ShardCursor, start: StartingPosition, surroundings: Surroundings, *, closed: bool
    ) -> None:
        self.shard_id = shard_id
        self.closed = closed
        self._cursor = cursor
        self._start = start
        self._at = surroundings
        self._lock = threading.Lock()
        self._settled = threading.Event()
        self._read_errors = 0
        self._empty_reads = 0

    @property
    def waiting(self) -> int:
        """How many records are read and not done."""
        return self._cursor.waiting

    @property
    def oldest_arrival_s(self) -> float | None:
        """When the shard's oldest record that is not done arrived."""
        with self._lock:
            return self._cursor.oldest_arrival_s

    def read(self) -> None:
        """Read until the poller stops or the shard has ended and all of it is done."""
        at = self._at
        next_read_s, ended = at.clock(), False
        while not at.stopping.is_set():
            reads = not ended and self._cursor.has_room
            if reads and at.clock() >= next_read_s:
                fetched, wait_s = self._fetch()
                ended = fetched.ended
                next_read_s = at.clock() + wait_s
            self._dispatch()
            if ended and not self._cursor.waiting:
                with self._lock:
                    at.checkpoints.set(self.shard_id, SHARD_END)
                return
            pause_s = min(at.poll_interval_s, next_read_s - at.clock()) if reads else at.poll_interval_s
            self._settled.wait(max(0.0, pause_s))
            self._settled.clear()

    def settle_batch(self, lane: Lane, batch: Batch, done: int) -> None:
        """Take the outcome of an invocation: its first ``done`` records are done."""
        with self._lock:
            self._finish(lane.settle(batch, done, self._at.clock()))
        self._go_on()

    def settle_discard(self, lane: Lane, discard: Discard, *, written: bool) -> None:
        """Take whether a discard may be passed over."""
        with self._lock:
            if written:
                self._finish(lane.given_up(discard))
            else:
                lane.not_given_up(discard, self._at.clock())
        self._go_on()

    def wake(self) -> None:
        """Make ``read`` look up from its wait."""
        self._settled.set()

    def _finish(self, records: tuple[ShardRecord, ...]) -> None:
        # Under the lock, so that of two lanes that settle at once the later position is the one that is kept.
        self._cursor.finish(records)
        if self._cursor.position is not None:
            self._at.checkpoints.set(self.shard_id, self._cursor.position)

    def _go_on(self) -> None:
        """The lane's next batch need not wait for the reading thread, which may be in the middle of a read."""
        self._dispatch()
        self.wake()

    def _dispatch(self) -> None:
        with self._lock:
            due = [(lane, work) for lane in self._cursor.lanes if (work := lane.take(self._at.clock()))]
        for lane, work in due:
            self._at.submit(self, lane, work)

    def _fetch(self) -> tuple[Fetched, float]:
        """Read once; return the answer and how long to wait before the next read."""
        at, closed = self._at, self.closed
        try:
            fetched = at.feed.fetch(self.shard_id, self._cursor.read_to, self._start)
        except TransientError as error:
            at.on_read_error(error)
            self._read_errors = min(self._read_errors + 1, _READ_DOUBLINGS_MAX)
            return Fetched(()), min(_READ_BACKOFF_S_MAX, at.poll_interval_s * 2**self._read_errors)
        self._read_errors = 0
        with self._lock:
            self._cursor.offer(fetched.records, at.clock())
        if closed and not fetched.records and not fetched.more:
            # Some Kinesis APIs never end a closed shard's iterator; it was closed before this read found nothing.
            return Fetched((), ended=True), 0.0
        self._empty_reads = 0 if fetched.records or fetched.more else self._empty_reads + 1
        idle = self._empty_reads > IDLE_READS
        return fetched, 0.0 if fetched.more else at.poll_interval_s * (IDLE_FACTOR if idle else 1)
