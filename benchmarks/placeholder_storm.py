"""What a storm of placeholders costs: thousands of records that share a value which no list knows.

    python benchmarks/placeholder_storm.py [--storm 10000] [--calm 3000] [--batch-size 500] [--only NAME ...]

A stream of a generated population (the person pack) has a calm part, a storm and a calm part again. The storm is new
records of other people. It is resolved several times, each time on an empty index, with the very same records but for
what those of the storm share:

* ``own``: nothing; each record has the phone that it was generated with. What the others are compared to.
* ``phone``: all have one phone.
* ``surname``: all have one phone, and one family name too.
* ``open``: as many as a block may hold have one phone, as many the next, and so on, all of these at the same time. No
  block is ever suspended, so each record is a candidate of all that share its phone: the worst case.
* ``household``: the same, with one family name to each phone.

Printed are the rates before, during and after the storm, the largest block that makes candidates, the largest golden
record, the largest component, and the slowdown: how many times as long the same part takes as in ``own``, by the CPU
time of this process and the server, which says the same on a machine that is busy otherwise.

**The bound.** A record has no more candidates than its open blocking keys have members, and a key with more than
``max_block_size`` members is suspended: it makes none. So whatever ten thousand records share, or ten million, costs
each of them at most ``max_block_size`` more pairs a shared key, and each crossing of the limit ``max_block_size``
re-evaluations. That part of a storm's cost does not grow with its length. What does is the component of records that
agree in so much besides that they are linked (``surname``): it is read and written whole, once a batch. Memory is
bounded by the batch, the components that it touches, the engine's record cache and the server.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import redis

from mdm_stream.core.model import ChangeEvent, RecordEvent, Value
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.engine.process import settle_garbage_collector
from mdm_stream.index.redis.codec import decode_block
from mdm_stream.index.redis.epochs import epoch_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import generate
from mdm_stream.simulate.person_names import CULTURES

ROOT = Path(__file__).resolve().parent.parent
SEED = 20260102
STORM_SEED = 20260103
NAMESPACE = "benchmark"
PROFILE_LINES = 30
PARTS = ("before", "during", "after")
PEOPLE = 100_000
"""More than the events of either part are of: a population is generated as far as it is read."""

PHONE = "212-418-7305"
FAMILY_NAME = "Placeholder"
FAMILY_NAMES = tuple(dict.fromkeys(name for culture in CULTURES for name in culture.family))

POISONS = ("own", "phone", "surname", "open", "household")


@dataclass(slots=True)
class Part:
    """One part of the stream: what was done in it, and what it took."""

    totals: BatchReport = field(default_factory=BatchReport)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    server_cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.totals.events / self.wall_s

    @property
    def cost_s(self) -> float:
        """CPU seconds an event, of the engine and the server together."""
        return (self.cpu_s + self.server_cpu_s) / self.totals.events


@dataclass(frozen=True, slots=True)
class Largest:
    """The sizes, in records, of the largest things in an index."""

    open_block: int
    suspended_block: int
    golden: int
    component: int


def main() -> None:
    """Resolve the stream with each poison and print what it cost."""
    options = arguments()
    settle_garbage_collector()
    rules = load_ruleset(ROOT / "examples" / "rules" / "demo.yaml")
    print(
        f"{os.cpu_count()} cores, batches of {options.batch_size:,}; {options.calm:,} events, {options.storm:,} new "
        f"records that share a placeholder, {options.calm:,} events; max_block_size {rules.max_block_size}, "
        f"max_cluster_size {rules.max_cluster_size}\n"
    )
    heads = ("", *(f"{part}, events/s" for part in PARTS), "pairs/event", "slowdown", "after")
    print(f"{heads[0]:<10}" + "".join(f"{head:>18}" for head in heads[1:]) + "   largest block, golden, component")
    usual: dict[str, Part] | None = None
    with RedisServer() as server:
        warm_up(rules, server, options.batch_size)
        for name in dict.fromkeys(["own", *(options.only or POISONS)]):
            parts, largest = run_once(rules, name, server, options)
            usual = usual or parts
            report(name, parts, usual, largest)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of this process: {peak_mb:,.0f} MB")


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storm", type=int, default=10_000, help="records that share a placeholder")
    parser.add_argument("--calm", type=int, default=3_000, help="events before the storm, and after it")
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--only", choices=POISONS, nargs="+", help="beside 'own', these alone")
    parser.add_argument("--profile", action="store_true", help="print where the time of each storm goes")
    return parser.parse_args()


def poison_of(name: str, number: int, size: int) -> dict[str, str]:
    """Return what a storm's record has instead of its own values, by its number and ``max_block_size``."""
    return {
        "own": {},
        "phone": {"phone": PHONE},
        "surname": {"phone": PHONE, "family_name": FAMILY_NAME},
        "open": {"phone": phone_of(number, size)},
        "household": {"phone": phone_of(number, size), "family_name": name_of(number, size)},
    }[name]


def phone_of(number: int, size: int) -> str:
    """Return a phone that ``size`` records share: one of 7,000 that are not generated for anybody."""
    return f"212-{300 + number // size // 10 % 700}-730{number // size % 10}"


