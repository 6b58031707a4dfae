"""What the load model (``mdm-stream capacity``) rests on, measured here: the resolver whole, on a real Redis.

    python benchmarks/capacity.py [--out measured.json] [--fill 20000]

An invented population goes through decoder, engine, archive and feed in batches of several sizes, behind an index that
is filled before; streams are lists and the archive is a folder, so that what is measured is the process, Redis and the
bytes. CPU seconds are this process's; on a machine that is busy otherwise they grow less than wall-clock time does.
``mdm-stream capacity --measured measured.json`` then plans with what this machine has shown. Memory is bounded by the
fill: some 3 KB a record in Redis.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import orjson
import redis
from aws_lambda_powertools import Metrics

from consumers.resolve.measure import report_metrics
from mdm_stream.archive import open_archive
from mdm_stream.aws.deadline import Deadline
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.authority import EVERYTHING, OTHER_STREAMS, Authority, Policy
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.process import settle_garbage_collector
from mdm_stream.index.redis.epochs import epoch_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.report import StreamReport
from mdm_stream.resolve.resolver import DomainResolver, Resolver
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import generate

ROOT = Path(__file__).resolve().parent.parent
SEED, NAMESPACE = 20260101, "capacity"
PEOPLE = 100_000
FILL_EVENTS, FILL_BATCH = 20_000, 500
EVENTS_BY_BATCH = {1: 400, 10: 1_500, 100: 4_000, 500: 8_000}
"""Events measured by batch size: some seconds of CPU each."""
LOG_LINE_FIELDS_BYTES = 400
"""What Powertools and Lambda put into the line of a batch beside its figures: time, request, function, service."""
PLATFORM_LINES_BYTES = 450
"""Lambda's own START, END and REPORT lines of an invocation."""
FACTOR_MAX = 2.0
"""How far a figure measured here may be from the model's default, either way."""


class MessageList:
    """A stream that keeps nothing but the number and bytes of its messages."""

    def __init__(self) -> None:
        self.messages = self.bytes = 0

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Take messages; their keys go over the wire, too."""
        self.messages += len(messages)
        self.bytes += sum(len(key.encode()) + len(message) for key, message in messages)

    def until(self, deadline: Deadline) -> None:
        """Nothing here takes time."""

    def call_s(self) -> float:
        """Return how long a call may last."""
        return 0.0


@dataclass(slots=True)
class Totals:
    """Counters of everything at one moment; a difference of two is what happened between."""

    cpu_s: float
    redis_cpu_s: float
    commands: int
    bytes_to_redis: int
    bytes_from_redis: int
    messages: int
    message_bytes: int
    archive_bytes: int
    archive_objects: int


@dataclass(slots=True)
class Measurement:
    """What was measured: figures by name of the model's inputs, and facts beside them."""

    inputs: dict[str, object] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)


class Bench:
    """The resolver with everything around it real but the streams."""

    def __init__(self, client: redis.Redis, scratch: Path) -> None:
        rules = load_ruleset(ROOT / "examples" / "rules" / "demo.yaml")
        self.client, self.folder = client, scratch / "archive"
        self.golden, self.sent, self.event_bytes, self.log_bytes = MessageList(), 0, 0, 0
        self.domain, self.index = rules.domain, RedisIndex(client, rules, NAMESPACE)
        self.metrics = Metrics(namespace="mdm-stream", service="resolve")
        parts = DomainResolver(
            Engine(rules, self.index), self.index, self.index, MergeWatch(10**9, time.monotonic), lambda _: None
        )
        self.resolver = Resolver(
            Intake(Decoder({rules.domain: rules}), Authority(Policy({OTHER_STREAMS: EVERYTHING}, {}))),
            {rules.domain: parts},
            archive=open_archive(self.folder.as_uri()),
            quarantine=open_quarantine((scratch / "quarantine").as_uri()),
            golden=self.golden,
            steward=MessageList(),
            now_us=lambda: time.time_ns() // 1000,
            expiries_per_tick_max=500,
        )

    def handle(self, raws: Sequence[bytes]) -> None:
        """Resolve a batch as the handler does; a batch that fails ends the benchmark."""
        deliveries = []
        for raw in raws:
            self.sent += 1
            self.event_bytes += len(raw)
            deliveries.append(Delivery.from_row(raw, self.sent, f"changes/{self.sent}"))
        report = self.resolver.handle(deliveries)
        if report.first_failed is not None:
            raise SystemExit(f"a batch failed: {report.cause}")
        self.log_bytes += self._logged(deliveries, report)

    def totals(self) -> Totals:
        """Return all counters as they are now."""
        cpu, stats = self.client.info("cpu"), self.client.info("stats")
        files = [path.stat().st_size for path in self.folder.rglob("*") if path.is_file()]
        return Totals(
            time.process_time(),
            cpu["used_cpu_user"] + cpu["used_cpu_sys"],
            stats["total_commands_processed"],
            stats["total_net_input_bytes"],
            stats["total_net_output_bytes"],
            self.golden.messages,
            self.golden.bytes,
            sum(files),
            len(files),
        )

    def records(self) -> int:
        """Return how many source records the index holds."""
        return int(self.client.hlen(epoch_prefix(NAMESPACE, self.domain, 1) + "rec"))

    def _logged(self, deliveries: Sequence[Delivery], report: StreamReport) -> int:
        written = io.StringIO()
        with contextlib.redirect_stdout(written):
            report_metrics(self.metrics, deliveries, report)
            self.metrics.flush_metrics()
        line = orjson.dumps(report.summary(), default=str)
        return len(written.getvalue()) + len(line) + LOG_LINE_FIELDS_BYTES + PLATFORM_LINES_BYTES


