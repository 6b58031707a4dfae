"""The demo: an invented population, streamed through the local stack, and what came of it measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from mdm_stream.core.model import split_ref
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.deployment import WAREHOUSE_FILE
from mdm_stream.errors import TransientError
from mdm_stream.evaluate import evaluate
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.reader import open_reader
from mdm_stream.local.pipeline import RESOLVE, start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, LocalStack
from mdm_stream.simulate import TruthRow, WireEvent, generate, people_for_events
from mdm_stream.warehouse import DuckDbWarehouse
from producers.publisher import Publisher

SEED = 2026
LIVE_SHARE = 0.15
"""The last part of the events is sent at a steady pace: under a backlog a latency would measure the backlog."""

LIVE_PACE = 0.5
"""That pace, as a share of the throughput measured before."""

STEP_EVENTS = 25
WAIT_S = 600.0
LATENCY_METRIC = "EventToGolden"

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class DemoResult:
    """What the demo found; ``golden`` is one golden record that is worth a look, as the index holds it."""

    people: int
    events: int
    seconds: float
    events_per_s: float
    live_events: int
    live_events_per_s: float
    latency_ms_p50: float
    latency_ms_p99: float
    source_records: int
    golden_records: int
    merges: int
    review_queue: int
    quarantined: int
    scores: dict[str, Any] = field(default_factory=dict)
    golden: Mapping[str, Any] = field(default_factory=dict)


def run_demo(state: Path, rules_file: Path, rules: Ruleset, events: int, on_progress: Progress) -> DemoResult:
    """Stream some ``events`` deliveries through a fresh stack in ``state``, and return what came of it."""
    people = people_for_events(events)
    population = generate(people, SEED)
    truth: list[TruthRow] = []
    deliveries = list(population.events(truth.append))
    bulk = deliveries[: round(len(deliveries) * (1 - LIVE_SHARE))]
    live = deliveries[len(bulk) :]
    with LocalStack(state) as stack:
        start_consumers(stack, [str(rules_file)])
        _wait_until_polling(stack)
        started = time.monotonic()
        with _Sources(stack) as sources:
            sources.send(bulk, None, lambda done: on_progress("events sent", done, len(deliveries)))
            _wait_for(stack, len(bulk), lambda done: on_progress("events resolved", done, len(deliveries)))
            bulk_s = time.monotonic() - started
            pace = max(1.0, LIVE_PACE * len(bulk) / bulk_s)
            live_from_s = time.time()
            sources.send(live, pace, lambda done: on_progress("events resolved", len(bulk) + done, len(deliveries)))
        _settle(stack, rules)
        seconds = time.monotonic() - started
        latencies = _latencies(state / "logs" / f"{RESOLVE}.log", live_from_s)
        resolution = open_reader(stack.redis.client(), rules).snapshot()
    merges, quarantined, stored = _warehouse_counts(state)
    if stored != resolution.crosswalk:
        raise TransientError("the warehouse's crosswalk is not that of the index: look into the logs of the demo")
    found = evaluate(
        {split_ref(ref): golden_id for ref, golden_id in resolution.crosswalk.items()},
        {(row.source, row.record_id): row.entity_id for row in truth},
    )
    return DemoResult(
        people=people,
        events=len(deliveries),
        seconds=round(seconds, 1),
        events_per_s=round(len(bulk) / bulk_s, 1),
        live_events=len(live),
        live_events_per_s=round(pace, 1),
        latency_ms_p50=_percentile(latencies, 0.50),
        latency_ms_p99=_percentile(latencies, 0.99),
        source_records=len(resolution.crosswalk),
        golden_records=len(resolution.golden),
        merges=merges,
        review_queue=len(resolution.review),
        quarantined=quarantined,
        scores=found.as_dict(),
        golden=max(resolution.golden.values(), key=_interest),
    )


class _Sources:
    """The three source systems: each publishes with the library that a real one would import."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._publishers: dict[str, Publisher] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for publisher in self._publishers.values():
            publisher.close()

    def send(self, events: Iterable[WireEvent], per_second: float | None, on_sent: Callable[[int], None]) -> None:
        """Publish events in order, at a pace or as fast as the stream takes them, and wait until all are accepted."""
        started = time.monotonic()
        for number, event in enumerate(events, start=1):
            self._publisher(event.source).put(event.raw, event.partition_key)
            if number % STEP_EVENTS == 0:
                on_sent(number)
                if per_second is not None:
                    time.sleep(max(0.0, started + number / per_second - time.monotonic()))
        for publisher in self._publishers.values():
            publisher.flush()

    def _publisher(self, source: str) -> Publisher:
        if source not in self._publishers:
            self._publishers[source] = Publisher(self._stack.kinesis.client("kinesis"), CHANGES_STREAM)
        return self._publishers[source]


