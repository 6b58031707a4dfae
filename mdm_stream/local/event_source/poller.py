"""Polls a stream and calls a handler as Lambda's event source mapping for Kinesis does.

The rules are in :mod:`mdm_stream.local.event_source.lanes`; this module brings them threads, a clock and storage. One
thread reads each shard; invocations run on a pool of ``concurrency`` threads, and no two of one lane at a time.
Delivery is at least once: a checkpoint is written only for records that are done or given up.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from mdm_stream.errors import TransientError
from mdm_stream.local.event_source.checkpoints import SHARD_END, Checkpoints
from mdm_stream.local.event_source.faults import log_fault
from mdm_stream.local.event_source.lanes import Batch, Discard, Lane, ShardCursor, Work, records_done
from mdm_stream.local.event_source.mapping import EventSource, FunctionContext, kinesis_event, schedule_event
from mdm_stream.local.event_source.on_failure import OnFailure
from mdm_stream.local.event_source.shard_feed import ShardFeed
from mdm_stream.local.event_source.shard_reader import ShardReader, Surroundings

LambdaHandler = Callable[[dict[str, Any], Any], Any]

_LOG = logging.getLogger(__name__)
_HOUSEKEEPING_INTERVAL_S = 0.05
_SAVE_INTERVAL_S = 0.2


@dataclass(frozen=True, slots=True)
class PollerOptions:
    """What Lambda decides for itself and a local run must be told.

    ``concurrency`` is 1 because a handler written for Lambda may rely on being called by one thread at a time.
    ``tick_s`` calls the handler with an ``mdm.schedule`` event whenever nothing has been invoked for so long.
    """

    function_name: str = "local"
    function_timeout_s: float = 60.0
    concurrency: int = 1
    poll_interval_s: float = 0.1
    discovery_interval_s: float = 5.0
    tick_s: float | None = None


@dataclass(slots=True)
class Counters:
    """What a poller has done since it began. ``iterator_age_s`` is the age of the oldest record not done, now."""

    records: int = 0
    batches: int = 0
    failed_batches: int = 0
    partial_batches: int = 0
    discarded_records: int = 0
    ticks: int = 0
    read_errors: int = 0
    waiting_records: int = 0
    iterator_age_s: float = 0.0


class Poller:
    """One event source mapping. ``run`` blocks until ``stop`` is called from another thread or a signal handler."""

    def __init__(
        self,
        feed: ShardFeed,
        handler: LambdaHandler,
        source: EventSource,
        checkpoints: Checkpoints,
        *,
        on_failure: OnFailure | None = None,
        options: PollerOptions | None = None,
    ) -> None:
        self._feed = feed
        self._handler = handler
        self._source = source
        self._checkpoints = checkpoints
        self._on_failure = on_failure
        self._options = options or PollerOptions()
        self._clock = _steady_clock()
        self._pool = ThreadPoolExecutor(self._options.concurrency, thread_name_prefix="invoke")
        self._stop_requested = False
        self._stopping = threading.Event()
        self._readers: dict[str, ShardReader] = {}
        self._threads: list[threading.Thread] = []
        self._starting = True
        self._counters = Counters()
        self._state = threading.Lock()
        self._under_way = 0
        self._last_invocation_s = self._clock()
        self._fault: BaseException | None = None

    def run(self) -> None:
        """Poll until stopped; then let invocations under way finish, and save the checkpoints. Call it once.

        Raises whatever made going on impossible (a fault in the poller itself, a checkpoint file that cannot be
        written); faults of the handler and of reading are retried.
        """
        next_discovery_s = next_save_s = self._clock()
        try:
            while not (self._stop_requested or self._stopping.is_set()):
                now_s = self._clock()
                if now_s >= next_discovery_s:
                    self._discover()
                    next_discovery_s = now_s + self._options.discovery_interval_s
                if now_s >= next_save_s:
                    self._checkpoints.save()
                    next_save_s = now_s + _SAVE_INTERVAL_S
                self._tick_if_idle(now_s)
                time.sleep(_HOUSEKEEPING_INTERVAL_S)
        finally:
            self._drain()
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """Ask ``run`` to return. Idempotent. It takes no lock, so that a signal handler may call it."""
        self._stop_requested = True

    def counters(self) -> Counters:
        """Return a copy of the counters as they are now."""
        readers = list(self._readers.values())
        arrivals_s = [arrived_s for reader in readers if (arrived_s := reader.oldest_arrival_s) is not None]
        with self._state:
            now = replace(self._counters)
        now.waiting_records = sum(reader.waiting for reader in readers)
        now.iterator_age_s = max(0.0, self._clock() - min(arrivals_s)) if arrivals_s else 0.0
        return now

    def _drain(self) -> None:
        with self._state:  # whoever saw the poller running has submitted its work when the lock is free
            self._stopping.set()
        for reader in self._readers.values():
            reader.wake()
        for thread in self._threads:
            thread.join()
        self._pool.shutdown(wait=True)
        self._checkpoints.save()

    def _discover(self) -> None:
        """Start a reader for each new shard whose parents are done."""
        try:
            shards = self._feed.shards()
        except TransientError as error:
            self._note_read_error(error)
            return
        listed = {shard.shard_id for shard in shards}
        position_of = self._checkpoints.get
        if self._starting and self._source.starting_position == "LATEST":
            # What a closed shard holds is old by definition, and its children must not wait for it.
            for shard in shards:
                if shard.closed and position_of(shard.shard_id) is None:
                    self._checkpoints.set(shard.shard_id, SHARD_END)
        for shard in shards:
            if (reader := self._readers.get(shard.shard_id)) is not None:
                reader.closed = shard.closed
            elif position_of(shard.shard_id) != SHARD_END and all(
                position_of(parent) == SHARD_END for parent in shard.parents if parent in listed
            ):
                self._start_reader(shard.shard_id, closed=shard.closed)
        self._starting = False

    def _start_reader(self, shard_id: str, *, closed: bool) -> None:
        surroundings = Surroundings(
            feed=self._feed,
            checkpoints=self._checkpoints,
            clock=self._clock,
            stopping=self._stopping,
            poll_interval_s=self._options.poll_interval_s,
            submit=self._submit,
            on_read_error=self._note_read_error,
        )
        cursor = ShardCursor(self._source, self._checkpoints.get(shard_id))
        # A shard that appears while we run holds what came after everything read so far: all of it is wanted.
        start = self._source.starting_position if self._starting else "TRIM_HORIZON"
        reader = ShardReader(shard_id, cursor, start, surroundings, closed=closed)
        thread = threading.Thread(target=self._guarded, args=(reader.read,), name=f"read-{shard_id}", daemon=True)
        self._readers[shard_id] = reader
        self._threads.append(thread)
        thread.start()

    def _tick_if_idle(self, now_s: float) -> None:
        if self._options.tick_s is None:
            return
        with self._state:
            if self._under_way or now_s - self._last_invocation_s < self._options.tick_s:
                return
            self._counters.ticks += 1
        self._enqueue(self._tick)

    def _tick(self) -> None:
        try:
            self._invoke(schedule_event(self._feed.stream_arn, self._clock()))
        except Exception as error:  # noqa: BLE001 - like a batch, a tick may fail in any way; the next one tries again
            log_fault("tick", error)

    def _submit(self, reader: ShardReader, lane: Lane, work: Work) -> None:
        self._enqueue(self._do, reader, lane, work)

    def _do(self, reader: ShardReader, lane: Lane, work: Work) -> None:
        if isinstance(work, Batch):
            reader.settle_batch(lane, work, self._run_batch(reader.shard_id, work))
        else:
            reader.settle_discard(lane, work, written=self._give_up(reader.shard_id, work))

    def _run_batch(self, shard_id: str, batch: Batch) -> int:
        """Return how many leading records are done."""
        event = kinesis_event(batch.records, shard_id, self._feed.stream_arn)
        try:
            result = self._invoke(event)
        except Exception as error:  # noqa: BLE001 - on Lambda any exception fails the batch, whatever it is
            log_fault(f"batch of {len(batch.records)} records of {shard_id}", error)
            done = 0
        else:
            done = records_done(result, batch.records, self._source.report_batch_item_failures)
        with self._state:
            self._counters.batches += 1
            self._counters.records += done
            self._counters.failed_batches += done == 0
            self._counters.partial_batches += 0 < done < len(batch.records)
        return done

    def _give_up(self, shard_id: str, discard: Discard) -> bool:
        """Write a discard to the destination; return whether its records may be passed over."""
        count = len(discard.records)
        if self._on_failure is not None:
            try:
                self._on_failure.write(discard, shard_id, self._clock())
            except TransientError as error:
                _LOG.error("%s; %d records of %s are not checkpointed", error, count, shard_id)
                return False
        _LOG.warning("discarded %d records of %s: %s", count, shard_id, discard.condition)
        with self._state:
            self._counters.discarded_records += count
        return True

    def _invoke(self, event: dict[str, Any]) -> object:
        return self._handler(event, FunctionContext(self._options.function_name, self._options.function_timeout_s))

    def _note_read_error(self, error: TransientError) -> None:
        _LOG.warning("%s; trying again", error)
        with self._state:
            self._counters.read_errors += 1

    def _enqueue(self, step: Callable[..., None], *arguments: object) -> None:
        """Have a step done by the pool, unless the poller is stopping: what was not begun is delivered again."""
        with self._state:
            if not self._stopping.is_set():
                self._under_way += 1
                self._pool.submit(self._step, step, *arguments)

    def _step(self, step: Callable[..., None], *arguments: object) -> None:
        if not self._stopping.is_set():
            self._guarded(step, *arguments)
        with self._state:
            self._under_way -= 1
            self._last_invocation_s = self._clock()

    def _guarded(self, step: Callable[..., None], *arguments: object) -> None:
        """Run a step of a thread; a fault that nothing handles stops the poller instead of a thread, silently."""
        try:
            step(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised again by run
            self._fault = self._fault or error
            self._stop_requested = True


def _steady_clock() -> Callable[[], float]:
    """Return a clock of seconds since 1970 that never runs backwards: arrival times are compared with it."""
    offset_s = time.time() - time.monotonic()
    return lambda: time.monotonic() + offset_s
