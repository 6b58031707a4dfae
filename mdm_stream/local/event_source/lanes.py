"""The rules of an event source mapping as pure state: no threads, no clock, no I/O.

A ``ShardCursor`` spreads a shard's records over ``Lane``s and knows its checkpoint. A lane says what to do next
(``take``) and is told how that went (``settle``, ``given_up``, ``not_given_up``). Times are seconds of any clock that
arrival times are on too, and are passed in.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mdm_stream.local.event_source.mapping import NO_LIMIT, PAYLOAD_BYTES_MAX, EventSource, ShardRecord

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]

WAITING_BYTES_MAX = 64 * 1024 * 1024
WAITING_RECORDS_MIN = 10_000
SPAN_RECORDS_MAX = 200_000
"""Reading ahead stops at these sizes of what waits in the lanes, and of what lies between the checkpoint and the newest
record read (a lane that cannot go on holds the checkpoint back while the others work, and all of it would be delivered
again after a crash)."""

_BACKOFF_DOUBLINGS_MAX = 30


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for one invocation. ``attempts`` are the failed ones that count; ``invocations`` are all so far."""

    records: tuple[ShardRecord, ...]
    attempts: int = 0
    invocations: int = 0


@dataclass(frozen=True, slots=True)
class Discard:
    """Records that are given up, to be written to the on-failure destination, and why."""

    records: tuple[ShardRecord, ...]
    condition: Condition
    invocations: int


Work = Batch | Discard


def records_done(result: object, records: Sequence[ShardRecord], report_batch_item_failures: bool) -> int:
    """Return how many leading records of a batch an invocation that returned ``result`` has done.

    Without reports a returned value means success. With them: nothing, an empty object and an empty or null list are
    success; otherwise the lowest reported sequence number is where to go on; an identifier that is null, empty, under
    another key or not of this batch, and any answer of another shape, fails the whole batch.
    """
    if not report_batch_item_failures or result is None:
        return len(records)
    if not isinstance(result, dict):
        return 0
    failures: Any = result.get("batchItemFailures")
    if failures is None or failures == []:
        return len(records)
    if not isinstance(failures, list):
        return 0
    places = {record.sequence: place for place, record in enumerate(records)}
    lowest = len(records)
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, str) or identifier not in places:
            return 0
        lowest = min(lowest, places[identifier])
    return lowest


