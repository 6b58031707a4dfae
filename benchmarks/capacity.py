"""What the load model (``mdm-stream capacity``) rests on, measured here: the resolver whole, on a real Redis.

    python benchmarks/capacity.py [--out measured.json] [--fill 10000]

An invented population goes through decoder, engine, archive and feed in batches of several sizes, behind an index that
is filled before; streams are lists and the archive is a folder, so that what is measured is the process, Redis and the
bytes. CPU seconds are this process's; on a machine that is busy otherwise they grow less than wall-clock time does.
``mdm-stream capacity --measured measured.json`` then plans with what this machine has shown. Memory is bounded by the
fill: some 3 KB a record in Redis.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import redis
from aws_lambda_powertools import Metrics

from consumers.resolve.measure import report_metrics
from mdm_stream.archive import open_archive
from mdm_stream.aws.deadline import Deadline
from mdm_stream.capacity.tables import measured_table
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
FILL_EVENTS, FILL_BATCH = 10_000, 500
EVENTS_BY_BATCH = {1: 200, 10: 600, 100: 2_000, 500: 5_000}
"""Events measured by batch size: some seconds of CPU each."""
LOG_LINE_FIELDS_BYTES = 400
"""What Powertools and Lambda put into the line of a batch beside its figures: time, request, function, service."""
PLATFORM_LINES_BYTES = 450
"""Lambda's own START, END and REPORT lines of an invocation."""
OF_LARGEST = (
    "redis_cpu_ms_an_event",
    "redis_commands_an_event",
    "redis_bytes_in_an_event",
    "redis_bytes_out_an_event",
    "golden_messages_an_event",
)
"""Inputs that are those of the largest batches."""
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

    inputs: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


class Bench:
    """The resolver with everything around it real but the streams."""

    def __init__(self, client: redis.Redis, scratch: Path) -> None:
        rules = load_ruleset(ROOT / "examples" / "rules" / "demo.yaml")
        self.client, self.folder = client, scratch / "archive"
        self.golden, self.sent, self.event_bytes, self.log_bytes = MessageList(), 0, 0, 0
        streams: Any = self.golden, MessageList()
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
            golden=streams[0],
            steward=streams[1],
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

    def held(self, key: str) -> int:
        """Return how many records a hash of the index holds."""
        return int(self.client.hlen(epoch_prefix(NAMESPACE, self.domain, 1) + key))

    def _logged(self, deliveries: Sequence[Delivery], report: StreamReport) -> int:
        written = io.StringIO()
        with contextlib.redirect_stdout(written), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a hundred events have flushed all that there was
            report_metrics(self.metrics, deliveries, report)
            self.metrics.flush_metrics()
        line = orjson.dumps(report.summary(), default=str)
        return len(written.getvalue()) + len(line) + LOG_LINE_FIELDS_BYTES + PLATFORM_LINES_BYTES


@dataclass(frozen=True, slots=True)
class Compared:
    """A measured figure beside what the model takes by default. ``ratio`` is measured by default."""

    name: str
    measured: float
    default: float

    @property
    def ratio(self) -> float:
        """Return how many times the default was measured."""
        return self.measured / self.default

    @property
    def is_near(self) -> bool:
        """Tell whether the two are within a factor of two."""
        return 1 / FACTOR_MAX <= self.ratio <= FACTOR_MAX


def compared(inputs: dict[str, Any]) -> list[Compared]:
    """Return each measured input beside its default, those by batch size each for itself."""
    measured, default = measured_table(inputs), measured_table()
    found = [
        Compared(f"cpu_ms_an_event, batches of {size}", measured.cpu_ms_by_batch[size], ms)
        for size, ms in default.cpu_ms_by_batch.items()
    ]
    return found + [Compared(name, measured[name], default[name]) for name in inputs if name in default.values]


