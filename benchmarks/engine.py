"""How many events a second one process resolves, beside what the machine could do at best.

    python benchmarks/engine.py [--data DIR] [--people 100000] [--events 40000] [--batch-size 500] [--runs 3]
                                [--profile]

Two streams go through the real engine on a Redis server of its own: febrl4 (a public set of 10,000 records, all new)
and the first events of a generated population (new records, changes, deletes, duplicates; the events of 100,000 people
begin with those of a few thousand). What an event passes before and after the engine is outside its clock: decoding is
timed by itself, and the outbox is emptied unread. On a machine that is busy otherwise, compare CPU times.

Two floors are measured in the same run, batch by batch beside the engine: the very pairs that it scored, by bare
RapidFuzz; and the bytes that it exchanged with Redis, in as many round trips, by bare pipelined SET and GET. Memory is
bounded by the batch, the engine's record cache and the server.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import redis
from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from mdm_stream.core.model import ChangeEvent, MatchValues
from mdm_stream.core.plan import pair_scoring
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.files.event_files import file_lines, line_events
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.engine.process import settle_garbage_collector
from mdm_stream.errors import RejectedEventError
from mdm_stream.index.redis.epochs import epoch_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import generate

ROOT = Path(__file__).resolve().parent.parent
DATA_VARIABLE = "MDM_BENCHMARK_DATA"
DATA_DEFAULT = ROOT / ".." / "shared" / "data" / "open"
SEED = 20260101
NAMESPACE = "benchmark"
PROFILE_LINES = 30
FAMILY_NAME = "family_name"

Batches = Callable[["Spent"], Iterator[list[ChangeEvent]]]
"""Called with the clock that decoding is charged to; yields batches of events."""
Pairs = tuple[Sequence[MatchValues], Any, Any]


@dataclass(slots=True)
class Spent:
    """Seconds of wall-clock time and of this process's CPU time."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add what the block takes."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall_s += time.perf_counter() - wall
            self.cpu_s += time.process_time() - cpu


@dataclass(slots=True)
class Run:
    """One run over a stream: what was done, and what it and the floors took."""

    totals: BatchReport = field(default_factory=BatchReport)
    engine: Spent = field(default_factory=Spent)
    decode: Spent = field(default_factory=Spent)
    server_cpu_s: float = 0.0
    round_trips: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    one_column: Spent = field(default_factory=Spent)
    all_columns: Spent = field(default_factory=Spent)
    bare_redis: Spent = field(default_factory=Spent)
    columns: set[int] = field(default_factory=set)


def main() -> None:
    """Measure both streams and print the figures."""
    options = arguments()
    settle_garbage_collector()
    with RedisServer() as server:
        print(f"{server.program.name}, {os.cpu_count()} cores, batches of {options.batch_size:,}, one process\n")
        source = options.data / "febrl4.records.csv.gz"
        if source.is_file():
            rules = load_ruleset(ROOT / "examples" / "rules" / "febrl4.yaml")
            batches = csv_batches(source, rules, options.batch_size)
            measure("febrl4", rules, batches, server, options, 1 if options.profile else options.runs)
        else:
            print(f"febrl4 is left out: there is no {source}; name its folder with --data or {DATA_VARIABLE}.\n")
        rules = load_ruleset(ROOT / "examples" / "rules" / "demo.yaml")
        batches = population_batches(options.people, options.events, rules, options.batch_size)
        measure(f"population of {options.people:,}", rules, batches, server, options, 1)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process: {peak_mb:,.0f} MB")


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get(DATA_VARIABLE, DATA_DEFAULT)))
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=40_000, help="of the population; 0: all")
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3, help="of febrl4")
    parser.add_argument("--profile", action="store_true", help="print where the time goes; no floors")
    return parser.parse_args()


