"""A replay's worker process: takes batches from a queue and applies them with its own engines."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.queues import Queue
from typing import Any

from mdm_stream.core.f_version import require_this_f
from mdm_stream.core.faults import EngineFault
from mdm_stream.core.fold import Foldable
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.engine.faults import FaultCircuit
from mdm_stream.engine.isolate import isolated
from mdm_stream.engine.process import settle_garbage_collector
from mdm_stream.errors import MdmError, TransientError
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.settings import EngineSettings

READY = None
"""What a worker puts on its queue when it has started: processes and imports are no part of a measurement."""

LATENCY_BUCKET_RATIO = 1.02
"""Latencies are counted in buckets 2 % wide: percentiles of any number of events in bounded memory."""


@dataclass(slots=True)
class WorkerReport:
    """What one worker did. ``latency_buckets`` counts events by the bucket of their batch's time.

    ``faulty`` are those that met an unexpected fault alone: they are not applied. ``failure`` says why it stopped.
    """

    totals: dict[str, Any] = field(default_factory=dict)
    round_trips: int = 0
    bytes_written: int = 0
    latency_buckets: Counter[int] = field(default_factory=Counter)
    faulty: list[tuple[Foldable, EngineFault]] = field(default_factory=list)
    failure: str = ""


def open_engines(
    url: str, rulesets: Mapping[str, Ruleset], namespace: str, building: int | None = None
) -> dict[str, tuple[Engine, RedisIndex]]:
    """Return an engine and its index for each domain: on the live epoch, or on one that is being built."""
    client = open_client(url)
    indexes = {domain: RedisIndex(client, rules, namespace, building=building) for domain, rules in rulesets.items()}
    return {domain: (Engine(rulesets[domain], index), index) for domain, index in indexes.items()}


def work(
    batches: Queue[Sequence[Foldable] | None],
    done: Queue[WorkerReport | int | None],
    url: str,
    rulesets: Mapping[str, Ruleset],
    namespace: str,
    building: int | None = None,
) -> None:
    """Apply batches until ``None`` comes; put ``READY``, the size of each finished batch and the report on ``done``."""
    report = WorkerReport()
    totals = BatchReport()
    try:
        for rules in rulesets.values():
            require_this_f(rules.digest)
        engines = open_engines(url, rulesets, namespace, building)
        circuit = FaultCircuit(EngineSettings().faults_in_a_row_max)
        settle_garbage_collector()
        done.put(READY)
        while (batch := batches.get()) is not None:
            started = time.perf_counter()
            for domain, (engine, _) in engines.items():
                applied = apply_isolated(engine, [event for event in batch if event.domain == domain], circuit)
                totals.add(applied.report)
                report.faulty += applied.faulty
            report.latency_buckets[latency_bucket(time.perf_counter() - started)] += len(batch)
            done.put(len(batch))
        report.round_trips = sum(index.counters.round_trips for _, index in engines.values())
        report.bytes_written = sum(index.counters.bytes_written for _, index in engines.values())
    except MdmError as error:
        report.failure = str(error)
    except MemoryError:
        report.failure = "it has no memory left; run with fewer workers, or smaller batches"
    except Exception as error:  # noqa: BLE001 - told by type and place: its text may hold values
        report.failure = f"an unexpected fault, {EngineFault.of(error)}; report it"
    report.totals = asdict(totals)
    done.put(report)


@dataclass(frozen=True, slots=True)
class AppliedBatch:
    """What was applied of a batch, and what met an unexpected fault alone and was not."""

    report: BatchReport
    faulty: list[tuple[Foldable, EngineFault]]


def apply_isolated(engine: Engine, batch: Sequence[Foldable], circuit: FaultCircuit) -> AppliedBatch:
    """Apply a batch, but for what meets an unexpected fault alone. ``TransientError`` if it cannot be done now."""
    outcome = isolated(batch, engine.process)
    if outcome.report.failed:
        raise TransientError(outcome.report.cause)
    faulty = [(batch[place], fault) for place, fault in outcome.faults.items()]
    circuit.note(len(batch), [event.refs for event, _ in faulty], str(faulty[-1][1]) if faulty else "")
    return AppliedBatch(outcome.report, faulty)


def latency_bucket(seconds: float) -> int:
    """Return the bucket of a latency: the power of the ratio, in microseconds, that it lies under."""
    return math.ceil(math.log(max(1.0, seconds * 1e6), LATENCY_BUCKET_RATIO))


def percentile_ms(buckets: Mapping[int, int], fraction: float) -> float:
    """Return a percentile of counted latencies in milliseconds, at most 2 % too high (0 if nothing was counted)."""
    left = fraction * sum(buckets.values())
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        if left <= 0:
            return round(float(LATENCY_BUCKET_RATIO**bucket) / 1000, 3)
    return 0.0