def measure(scratch: Path, fill_events: int = FILL_EVENTS) -> Measurement:
    """Return the model's inputs as this machine shows them: some 30 seconds of CPU by default."""
    found = Measurement()
    settle_garbage_collector()
    with RedisServer() as server, server.client() as client:
        found.facts["server"] = server.program.name
        empty_bytes = int(client.info("memory")["used_memory"])
        bench = Bench(client, scratch)
        raws = (event.raw for event in generate(PEOPLE, SEED).events())
        for _ in range(fill_events // FILL_BATCH):
            bench.handle(list(islice(raws, FILL_BATCH)))
        by_size = {size: _of_size(bench, raws, size, count) for size, count in EVENTS_BY_BATCH.items()}
        records, golden = bench.held("rec"), bench.held("gold")
        used_bytes = int(client.info("memory")["used_memory"]) - empty_bytes
    largest, single = by_size[max(by_size)], by_size[1]
    log_bytes = (largest["log_bytes"] * max(by_size) - single["log_bytes"]) / (max(by_size) - 1)
    found.inputs = {
        "cpu_ms_an_event": {str(size): round(each["cpu_ms"], 3) for size, each in by_size.items()},
        **{name: round(largest[name], 4) for name in OF_LARGEST},
        "golden_message_bytes": round(largest["golden_bytes"] / largest["golden_messages_an_event"], 1),
        "archive_share": round(largest["archive_bytes"] / largest["event_bytes"], 3),
        "redis_bytes_a_record": round(used_bytes / records, 1),
        "records_a_golden_record": round(records / golden, 3),
        "log_bytes_an_event": round(log_bytes, 1),
        "log_bytes_a_batch": round(single["log_bytes"] - log_bytes, 1),
    }
    found.facts["records, golden records"] = f"{records:,}, {golden:,}"
    found.facts["bytes of an event"] = f"{largest['event_bytes']:,.0f}"
    for size, each in by_size.items():
        found.facts[f"batches of {size}"] = (
            f"{each['cpu_ms']:.2f} ms of CPU an event, Redis {each['redis_cpu_ms_an_event']:.3f} ms and "
            f"{each['redis_commands_an_event']:.1f} commands, {each['archive_bytes']:,.0f} bytes archived"
        )
    return found


def _of_size(bench: Bench, raws: Iterator[bytes], size: int, events: int) -> dict[str, float]:
    """Return what an event takes in batches of one size; CPU time is that of the quicker half of the batches.

    A neighbour on the same core makes CPU seconds longer, too, and the quicker half less so.
    """
    batches = [list(islice(raws, size)) for _ in range(events // size)]
    before, logged, brought, spent_s = bench.totals(), bench.log_bytes, bench.event_bytes, []
    for batch in batches:
        began_s = time.process_time()
        bench.handle(batch)
        spent_s.append(time.process_time() - began_s)
    after, count = bench.totals(), sum(map(len, batches))
    quicker = sorted(spent_s)[: max(1, len(spent_s) // 2)]
    return {
        "cpu_ms": sum(quicker) * 1_000 / (len(quicker) * size),
        "redis_cpu_ms_an_event": (after.redis_cpu_s - before.redis_cpu_s) * 1_000 / count,
        "redis_commands_an_event": (after.commands - before.commands) / count,
        "redis_bytes_in_an_event": (after.bytes_to_redis - before.bytes_to_redis) / count,
        "redis_bytes_out_an_event": (after.bytes_from_redis - before.bytes_from_redis) / count,
        "golden_messages_an_event": (after.messages - before.messages) / count,
        "golden_bytes": (after.message_bytes - before.message_bytes) / count,
        "archive_bytes": (after.archive_bytes - before.archive_bytes) / count,
        "log_bytes": (bench.log_bytes - logged) / count,
        "event_bytes": (bench.event_bytes - brought) / count,
    }


def main() -> None:
    """Measure, print each figure beside the model's default, and write what ``--measured`` takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="a file for mdm-stream capacity --measured")
    parser.add_argument("--fill", type=int, default=FILL_EVENTS, help="events before anything is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mdm-capacity-") as scratch:
        found = measure(Path(scratch), options.fill)
    for what, value in found.facts.items():
        print(f"{what}: {value}")
    for each in compared(found.inputs):
        print(f"{each.name:<40}{each.measured:>12,.3f}{each.default:>12,.3f}{each.ratio:>8.2f}")
    if options.out is not None:
        options.out.write_text(json.dumps(found.inputs, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