def csv_batches(path: Path, rules: Ruleset, size: int) -> Batches:
    """Return the events of a CSV file in batches; the file is read before."""
    lines = list(file_lines(path))

    def batches(decode: Spent) -> Iterator[list[ChangeEvent]]:
        found = line_events(lines, "csv", None, {rules.domain: rules})
        while True:
            with decode.timed():
                batch = [event for _, event in islice(found, size) if not isinstance(event, RejectedEventError)]
            if not batch:
                return
            yield batch

    return batches


def population_batches(people: int, events: int, rules: Ruleset, size: int) -> Batches:
    """Return the first ``events`` deliveries of a population in batches; generating them is on nobody's clock."""

    def batches(decode: Spent) -> Iterator[list[ChangeEvent]]:
        decoder = Decoder({rules.domain: rules})
        deliveries = enumerate(islice(generate(people, SEED).events(), events or None), start=1)
        while raw := [Delivery.from_row(each.raw, number) for number, each in islice(deliveries, size)]:
            with decode.timed():
                batch = [event for item in raw for event in decoder.decode(item)]
            yield batch

    return batches


def measure(
    name: str, rules: Ruleset, batches: Batches, server: RedisServer, options: argparse.Namespace, runs: int
) -> None:
    """Run a stream ``runs`` times on an empty Redis and print the medians."""
    profiler = cProfile.Profile() if options.profile else None
    done = [run_once(rules, batches, server, profiler) for _ in range(runs)]
    if profiler is None:
        report(name, done)
        return
    print(f"{name}: {done[0].totals.events:,} events in {done[0].engine.wall_s:.1f} s under the profiler")
    pstats.Stats(profiler).sort_stats("tottime").print_stats(PROFILE_LINES)


def run_once(rules: Ruleset, batches: Batches, server: RedisServer, profiler: cProfile.Profile | None) -> Run:
    """Resolve a stream on an empty Redis, the floors beside each batch."""
    run = Run()
    with server.client() as client:
        client.flushall()
        index = RedisIndex(client, rules, NAMESPACE)
        engine = Engine(rules, index)
        outbox = epoch_prefix(NAMESPACE, rules.domain, 1) + "out"
        before = server_figures(client)
        with scored_pairs() as scored:
            for batch in batches(run.decode):
                with run.engine.timed(), profiled(profiler):
                    outcome = engine.process(batch)
                if outcome.failed:
                    raise SystemExit(f"the engine gave a batch up: {outcome.cause}")
                run.totals.add(outcome)
                client.xtrim(outbox, maxlen=0, approximate=False)
                if profiler is None:
                    bare_rapidfuzz(rules, scored, run)
                scored.clear()
            with run.engine.timed(), profiled(profiler):
                run.totals.add(engine.drain())
        run.server_cpu_s, run.bytes_sent, run.bytes_received = (
            after - start for after, start in zip(server_figures(client), before, strict=True)
        )
        run.round_trips = index.counters.round_trips
        if profiler is None:
            bare_redis(client, run)
    return run


@contextmanager
def profiled(profiler: cProfile.Profile | None) -> Iterator[None]:
    """Let the profiler look at the block, if there is one."""
    if profiler is None:
        yield
        return
    profiler.enable()
    try:
        yield
    finally:
        profiler.disable()


@contextmanager
def scored_pairs() -> Iterator[list[Pairs]]:
    """Yield a list that gets the arguments of every bulk scoring that the engine does in the block."""
    scored: list[Pairs] = []
    real = pair_scoring.score_pairs

    def listening(rules: Ruleset, records: Sequence[MatchValues], left: Any, right: Any) -> Any:
        scored.append((records, left, right))
        return real(rules, records, left, right)

    pair_scoring.score_pairs = listening
    try:
        yield scored
    finally:
        pair_scoring.score_pairs = real


