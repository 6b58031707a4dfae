"""Run a replay: feed workers, collect what they did, write the results."""

from __future__ import annotations

import base64
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import redis

from mdm_stream.contracts.change import encode_event
from mdm_stream.core.fold import Delivered
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.position_fall import PositionFall
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.dead_letters.quarantine import quarantine_id_of
from mdm_stream.decode import ClaimedIdentity, Delivery, claimed_identity
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.engine.worker import WorkerReport, open_engines, percentile_ms
from mdm_stream.engine.worker_pool import QUEUED_BATCHES_MAX, WorkerPool
from mdm_stream.errors import ConfigurationError
from mdm_stream.feed.envelope import change_message
from mdm_stream.files import make_folder
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.epochs import drop_namespace
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.replay.outputs import feed_writer, write_quarantine, write_state, write_stats
from mdm_stream.replay.schedule import LaneBatches, Rejected

ORIGIN_OF_FAULTY = "replay, in canonical form"
"""Where the bytes of an event come from that was decoded, and then met an unexpected fault."""
OUTBOX_READ_MAX = 1_000
HELD_BATCHES_MAX = QUEUED_BATCHES_MAX + 2
"""Batches that a worker can have: those in its queue, the one on its way there, and the one at work."""
OUTBOX_IDLE_S = 0.02

Progress = Callable[[int], None]


@dataclass(slots=True)
class _Run:
    """What the parent gathers while the workers work."""

    delivered: int = 0
    reports: list[WorkerReport] = field(default_factory=list)
    quarantine: dict[str, dict[str, Any]] = field(default_factory=dict)


def replay(
    items: Iterable[ChangeEvent | Rejected],
    rulesets: Mapping[str, Ruleset],
    out: Path,
    *,
    batch_size: int,
    workers: int,
    redis_url: str,
    on_progress: Progress = lambda _: None,
    ignored: Callable[[], int] = lambda: 0,
) -> dict[str, Any]:
    """Apply ``items`` with ``workers`` processes, write the result files to ``out``, and return the figures.

    ``ignored`` says, once all items were taken, how many rows beside them are of tables that the rules ignore.

    The run works in a namespace of its own on the Redis at ``redis_url``, and removes it afterwards.
    """
    make_folder(out)
    client = open_client(redis_url)
    try:
        memory_before = client.info("memory")["used_memory"]
    except redis.RedisError as error:
        raise ConfigurationError("no Redis answers at that address; start one or leave --redis out") from error
    namespace = f"replay-{secrets.token_hex(6)}"
    run = _Run()
    try:
        with ExitStack() as stack:
            engines = open_engines(redis_url, rulesets, namespace)
            stack.enter_context(_feed_file(out, redis_url, rulesets, namespace))
            pool = stack.enter_context(WorkerPool(workers, (redis_url, dict(rulesets), namespace), on_progress))
            started = time.perf_counter()
            _work_off(items, run, pool, batch_size)
            drained = BatchReport()
            for engine, _ in engines.values():
                drained.add(engine.drain())
            seconds = time.perf_counter() - started
            memory = client.info("memory")["used_memory"] - memory_before
        write_state(out, {domain: index.snapshot() for domain, (_, index) in engines.items()})
    finally:
        drop_namespace(client, namespace)
    write_quarantine(out, run.quarantine)
    trips = sum(index.counters.round_trips for _, index in engines.values())
    stats = {**_stats(run, drained, seconds, memory, trips), "ignored": ignored()}
    write_stats(out, stats)
    return stats


def _work_off(items: Iterable[ChangeEvent | Rejected], run: _Run, pool: WorkerPool, batch_size: int) -> None:
    """Hand the items to the workers in batches, and wait for all of them."""
    for lane, batch in _batches(items, run, batch_size, pool.size):
        pool.put(lane, batch)
    run.reports = pool.finish()
    for report in run.reports:
        for event, fault in report.faulty:
            if not isinstance(event, Delivered):  # a replay delivers events
                _quarantine(run, Rejected(Delivery.unplaced(_bytes_of(event), ORIGIN_OF_FAULTY), fault.rejection))


def _bytes_of(event: ChangeEvent) -> bytes:
    """Return an event that was decoded already as bytes that decode to it; none if it cannot be written."""
    try:
        return encode_event(event)
    except (TypeError, ValueError):  # what orjson and a time out of range raise
        return b""


