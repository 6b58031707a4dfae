"""How long a new epoch takes from the archive, beside resolving the same events one after the other.

    python benchmarks/rebuild.py [--records 100000] [--workers 2,1] [--people 200000] [--no-replay] [--profile]

A generated population is archived as the resolve consumer does it: raw records, 500 a segment. Then, on an empty Redis
each time and in a process of its own, a rebuild makes the index from the archive, and a replay sends the same raw
records through decoding and engine. Both say all their golden changes to somebody who counts them. The states must be
the same, byte for byte; exits with 1 if they are not.

A rebuild's time includes starting its workers, a replay's does not; the CPU times of both do, and leave Redis out. A
replay's memory includes writing its result files. Memory is bounded by the batch, the engines' record caches, and a
rebuild's portion of folded records.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import os
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path

import redis
from histories import POPULATION_SEED, RULES_DEFAULT

from mdm_stream.archive import IN_BULK, open_archive
from mdm_stream.archive.rows import delivery_of, rows_of
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.feed.published import PublishedState
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.rebuild.run import Rebuild, RebuildOptions
from mdm_stream.replay.outputs import CROSSWALK_FILE, GOLDEN_FILE, REVIEW_FILE, write_state
from mdm_stream.replay.run import replay
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import generate

SEGMENT_ROWS = 500
REPLAY_BATCH_SIZE = 500
NAMESPACE = "benchmark"
PROFILE_LINES = 25
WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
ARRIVAL_TIME_US = 1_767_225_600_000_000


@dataclass(frozen=True, slots=True)
class Task:
    """One run. ``kind`` is rebuild or replay."""

    kind: str
    workers: int
    archive: Path
    out: Path
    profile: bool


@dataclass(slots=True)
class Measured:
    """What a run took: wall-clock time, and CPU time of its process and its workers, whose start it includes.

    ``redis_mb`` is what the state takes; ``rss_mb`` the peak of the process or, where larger, that of one of its
    workers.
    """

    seconds: float = 0.0
    cpu_s: float = 0.0
    changes: int = 0
    redis_mb: float = 0.0
    rss_mb: float = 0.0
    digest: str = ""
    details: str = ""


@dataclass(slots=True)
class Count:
    """A golden feed that only counts."""

    messages: int = 0

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Take messages."""
        self.messages += len(messages)


class NothingPublished:
    """A golden feed that is empty."""

    def read(self, _state: PublishedState) -> None:
        """Read nothing."""

    def finish(self, _state: PublishedState) -> None:
        """Read nothing."""


@dataclass(slots=True)
class Archived:
    """What was archived."""

    events: int = 0
    refs: set[str] = field(default_factory=set)


def main() -> int:
    """Archive, rebuild, replay and compare; return the exit code."""
    options = _options()
    rules = load_ruleset(RULES_DEFAULT)
    with tempfile.TemporaryDirectory(prefix="mdm-rebuild-") as name:
        folder = Path(name)
        began_s = time.monotonic()
        archived = fill_archive(folder / "archive", rules, options.records, options.people)
        size_mb = sum(path.stat().st_size for path in (folder / "archive").rglob("*") if path.is_file()) / 1e6
        print(
            f"{archived.events:,} events of {len(archived.refs):,} records, {size_mb:,.1f} MB of segments, written in "
            f"{time.monotonic() - began_s:,.0f} s; seed {POPULATION_SEED}, {os.cpu_count()} cores"
        )
        digests = set()
        for workers in options.workers:
            taken = {}
            for kind in ("rebuild",) if options.no_replay else ("rebuild", "replay"):
                task = Task(kind, workers, folder / "archive", folder / kind, options.profile)
                taken[kind] = measured = _in_a_process(task)
                digests.add(measured.digest)
                _report(task, measured, archived.events)
            if "replay" in taken:
                ratio = taken["rebuild"].seconds / taken["replay"].seconds
                cpu_ratio = taken["rebuild"].cpu_s / taken["replay"].cpu_s
                print(
                    f"  with {workers} worker(s) a rebuild takes {ratio:.2f} times as long as a replay, "
                    f"and {cpu_ratio:.2f} times its CPU time",
                    flush=True,
                )
    print(f"{len(digests)} digest(s) of the state: {', '.join(sorted(digests))}")
    return int(len(digests) > 1)


def deliveries(people: int) -> Iterator[Delivery]:
    """Yield the events of a population, each with its place on a stream."""
    for number, delivery in enumerate(generate(people, POPULATION_SEED).events(), start=1):
        position = f"{number:064d}"
        yield Delivery(delivery.raw, position, ARRIVAL_TIME_US + number, f"changes/{position}")