def measure(scratch: Path, fill_events: int = FILL_EVENTS) -> Measurement:
    """Return the model's inputs as this machine shows them: some 40 seconds of CPU by default."""
    found = Measurement()
    settle_garbage_collector()
    with RedisServer() as server, server.client() as client:
        found.facts["server"] = server.program.name
        empty_bytes = int(client.info("memory")["used_memory"])
        bench = Bench(client, scratch)
        raws = (event.raw for event in generate(PEOPLE, SEED).events())
        for _ in range(fill_events // FILL_BATCH):
            bench.handle(list(islice(raws, FILL_BATCH)))
        of_batches = {size: _of_size(bench, raws, size, count) for size, count in EVENTS_BY_BATCH.items()}
        records, used = bench.records(), int(client.info("memory")["used_memory"]) - empty_bytes
    found.facts["records in the index"] = f"{records:,}"
    found.inputs["cpu_ms_an_event"] = {str(size): round(each["cpu_ms"], 3) for size, each in of_batches.items()}
    largest, single = of_batches[max(of_batches)], of_batches[1]
    for name in ("redis_cpu_ms", "redis_bytes_in", "redis_bytes_out", "redis_commands", "archive_bytes",
                 "golden_messages", "golden_bytes", "event_bytes"):  # fmt: skip
        found.inputs[f"{name}_an_event" if name != "event_bytes" else name] = round(largest[name], 3)
    found.inputs["golden_bytes"] = round(found.inputs.pop("golden_bytes_an_event") / largest["golden_messages"], 1)  # type: ignore[operator]
    found.inputs["redis_bytes_a_record"] = round(used / records, 1)
    event_log = (largest["log_bytes"] * max(of_batches) - single["log_bytes"]) / (max(of_batches) - 1)
    found.inputs["log_bytes_an_event"] = round(event_log, 1)
    found.inputs["log_bytes_a_batch"] = round(single["log_bytes"] - event_log, 1)
    for size, each in of_batches.items():
        found.facts[f"batches of {size}"] = (
            f"{each['cpu_ms']:.2f} ms of CPU an event, Redis {each['redis_cpu_ms']:.3f} ms, "
            f"{each['redis_commands']:.1f} commands, {each['redis_bytes_in']:,.0f} bytes to it and "
            f"{each['redis_bytes_out']:,.0f} from it, {each['archive_bytes']:,.0f} archived"
        )
    return found


def _of_size(bench: Bench, raws: Iterator[bytes], size: int, events: int) -> dict[str, float]:
    """Return what an event takes in batches of one size."""
    before, logged, brought = bench.totals(), bench.log_bytes, bench.event_bytes
    batches = [list(islice(raws, size)) for _ in range(events // size)]
    cpu_s = time.process_time()
    for batch in batches:
        bench.handle(batch)
    cpu_s = time.process_time() - cpu_s
    after, count = bench.totals(), sum(map(len, batches))
    return {
        "cpu_ms": cpu_s * 1_000 / count,
        "redis_cpu_ms": (after.redis_cpu_s - before.redis_cpu_s) * 1_000 / count,
        "redis_commands": (after.commands - before.commands) / count,
        "redis_bytes_in": (after.bytes_to_redis - before.bytes_to_redis) / count,
        "redis_bytes_out": (after.bytes_from_redis - before.bytes_from_redis) / count,
        "golden_messages": (after.messages - before.messages) / count,
        "golden_bytes": (after.message_bytes - before.message_bytes) / count,
        "archive_bytes": (after.archive_bytes - before.archive_bytes) / count,
        "log_bytes": (bench.log_bytes - logged) / count,
        "event_bytes": (bench.event_bytes - brought) / count,
    }
