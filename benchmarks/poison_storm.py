"""What hostile events cost, storm by storm, and what one more event of each then costs.

    python benchmarks/poison_storm.py [--only NAME ...] [--before COMMIT] [--json]

Each storm of :mod:`storm_shapes` is delivered to an empty index on a Redis server of its own, in batches of Lambda's
default size, in a process of its own. Then come as many further events of its kind in one batch more, and as many plain
events of the same size. Printed for each storm: seconds, CPU seconds (of this process and the server), peak memory,
Redis' bytes, review items, the bytes that one further event writes, and its CPU time as a ratio to that of a plain
event of its size. With ``--before``, the tree of an earlier commit is measured in the same way, and
both stand side by side. ``placeholder_storm.py`` has the storms of ordinary placeholders, thousands of events long.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from storm_shapes import SHAPES, Event, Shape
from trees import ROOT, run_in, tree_of

import mdm_stream

BATCH = 100
"""Lambda's default batch."""
FEW = 5
"""The same where events are of few records, which one batch folds to one change each."""
MEMORY_BYTES_MAX = 6 * 1024**3
"""More than this of address space is refused: a storm must not take the machine."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one storm came to, beside plain events of its size. ``plain_redis_mb`` is of as many as the storm has."""

    storm: str
    events: int
    seconds: float
    cpu_s: float
    peak_mb: float
    redis_mb: float
    review_items: int
    bytes_for_one_more: int
    more_ms: float
    plain_ms: float
    plain_peak_mb: float
    plain_redis_mb: float
    failed: int

    @property
    def memory_factor(self) -> float:
        """How many times the peak memory of plain events the storm takes."""
        return self.peak_mb / self.plain_peak_mb

    @property
    def redis_factor(self) -> float:
        """How many times the bytes of as many plain events the storm takes in Redis."""
        return self.redis_mb / self.plain_redis_mb

    @property
    def ratio(self) -> float:
        """How many times the CPU time of a plain event one more of the storm's takes."""
        return self.more_ms / self.plain_ms


def main() -> None:
    """Measure the storms and print what each cost."""
    options = _arguments()
    if options.storm:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
        print(json.dumps(asdict(measure(options.storm))))
        return
    names = options.only or list(SHAPES)
    if options.before is None:
        found = {"now": list(costs(ROOT, names))}
    else:
        with tree_of(options.before) as before:
            found = {"before": list(costs(before, names)), "now": list(costs(ROOT, names))}
    if options.as_json:
        print(json.dumps({tree: [{**asdict(c), "ratio": c.ratio} for c in each] for tree, each in found.items()}))
        return
    _print(found)


def costs(tree: Path, names: Sequence[str]) -> Iterator[Cost]:
    """Measure storms on the packages of a tree, each in a process of its own."""
    for name in names:
        ran = run_in(tree, [str(ROOT / "benchmarks" / "poison_storm.py"), "--storm", name])
        yield Cost(**json.loads(ran.stdout.splitlines()[-1]))


def measure(name: str) -> Cost:
    """Deliver a storm on the packages of this process, and what comes after it."""
    import redis  # noqa: PLC0415 - after the server's own message where it is not installed

    shape = SHAPES[name]
    _named("settle_garbage_collector")()
    with _named("RedisServer")() as server, redis.Redis.from_url(server.url) as client:
        rules = _rules(shape)
        plain = _Stream(client, rules)
        plain.deliver([shape.plain(number) for number in range(5 * BATCH)])
        plain_redis_mb = _redis_mb(client) / (5 * BATCH)
        more = shape.more()
        size = shape.batch if len({str(event.get("id", event)) for event in more}) == len(more) else FEW
        plain_s = min(
            plain.deliver([shape.plain(number) for number in range(start, start + BATCH)], size)
            for start in range(5 * BATCH, 8 * BATCH, BATCH)
        )
        plain_peak_mb = _peak_mb()
        client.flushall()
        storm = _Stream(client, rules)
        flood, began_s = shape.flood(), time.perf_counter()
        cpu_s = storm.deliver(flood)
        seconds = time.perf_counter() - began_s
        redis_mb, review_items = _redis_mb(client), len(storm.index.snapshot().review)
        written = storm.index.counters.bytes_written
        more_s = storm.deliver(more, size)
        written = storm.index.counters.bytes_written - written
        return Cost(
            name,
            len(flood),
            round(seconds, 2),
            round(cpu_s, 2),
            _peak_mb(),
            round(redis_mb, 1),
            review_items,
            written // len(more),
            round(more_s / len(more) * 1e3, 3),
            round(plain_s / BATCH * 1e3, 3),
            plain_peak_mb,
            round(plain_redis_mb * len(flood), 3),
            storm.failed + plain.failed,
        )