def bare_rapidfuzz(rules: Ruleset, scored: Sequence[Pairs], run: Run) -> None:
    """Score the pairs of a batch by Jaro-Winkler alone: the family name, and every compared column that has texts."""
    compared = {attribute for comparison in rules.match.comparisons for attribute in comparison.attributes}
    family_name = rules.index_of(FAMILY_NAME)
    for records, left, right in scored:
        for attribute in sorted(compared):
            texts = [text_of(record[attribute]) for record in records]
            if not any(texts):
                continue
            run.columns.add(attribute)
            a, b = ([texts[i] for i in side.tolist()] for side in (left, right))
            spent = Spent()
            with spent.timed():
                process.cpdist(a, b, scorer=JaroWinkler.normalized_similarity, dtype=np.float64)
            for floor in (run.all_columns, *([run.one_column] if attribute == family_name else [])):
                floor.wall_s += spent.wall_s
                floor.cpu_s += spent.cpu_s


def text_of(value: object) -> str:
    """Return a match value as one text."""
    return " ".join(value) if isinstance(value, tuple) else str(value or "")


def bare_redis(client: redis.Redis, run: Run) -> None:
    """Move as many bytes each way in as many round trips, by one pipelined SET and GET each."""
    client.flushall()
    payload = bytes(run.bytes_sent // run.round_trips)
    client.set("reply", bytes(run.bytes_received // run.round_trips))
    with run.bare_redis.timed():
        for _ in range(run.round_trips):
            client.pipeline(transaction=False).set("request", payload).get("reply").execute()


def server_figures(client: redis.Redis) -> tuple[float, int, int]:
    """Return the server's CPU seconds, and the bytes that it has received and sent."""
    cpu, traffic = client.info("cpu"), client.info("stats")
    seconds = cpu["used_cpu_user"] + cpu["used_cpu_sys"]
    return seconds, traffic["total_net_input_bytes"], traffic["total_net_output_bytes"]


def report(name: str, runs: Sequence[Run]) -> None:
    """Print the medians of the runs, the floors, and how many times as long as each the engine takes."""
    first = runs[0]
    events = first.totals.events
    engine_s = median(runs, lambda run: run.engine.wall_s)
    walls = sorted(events / run.engine.wall_s for run in runs)
    spread = f", median of {len(runs)} runs ({walls[0]:,.0f} to {walls[-1]:,.0f} events/s)" if len(runs) > 1 else ""
    print(f"{name}: {events:,} events, {first.totals.pairs:,} candidate pairs{spread}")
    line("engine", events, engine_s, median(runs, lambda run: run.engine.cpu_s))
    line(
        "decode and engine",
        events,
        median(runs, lambda run: run.engine.wall_s + run.decode.wall_s),
        median(runs, lambda run: run.engine.cpu_s + run.decode.cpu_s),
    )
    print(f"  {'Redis server meanwhile':<71}{median(runs, lambda run: run.server_cpu_s):>10.2f} s CPU")
    moved = f"{first.bytes_sent / 1e6:.1f} MB + {first.bytes_received / 1e6:.1f} MB, {first.round_trips:,} trips"
    floor("RapidFuzz, family name alone", median(runs, lambda run: run.one_column.wall_s), engine_s)
    floor(
        f"RapidFuzz, {len(first.columns)} compared columns", median(runs, lambda run: run.all_columns.wall_s), engine_s
    )
    floor(f"Redis, {moved}", median(runs, lambda run: run.bare_redis.wall_s), engine_s)
    print()


def median(runs: Sequence[Run], figure: Callable[[Run], float]) -> float:
    """Return the median of a figure."""
    return statistics.median(figure(run) for run in runs)


def line(what: str, events: int, wall_s: float, cpu_s: float) -> None:
    """Print a rate with the times behind it."""
    rates = f"{events / wall_s:>10,.0f} events/s{events / cpu_s:>10,.0f} events/CPU s"
    print(f"  {what:<20}{rates}{wall_s:>10.2f} s wall{cpu_s:>10.2f} s CPU")


def floor(what: str, floor_s: float, engine_s: float) -> None:
    """Print a floor and the engine's ratio to it."""
    print(f"  floor: {what:<44}{floor_s:>9.3f} s   the engine takes {engine_s / floor_s:,.1f} times as long")


if __name__ == "__main__":
    main()