def _batches(
    items: Iterable[ChangeEvent | Rejected], run: _Run, batch_size: int, workers: int
) -> Iterator[tuple[int, list[ChangeEvent]]]:
    """Yield ``(worker, batch)``; rejected events go to the quarantine on the way."""
    batches = LaneBatches(workers, batch_size, HELD_BATCHES_MAX)
    for item in items:
        run.delivered += 1
        if isinstance(item, Rejected):
            _quarantine(run, item)
            continue
        full = batches.add(item)
        if full is not None:
            yield full
    yield from batches.rest()


def _quarantine(run: _Run, rejected: Rejected) -> None:
    raw = rejected.delivery.raw
    claimed = claimed_identity(raw) if rejected.record is None else ClaimedIdentity(*rejected.record)
    quarantine_id = quarantine_id_of(rejected.delivery)
    run.quarantine[quarantine_id] = {
        "quarantine_id": quarantine_id,
        "domain": claimed.domain,
        "source": claimed.source,
        "record_id": claimed.record_id,
        "received_from": rejected.delivery.origin,
        "reasons": [{"code": r.code, "path": r.path, "message": r.message} for r in rejected.error.reasons],
        "raw_bytes": len(raw),
        # The text is for people: what is not UTF-8 cannot be told from an escape in it. The bytes are for redrive.
        "raw": raw.decode("utf-8", "backslashreplace"),
        "raw_base64": base64.b64encode(raw).decode("ascii"),
    }
    if rejected.line is not None:
        run.quarantine[quarantine_id] |= {"line": rejected.line, "header": list(rejected.header)}


@contextmanager
def _feed_file(out: Path, url: str, rulesets: Mapping[str, Ruleset], namespace: str) -> Iterator[None]:
    """Copy every domain's outbox to the feed file in sequence order, from a thread, until the block ends."""
    append, close = feed_writer(out)
    client = open_client(url)
    outboxes = [RedisIndex(client, rules, namespace) for rules in rulesets.values()]
    stop = Event()
    failures: list[Exception] = []

    def copy_once() -> int:
        copied = 0
        for outbox in outboxes:
            entries = outbox.read(OUTBOX_READ_MAX)
            for entry in entries:
                append(change_message(entry)[1])
            outbox.acknowledge(entries)
            copied += len(entries)
        return copied

    def copy() -> None:
        try:
            while not stop.is_set():
                if not copy_once():
                    stop.wait(OUTBOX_IDLE_S)
            while copy_once():
                pass
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits for it
            failures.append(error)

    thread = Thread(target=copy, name="replay-feed", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        close()
    if failures:
        raise failures[0]


def _stats(run: _Run, drained: BatchReport, seconds: float, memory_bytes: int, round_trips: int) -> dict[str, Any]:
    latency: Counter[int] = Counter()
    totals: Counter[str] = Counter()
    falls = BatchReport()
    aside: Counter[str] = Counter()
    for report in run.reports:
        latency.update(report.latency_buckets)
        for fall in report.totals["falls"].values():
            falls.note(PositionFall(**fall))
        aside.update(report.totals["set_aside"])
        totals.update({name: value for name, value in report.totals.items() if isinstance(value, int)})
    return {
        "events": run.delivered,
        "seconds": round(seconds, 3),
        "events_per_s": round(run.delivered / seconds, 1),
        "latency_ms_p50": percentile_ms(latency, 0.50),
        "latency_ms_p99": percentile_ms(latency, 0.99),
        "quarantined": len(run.quarantine),
        "engine_faults": sum(len(report.faulty) for report in run.reports),
        "absorbed": totals["absorbed"],
        "absorbed_later": sum(falls.absorbed_later.values()),
        "version_collisions": totals["collisions"],
        "candidate_pairs": totals["pairs"] + drained.pairs,
        "conflicts": totals["conflicts"] + drained.conflicts,
        "reevaluated": totals["reevaluated"] + drained.reevaluated,
        "golden_changes": totals["changes"] + drained.changes,
        "redis_round_trips": sum(report.round_trips for report in run.reports) + round_trips,
        "redis_bytes_written": sum(report.bytes_written for report in run.reports),
        "redis_memory_bytes": memory_bytes,
        "absorbed_later_by_source": dict(sorted(falls.absorbed_later.items())),
        "values_set_aside": dict(sorted(aside.items())),
    }