def name_of(number: int, size: int) -> str:
    """Return a family name that ``size`` records share; the generated population has it too."""
    return FAMILY_NAMES[number // size % len(FAMILY_NAMES)]


def calm_events(rules: Ruleset) -> Iterator[ChangeEvent]:
    """Yield the events of a population."""
    decoder = Decoder({rules.domain: rules})
    for number, delivery in enumerate(generate(PEOPLE, SEED).events()):
        yield from decoder.decode(Delivery.from_row(delivery.raw, number))


def storm_events(rules: Ruleset, poison: str, count: int) -> Iterator[ChangeEvent]:
    """Yield ``count`` new records of other people, poisoned, in an order that mixes those that share something."""
    decoder = Decoder({rules.domain: rules})
    found = 0
    groups = max(1, count // rules.max_block_size)
    for number, delivery in enumerate(generate(PEOPLE, STORM_SEED).events()):
        for event in decoder.decode(Delivery.from_row(delivery.raw, number)):
            if not isinstance(event, RecordEvent) or delivery.op != "insert" or delivery.repeat:
                continue
            place = found % groups * rules.max_block_size + found // groups
            values = poisoned(rules, event, poison_of(poison, place, rules.max_block_size))
            yield replace(event, record_id=f"storm-{event.record_id}", attributes=values)
            found += 1
            if found == count:
                return


def poisoned(rules: Ruleset, event: RecordEvent, poison: Mapping[str, str]) -> dict[str, Value]:
    """Return a record's values with some replaced, in the columns in which its source keeps them."""
    values = dict(event.attributes)
    for attribute, value in poison.items():
        if attribute == "family_name" and "full_name" in values:
            values["full_name"] = f"{str(values['full_name']).split()[0]} {value}"
        else:
            values[rules.sources[event.source].columns.get(attribute, (attribute,))[0]] = value
    return values


def run_once(
    rules: Ruleset, poison: str, server: RedisServer, options: argparse.Namespace
) -> tuple[dict[str, Part], Largest]:
    """Resolve the whole stream on an empty index; return its parts, and the largest things at the end."""
    parts = {name: Part() for name in PARTS}
    profiler = cProfile.Profile() if options.profile else None
    calm = calm_events(rules)
    with server.client() as client:
        client.flushall()
        engine = Engine(rules, RedisIndex(client, rules, NAMESPACE))
        streams = (
            islice(calm, options.calm),
            storm_events(rules, poison, options.storm),
            islice(calm, options.calm),
        )
        for (name, part), stream in zip(parts.items(), streams, strict=True):
            resolve(engine, client, stream, part, options.batch_size, profiler if name == "during" else None)
        if profiler is not None:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(PROFILE_LINES)
        return parts, largest_of(client, rules)


def warm_up(rules: Ruleset, server: RedisServer, size: int) -> None:
    """Resolve a batch on nobody's clock: what is loaded and made on first use is not the first stream's cost."""
    with server.client() as client:
        Engine(rules, RedisIndex(client, rules, NAMESPACE)).process(list(islice(calm_events(rules), size)))


def resolve(
    engine: Engine,
    client: redis.Redis,
    stream: Iterator[ChangeEvent],
    part: Part,
    size: int,
    profiler: cProfile.Profile | None,
) -> None:
    """Resolve a part, the queue of re-evaluations included. Making the events is on nobody's clock."""
    outbox = epoch_prefix(NAMESPACE, "person", 1) + "out"
    while batch := list(islice(stream, size)):
        server_cpu_s, cpu_s, started_s = server_seconds(client), time.process_time(), time.perf_counter()
        if profiler is not None:
            profiler.enable()
        outcome = engine.process(batch)
        if len(batch) < size:
            outcome.add(engine.drain())
        if profiler is not None:
            profiler.disable()
        part.wall_s += time.perf_counter() - started_s
        part.cpu_s += time.process_time() - cpu_s
        part.server_cpu_s += server_seconds(client) - server_cpu_s
        if outcome.failed:
            raise SystemExit(f"the engine gave a batch up: {outcome.cause}")
        part.totals.add(outcome)
        client.xtrim(outbox, maxlen=0, approximate=False)


def server_seconds(client: redis.Redis) -> float:
    """Return the server's CPU seconds."""
    cpu = client.info("cpu")
    return float(cpu["used_cpu_user"] + cpu["used_cpu_sys"])


def largest_of(client: redis.Redis, rules: Ruleset) -> Largest:
    """Look for the largest things in the index, by scans."""
    prefix = epoch_prefix(NAMESPACE, rules.domain, 1)
    open_block = suspended_block = 0
    for key, stored in client.hscan_iter(prefix + "block", count=1_000):
        if stored.endswith(b"suspended"):
            suspended_block = max(suspended_block, client.hlen(prefix + "b:" + key.decode()))
        else:
            open_block = max(open_block, len(decode_block(stored)[1]))
    component, golden = (max(Counter(client.hvals(prefix + name)).values(), default=0) for name in ("of", "xw"))
    return Largest(open_block, suspended_block, golden, component)


def report(name: str, parts: dict[str, Part], usual: dict[str, Part], largest: Largest) -> None:
    """Print a line."""
    rates = "".join(f"{parts[part].rate:>18,.0f}" for part in PARTS)
    during = parts["during"]
    slowdowns = "".join(f"{parts[part].cost_s / usual[part].cost_s:>17.2f}x" for part in ("during", "after"))
    pairs = during.totals.pairs / during.totals.events
    sizes = f"{largest.open_block:,} (suspended {largest.suspended_block:,}), {largest.golden:,}, {largest.component:,}"
    print(f"{name:<10}{rates}{pairs:>18,.1f}{slowdowns}   {sizes}", flush=True)


if __name__ == "__main__":
    main()