def fill_archive(folder: Path, rules: Ruleset, records: int, people: int, *, in_bulk: bool = False) -> Archived:
    """Archive deliveries until they name so many records; ``in_bulk``: no index has had them."""
    archive = open_archive(folder.as_uri())
    decoder = Decoder({rules.domain: rules})
    archived = Archived()
    remaining = deliveries(people)
    while len(archived.refs) < records and (batch := list(islice(remaining, SEGMENT_ROWS))):
        rows = []
        for delivery in batch:
            events = decoder.decode(delivery)
            if events:
                rows += rows_of(rules.domain, events, delivery)
                archived.refs.update(ref for event in events for ref in event.refs)
                archived.events += len(events)
        witness = IN_BULK if in_bulk else EpochPosition(1, archived.events, archived.events)
        archive.append(rules.domain, rows, witness)
    return archived


def _in_a_process(task: Task) -> Measured:
    """Run a task in a process of its own, so that its peak of memory is its own."""
    context = get_context("spawn")
    outcome: Queue[Measured] = context.Queue()
    process = context.Process(target=_run, args=(task, outcome))
    process.start()
    while process.is_alive() and outcome.empty():
        process.join(0.1)
    if outcome.empty():
        raise SystemExit(f"the {task.kind} failed with exit code {process.exitcode}")
    measured = outcome.get()
    process.join()
    return measured


def _run(task: Task, outcome: Queue[Measured]) -> None:
    rules = load_ruleset(RULES_DEFAULT)
    profiler = cProfile.Profile() if task.profile else None
    with RedisServer() as server:
        if profiler:
            profiler.enable()
        measured = (_rebuild if task.kind == "rebuild" else _replay)(task, rules, server)
        if profiler:
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(PROFILE_LINES)
        hashed = hashlib.sha256()
        for name in (CROSSWALK_FILE, GOLDEN_FILE, REVIEW_FILE):
            hashed.update((task.out / name).read_bytes())
        measured.digest = hashed.hexdigest()[:16]
        outcome.put(measured)


def _rebuild(task: Task, rules: Ruleset, server: RedisServer) -> Measured:
    feed = Count()
    rebuild = Rebuild(
        rules,
        server.url,
        NAMESPACE,
        archive=open_archive(task.archive.as_uri()),
        golden=feed,  # type: ignore[arg-type]  # all that is asked of a publisher
        published=NothingPublished(),
        options=RebuildOptions(workers=task.workers, publish_grace_s=0.0),
    )
    began_s, cpu_before_s = time.perf_counter(), _cpu_s()
    report = rebuild.run()
    seconds, cpu_s = time.perf_counter() - began_s, _cpu_s() - cpu_before_s
    rss_mb = _rss_mb()
    with server.client() as client:
        redis_mb = _redis_mb(client)
        task.out.mkdir(exist_ok=True)
        write_state(task.out, {rules.domain: RedisIndex(client, rules, NAMESPACE, create=False).snapshot()})
    details = f"{report.states:,} states; filled in {report.fill_s:.1f} s, writers held back for {report.held_s:.1f} s"
    return Measured(seconds, cpu_s, feed.messages, redis_mb, rss_mb, details=details)


def _replay(task: Task, rules: Ruleset, server: RedisServer) -> Measured:
    cpu_before_s = _cpu_s()
    stats = replay(
        _events(task.archive, rules),
        {rules.domain: rules},
        task.out,
        batch_size=REPLAY_BATCH_SIZE,
        workers=task.workers,
        redis_url=server.url,
    )
    cpu_s, redis_mb = _cpu_s() - cpu_before_s, stats["redis_memory_bytes"] / 1e6
    details = f"{stats['absorbed']:,} absorbed, {stats['conflicts']:,} conflicts"
    return Measured(stats["seconds"], cpu_s, stats["golden_changes"], redis_mb, _rss_mb(), details=details)


def _events(archive: Path, rules: Ruleset) -> Iterator[ChangeEvent]:
    """Yield the archived events in the order in which they came."""
    decoder = Decoder({rules.domain: rules})
    opened = open_archive(archive.as_uri())
    objects = sorted(opened.objects(rules.domain), key=lambda found: found.witness)
    for row in opened.read(objects):
        yield from decoder.decode(delivery_of(row))


def _cpu_s() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, WHO))


def _redis_mb(client: redis.Redis) -> float:
    return int(client.info("memory")["used_memory"]) / 1e6


def _rss_mb() -> float:
    """Return the peak memory of this process or, where larger, of one of its children that have ended."""
    return max(resource.getrusage(who).ru_maxrss for who in WHO) / 1024


def _report(task: Task, measured: Measured, events: int) -> None:
    name = f"{task.kind}, {task.workers} worker(s)"
    print(
        f"{name}: {measured.seconds:>7.1f} s, {events / measured.seconds:>7,.0f} events/s, "
        f"{measured.cpu_s:,.1f} s CPU; {measured.changes:,} changes told; "
        f"Redis {measured.redis_mb:,.0f} MB, peak RSS {measured.rss_mb:,.0f} MB; {measured.details}",
        flush=True,
    )


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000, help="record keys; a few thousand for a quick look")
    parser.add_argument("--workers", type=_numbers, default=[2, 1])
    parser.add_argument("--people", type=int, default=200_000, help="of the population, whose first events are taken")
    parser.add_argument("--no-replay", action="store_true")
    parser.add_argument("--profile", action="store_true", help="print where the parent's time goes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