class Lane:
    """One ordered sequence of batches. Between ``take`` and its answer the lane is busy and gives nothing else."""

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._fresh: deque[tuple[ShardRecord, float]] = deque()
        self._returned: deque[Work] = deque()  # failed before, so older than anything fresh
        self._failures = 0
        self._not_before_s = float("-inf")
        self.busy = False

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not (self.busy or self._fresh or self._returned)

    def offer(self, record: ShardRecord, now_s: float) -> None:
        """Add the next record of the shard that belongs to this lane."""
        self._fresh.append((record, now_s))

    def take(self, now_s: float) -> Work | None:
        """Return what is due now, or None. The lane is then busy until it is told the outcome."""
        if self.busy or now_s < self._not_before_s:
            return None
        if not self._returned and (batch := self._close_batch(now_s)):
            self._returned.append(batch)
        if not self._returned:
            return None
        self.busy = True
        work = self._returned.popleft()
        return self._without_expired(work, now_s) if isinstance(work, Batch) else work

    def settle(self, batch: Batch, done: int, now_s: float) -> tuple[ShardRecord, ...]:
        """Take the outcome of an invocation: its first ``done`` records are done. Return those."""
        self.busy = False
        rest = batch.records[done:]
        if not rest or done:
            self._failures, self._not_before_s = 0, float("-inf")
        if rest:
            self._back_off(now_s)
            self._returned.extendleft(reversed(self._after_failure(batch, rest)))
        return batch.records[:done]

    def given_up(self, discard: Discard) -> tuple[ShardRecord, ...]:
        """Take that a discard has been written (or there is nowhere to write it). Return its records: they are done."""
        self.busy = False
        self._failures, self._not_before_s = 0, float("-inf")
        return discard.records

    def not_given_up(self, discard: Discard, now_s: float) -> None:
        """Take that the on-failure destination failed: nothing may be lost, so the lane waits and tries again."""
        self.busy = False
        self._back_off(now_s)
        self._returned.appendleft(discard)

    def _after_failure(self, batch: Batch, rest: tuple[ShardRecord, ...]) -> list[Work]:
        """Return what takes the place of a failed batch, first thing first."""
        invocations = batch.invocations + 1
        if len(rest) < len(batch.records):
            return [Batch(rest, 0, invocations)]  # progress: the attempts start again
        if self._source.bisect_on_error and len(rest) > 1:
            middle = (len(rest) + 1) // 2  # splitting does not consume an attempt
            return [Batch(half, batch.attempts, invocations) for half in (rest[:middle], rest[middle:])]
        attempts = batch.attempts + 1
        if self._source.maximum_retry_attempts != NO_LIMIT and attempts > self._source.maximum_retry_attempts:
            return [Discard(rest, "RetryAttemptsExhausted", invocations)]
        return [Batch(rest, attempts, invocations)]

    def _close_batch(self, now_s: float) -> Batch | None:
        """Take a batch off the fresh records if one is full or its window is over."""
        size, count = 0, 0
        for record, _ in self._fresh:
            size += record.event_bytes
            if count == self._source.batch_size or (size > PAYLOAD_BYTES_MAX and count):
                break
            count += 1
        full = count < len(self._fresh) or count == self._source.batch_size
        if not count or not (full or now_s - self._fresh[0][1] >= self._source.window_s):
            return None
        return Batch(tuple(self._fresh.popleft()[0] for _ in range(count)))

    def _without_expired(self, batch: Batch, now_s: float) -> Work:
        """Split the records past their age off the front; they go first, and the rest comes back next."""
        age_max_s = self._source.maximum_record_age_s
        if age_max_s == NO_LIMIT:
            return batch
        count = 0
        while count < len(batch.records) and now_s - batch.records[count].arrived_s > age_max_s:
            count += 1
        if not count:
            return batch
        if rest := batch.records[count:]:
            self._returned.appendleft(Batch(rest, batch.attempts, batch.invocations))
        return Discard(batch.records[:count], "RecordAgeExceeded", batch.invocations)

    def _back_off(self, now_s: float) -> None:
        wait_s = self._source.retry_backoff_s * 2 ** min(self._failures, _BACKOFF_DOUBLINGS_MAX)
        self._not_before_s = now_s + min(wait_s, self._source.retry_backoff_s_max)
        self._failures += 1


class ShardCursor:
    """One shard: its lanes, how far it has been read, and how far it is done without a hole."""

    def __init__(self, source: EventSource, position: str | None) -> None:
        """Begin after ``position``, a checkpoint, or at the source's starting position if it is None."""
        self.lanes = tuple(Lane(source) for _ in range(source.parallelization_factor))
        self.position = position
        self.read_to = position
        self._waiting_max = max(WAITING_RECORDS_MIN, 2 * source.batch_size * source.parallelization_factor)
        self._span: deque[ShardRecord] = deque()
        self._done: set[str] = set()
        self._waiting_bytes = 0

    @property
    def waiting(self) -> int:
        """How many records are read and not done."""
        return len(self._span) - len(self._done)

    @property
    def has_room(self) -> bool:
        """Whether more should be read."""
        return (
            self.waiting < self._waiting_max
            and self._waiting_bytes < WAITING_BYTES_MAX
            and len(self._span) < SPAN_RECORDS_MAX
        )

    @property
    def oldest_arrival_s(self) -> float | None:
        """When the oldest record that is not done arrived."""
        return self._span[0].arrived_s if self._span else None

    def offer(self, records: Iterable[ShardRecord], now_s: float) -> None:
        """Add the next records of the shard, in its order; equal partition keys go to the same lane."""
        for record in records:
            lane = zlib.crc32(record.partition_key.encode()) % len(self.lanes)
            self.lanes[lane].offer(record, now_s)
            self._span.append(record)
            self._waiting_bytes += len(record.data)
            self.read_to = record.sequence

    def finish(self, records: Iterable[ShardRecord]) -> None:
        """Take records as done, and move ``position`` over all that are done without a hole."""
        for record in records:
            self._done.add(record.sequence)
            self._waiting_bytes -= len(record.data)
        while self._span and self._span[0].sequence in self._done:
            self.position = self._span.popleft().sequence
            self._done.remove(self.position)