def _settle(stack: LocalStack, rules: Ruleset) -> None:
    """Wait until nothing waits any more: no record on a stream, no re-evaluation, no change in the outbox."""
    index = RedisIndex(stack.redis.client(), rules)
    deadline_s = time.monotonic() + WAIT_S
    stack.wait_idle(WAIT_S)
    while index.pending(1) or index.read(1):
        stack.check()
        if time.monotonic() > deadline_s:
            raise TransientError("the resolve consumer does not work off its queues; look into its log")
        time.sleep(0.1)
    stack.wait_idle(WAIT_S)


def _wait_until_polling(stack: LocalStack) -> None:
    """Wait for the consumer's first sign of life: starting a Python process is no part of the stream."""
    deadline_s = time.monotonic() + WAIT_S
    while not stack.consumer_status(RESOLVE):
        stack.check()
        if time.monotonic() > deadline_s:
            raise TransientError("the resolve consumer does not start; look into its log")
        time.sleep(0.05)


def _wait_for(stack: LocalStack, records: int, on_done: Callable[[int], None]) -> None:
    """Wait until the resolve consumer has done ``records`` records of the stream."""
    deadline_s = time.monotonic() + WAIT_S
    while (done := stack.consumer_status(RESOLVE).get("records", 0)) < records:
        stack.check()
        on_done(done)
        if time.monotonic() > deadline_s:
            raise TransientError("the resolve consumer does not get through the stream; look into its log")
        time.sleep(0.1)


def _latencies(log: Path, since_s: float) -> list[float]:
    """Return the latencies that the consumer's EMF metrics report from a time on, in milliseconds, sorted."""
    found: list[float] = []
    with log.open("rb") as lines:
        for line in lines:
            if b'"_aws"' not in line or LATENCY_METRIC.encode() not in line:
                continue
            metrics = orjson.loads(line)
            if metrics["_aws"]["Timestamp"] >= since_s * 1000:
                values = metrics[LATENCY_METRIC]
                found += values if isinstance(values, list) else [values]
    return sorted(found)


def _percentile(ordered: list[float], fraction: float) -> float:
    """Return the nearest-rank percentile of sorted values (0 if there are none)."""
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(fraction * len(ordered)))], 1)


def _warehouse_counts(state: Path) -> tuple[int, int, dict[str, str]]:
    """Return merges ever, quarantined events, and the crosswalk, as the warehouse has them."""
    warehouse = DuckDbWarehouse(str(state / WAREHOUSE_FILE))
    try:
        merges = warehouse.query("SELECT count(*) FROM golden_history WHERE merged_into IS NOT NULL")[0][0]
        quarantined = warehouse.query("SELECT count(*) FROM quarantined_event")[0][0]
        rows = warehouse.query("SELECT source, record_id, golden_id FROM current_crosswalk")
    finally:
        warehouse.close()
    return int(merges), int(quarantined), {f"{source}/{record_id}": golden_id for source, record_id, golden_id in rows}


def _interest(golden: Mapping[str, Any]) -> tuple[int, int, int, str]:
    """Rank golden records for a look: many sources, values from many of them, not too many members."""
    sources = {member["source"] for member in golden["members"]}
    origins = {origin["source"] for origins in golden["provenance"].values() for origin in origins}
    return len(sources), len(origins), len(golden["provenance"]), golden["golden_id"]