class _Stream:
    """An engine on a server, and the CPU time of both."""

    def __init__(self, client: Any, rules: Any) -> None:
        self._client = client
        self.index = _named("RedisIndex")(client, rules)
        self._engine = _named("Engine")(rules, self.index)
        self.failed = 0

    def deliver(self, events: Sequence[Event], size: int = BATCH) -> float:
        """Deliver events in batches, the re-evaluations that follow included; return the CPU seconds."""
        made = [_event(event) for event in events]
        began_s = time.process_time() + self._server_s()
        for start in range(0, len(made), size):
            self.failed += len(self._engine.process(made[start : start + size]).failed)
            self.index.acknowledge(self.index.read(100_000))
        self._engine.drain()
        return time.process_time() + self._server_s() - began_s

    def _server_s(self) -> float:
        cpu = self._client.info("cpu")
        return float(cpu["used_cpu_user"] + cpu["used_cpu_sys"])


def _event(event: Event) -> Any:
    if event["kind"] == "verdict":
        return _named("VerdictEvent")("person", *event["pair"], event["verdict"], 1, 0, "steward-1")
    values = {column: tuple(v) if isinstance(v, list) else v for column, v in event["values"].items()}
    return _named("RecordEvent")("person", "crm", event["id"], event["op"], event["version"], 1, values)


def _rules(shape: Shape) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text(f"extends: person\nversion: 1\n{shape.rules}", "utf-8")
        return _named("load_ruleset")(path)


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _redis_mb(client: Any) -> float:
    """Return the size of all keys: the server's own figure holds its buffers too, which come and go."""
    return sum(client.memory_usage(key, samples=0) for key in client.scan_iter(count=1_000)) / 1e6


def _named(name: str, known: dict[str, Any] = {}) -> Any:  # noqa: B006 - found once a process
    """Return the class or function of ``mdm_stream`` with a name, wherever it is defined."""
    if name not in known:
        root = Path(mdm_stream.__file__).parent
        defined = re.compile(rf"^(?:class|def) {name}\b", re.MULTILINE)
        found = next(path for path in sorted(root.rglob("*.py")) if defined.search(path.read_text("utf-8")))
        module = ".".join(("mdm_stream", *found.relative_to(root).with_suffix("").parts))
        known[name] = getattr(importlib.import_module(module), name)
    return known[name]


def _print(found: dict[str, list[Cost]]) -> None:
    heads = ("s", "CPU s", "peak MB", "Redis MB", "review", "B/one more", "ms/one more", "ratio")
    print(f"{'storm':<40}{'tree':<8}" + "".join(f"{head:>14}" for head in heads))
    for each in zip(*found.values(), strict=True):
        for tree, cost in zip(found, each, strict=True):
            figures = (
                f"{cost.seconds:,.1f}",
                f"{cost.cpu_s:,.1f}",
                f"{cost.peak_mb:,.0f} ({cost.memory_factor:.1f}x)",
                f"{cost.redis_mb:,.1f} ({cost.redis_factor:.1f}x)",
                f"{cost.review_items:,}",
                f"{cost.bytes_for_one_more:,}",
                f"{cost.more_ms:,.2f}",
                f"{cost.ratio:,.1f}",
            )
            failed = f"   {cost.failed} FAILED" if cost.failed else ""
            print(f"{cost.storm:<40}{tree:<8}" + "".join(f"{figure:>14}" for figure in figures) + failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SHAPES, nargs="+", help="these storms alone")
    parser.add_argument("--before", help="a commit whose tree is measured beside this one")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--storm", choices=SHAPES, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
