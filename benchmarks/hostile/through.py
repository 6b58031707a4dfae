"""Sends the hostile events through the real consumer, one by one, and prints as JSON what each did.

    python benchmarks/hostile/through.py

Redis, archive and quarantine are real; the golden feed is a stream in memory. Each event is delivered twice: alone,
which is what is timed (this process and the Redis server), and among good ones of its own. It is compared with an
ordinary event of its size. This runs in a process of its own, so that its peak memory is that of the corpus.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import redis

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hostile.events import good_event, hostile_events, plain_event
from mdm_stream.archive import open_archive
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.authority import Authority
from mdm_stream.decode.authority_policy import policy_of
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.process import settle_garbage_collector
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.report import StreamReport
from mdm_stream.resolve.resolver import DomainResolver, Resolver
from mdm_stream.rules import load_rulesets
from mdm_stream.testing import MemoryStream

RULES = Path(__file__).resolve().parents[2] / "examples" / "rules" / "demo.yaml"
MEMORY_MAX = 6 * 1024**3
GOOD_A_SIDE = 3
GOOD_MEASURED = 500
PLAIN_RUNS = 5
SIZE_STEP = 1.25
"""An ordinary event to compare with is at most a quarter larger."""


class Consumer:
    """The resolve consumer on one shard, with what it costs."""

    def __init__(self, server: RedisServer, folder: Path) -> None:
        rulesets = load_rulesets([str(RULES)])
        self.client = redis.Redis.from_url(server.url)
        self.index = RedisIndex(self.client, rulesets["person"])
        parts = DomainResolver(
            Engine(rulesets["person"], self.index), self.index, self.index, MergeWatch(10**9, time.monotonic), _go_on
        )
        feed = FeedPublisher(MemoryStream(), "golden")  # type: ignore[arg-type]
        self.resolver = Resolver(
            Intake(Decoder(rulesets), Authority(policy_of("", "steward"), {})),
            {"person": parts},
            archive=open_archive((folder / "archive").as_uri()),
            quarantine=open_quarantine((folder / "quarantine").as_uri()),
            golden=feed,
            steward=feed,
            now_us=lambda: time.time_ns() // 1_000,
            expiries_per_tick_max=100,
        )
        self.sequence = 0

    def deliver(self, raws: Sequence[bytes]) -> tuple[StreamReport | None, float, str]:
        """Deliver a batch; return its report, the CPU seconds, and the type of what it raised, if it did."""
        batch = []
        for raw in raws:
            self.sequence += 1
            batch.append(Delivery.from_kinesis(raw, str(self.sequence), time.time(), f"changes/0:{self.sequence}"))
        server_s, own_s = self._server_cpu_s(), time.process_time()
        report, fault = None, ""
        try:
            report = self.resolver.handle(batch)
        except Exception as error:  # noqa: BLE001 - that the consumer raises is what is looked for
            fault = type(error).__name__
        return report, time.process_time() - own_s + self._server_cpu_s() - server_s, fault

    def golden_count(self, refs: Sequence[str]) -> int:
        """Return how many records are of a golden record."""
        return len(set(refs) & self.index.snapshot().crosswalk.keys())

    def redis_bytes(self) -> int:
        """Return what Redis holds."""
        return int(self.client.info("memory")["used_memory"])

    def _server_cpu_s(self) -> float:
        cpu = self.client.info("cpu")
        return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])


def _go_on(_: str) -> None:
    """Hold nothing."""


def plain_costs(consumer: Consumer, sizes: Sequence[int]) -> dict[int, float]:
    """Return what ordinary events of some sizes cost alone, in CPU seconds: the least of a few."""
    costs: dict[int, float] = {}
    for size in sorted(set(sizes)):
        runs = []
        for run in range(PLAIN_RUNS):
            report, cpu_s, fault = consumer.deliver([plain_event(f"plain-{size}-{run}", size)])
            if fault or report is None or report.first_failed is not None or report.quarantined:
                raise RuntimeError(f"an ordinary event of {size} bytes did not get through: {fault or report}")
            runs.append(cpu_s)
        costs[size] = min(runs)
    return costs


def bucket_of(size: int) -> int:
    """Return the size of the ordinary event that an event is compared with."""
    bucket = 250.0
    while bucket < size:
        bucket *= SIZE_STEP
    return min(int(bucket), 1_040_000)


def main() -> None:
    """Deliver all and print the figures."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    settle_garbage_collector()
    events = hostile_events()
    with tempfile.TemporaryDirectory() as name, RedisServer() as server:
        consumer = Consumer(server, Path(name))
        consumer.deliver([good_event(-number) for number in range(1, 30)])  # what a process does once
        empty_bytes = consumer.redis_bytes()
        for number in range(GOOD_MEASURED):
            consumer.deliver([good_event(-1_000 - number)])
        good_bytes = (consumer.redis_bytes() - empty_bytes) / GOOD_MEASURED
        plain = plain_costs(consumer, [bucket_of(len(event.raw)) for event in events])
        held, plain_peak = consumer.redis_bytes(), _peak_bytes()
        results = []
        goods = 0
        for event in events:
            report, cpu_s, fault = consumer.deliver([event.raw])
            sides = [good_event(goods + number) for number in range(2 * GOOD_A_SIDE)]
            among, _, fault_among = consumer.deliver([*sides[:GOOD_A_SIDE], event.raw, *sides[GOOD_A_SIDE:]])
            refs = [f"web/good-{goods + number}" for number in range(2 * GOOD_A_SIDE)]
            goods += len(sides)
            results.append(
                {
                    "kind": event.kind,
                    "name": event.name,
                    "bytes": len(event.raw),
                    "stopped": bool(fault or fault_among)
                    or any(each is None or each.first_failed is not None for each in (report, among)),
                    "fault": fault or fault_among,
                    "quarantined": bool(report and report.quarantined),
                    "cpu_s": cpu_s,
                    "plain_s": plain[bucket_of(len(event.raw))],
                    "good": len(refs),
                    "good_refs": refs,
                }
            )
        golden = consumer.index.snapshot().crosswalk.keys()
        for result in results:
            result["golden"] = sum(ref in golden for ref in result.pop("good_refs"))  # type: ignore[attr-defined]
        summary = {
            "results": results,
            "redis_bytes": consumer.redis_bytes() - held - goods * good_bytes,
            "plain_peak_bytes": plain_peak,
            "peak_bytes": _peak_bytes(),
        }
    sys.stdout.buffer.write(orjson.dumps(summary))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
