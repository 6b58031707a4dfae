"""A small truth set, delivered in 1,000 orders: is the result one and the same, and is it the reference's?

    python benchmarks/shuffles.py [FILE... --rules RULES] [--shuffles 1000] [--seed 1] [--batch-sizes 1,7,50,500]
                                  [--workers 1,2,4] [--records 200] [--people 40] [--max-block-size 3]

Without files it invents a population. Each shuffle draws an order from its number, delivers a quarter of the events
twice, and deals them out to workers at random: what one worker is told of a record another may be told otherwise, at
the same time. Batch sizes, numbers of workers, and threads or processes take turns. The limit on blocks is so low that
many are suspended and come back. Prints the digests of crosswalk, golden records and review queue, and how often each
came out; exits with 1 if any is not the reference's.

Memory: one Redis server and eight small processes (two shuffles at a time).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import redis
from histories import RULES_DEFAULT, digest_of, eventful, history

from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.engine.process import settle_garbage_collector
from mdm_stream.engine.worker import open_engines
from mdm_stream.errors import TransientError
from mdm_stream.index.redis.epochs import drop_namespace
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.rules import load_ruleset

DUPLICATE_FRACTION = 0.25
SHUFFLES_AT_A_TIME = 2
PROGRESS_INTERVAL = 100
KINDS = ("threads", "processes")


@dataclass(frozen=True, slots=True)
class Shuffle:
    """One way to deliver the history: all that it does follows from these."""

    number: int
    seed: int
    batch_size: int
    workers: int
    kind: str

    @property
    def namespace(self) -> str:
        """Where it works."""
        return f"shuffle-{self.number}"

    def shares(self, events: Sequence[ChangeEvent]) -> list[list[ChangeEvent]]:
        """Return what each worker is given, in order."""
        randomness = random.Random(f"{self.seed}/{self.number}")
        delivery = [*events, *randomness.sample(events, round(len(events) * DUPLICATE_FRACTION))]
        randomness.shuffle(delivery)
        shares: list[list[ChangeEvent]] = [[] for _ in range(self.workers)]
        for event in delivery:
            randomness.choice(shares).append(event)
        return shares


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What every process of the pool is given once."""

    redis_url: str
    rules: Ruleset
    events: list[ChangeEvent]


_here: _Surroundings | None = None


def main() -> int:
    """Deliver the history in every order; return the exit code."""
    options = _options()
    rules = replace(load_ruleset(options.rules), max_block_size=options.max_block_size)
    events = eventful(history(rules, options.files, options.records, options.people), options.seed)
    began_s = time.monotonic()
    expected = digest_of(resolve(rules, events))
    refs = len({ref for event in events for ref in event.refs})
    print(f"{len(events):,} events of {refs:,} records, seed {options.seed}; the reference's digest is {expected}")
    combinations = list(product(options.batch_sizes, options.workers, KINDS))
    shuffles = [
        Shuffle(number, options.seed, *combinations[number % len(combinations)])
        for number in range(options.first, options.first + options.shuffles)
    ]
    processes = SHUFFLES_AT_A_TIME * max(options.workers)
    totals, wrong = BatchReport(), []
    digests: Counter[str] = Counter()
    with RedisServer() as server:
        surroundings = _Surroundings(server.url, rules, events)
        with (
            ProcessPoolExecutor(processes, get_context("spawn"), _settle_in, (surroundings,)) as pool,
            ThreadPoolExecutor(SHUFFLES_AT_A_TIME) as drivers,
        ):
            outcomes = drivers.map(partial(_deliver, pool), shuffles)
            for shuffle, (digest, report) in zip(shuffles, outcomes, strict=True):
                digests[digest] += 1
                totals.add(report)
                if digest != expected:
                    wrong.append(shuffle)
                    print(f"shuffle {shuffle.number} gives {digest}: {shuffle}; repeat it with {_repeat(shuffle)}")
                if sum(digests.values()) % PROGRESS_INTERVAL == 0:
                    print(f"  {sum(digests.values()):,} shuffles, {time.monotonic() - began_s:,.0f} s", flush=True)
    for digest, count in digests.most_common():
        print(f"{digest}  {count:,} shuffles{'' if digest == expected else ': not the reference'}")
    print(
        f"{len(shuffles):,} shuffles over batch sizes {_joined(options.batch_sizes)} and workers "
        f"{_joined(options.workers)}: {totals.events:,} deliveries, {totals.absorbed:,} absorbed, "
        f"{totals.conflicts:,} conflicts, {totals.reevaluated:,} re-evaluations, "
        f"{len({expected, *digests}):,} digest(s), {time.monotonic() - began_s:,.0f} s"
    )
    return int(bool(wrong))


def _deliver(pool: ProcessPoolExecutor, shuffle: Shuffle) -> tuple[str, BatchReport]:
    """Deliver the history as a shuffle says; return the digest and the counts."""
    together = tuple(range(shuffle.workers))
    tasks = [together] if shuffle.kind == "threads" else [(share,) for share in together]
    report = BatchReport()
    for part in [pool.submit(_apply, shuffle, shares) for shares in tasks]:
        report.add(part.result())
    digest, rest = pool.submit(_conclude, shuffle).result()
    report.add(rest)
    return digest, report


def _settle_in(surroundings: _Surroundings) -> None:
    global _here  # noqa: PLW0603 - what a process is given when it starts, it keeps
    _here = surroundings
    settle_garbage_collector()


def _surroundings() -> _Surroundings:
    assert _here is not None, "only processes of the pool deliver"
    return _here


def _apply(shuffle: Shuffle, shares: Sequence[int]) -> BatchReport:
    """Apply some workers' shares in this process, each in a thread."""
    dealt = shuffle.shares(_surroundings().events)
    report = BatchReport()
    with ThreadPoolExecutor(len(shares)) as threads:
        for part in threads.map(lambda share: _work(shuffle, dealt[share]), shares):
            report.add(part)
    return report


def _work(shuffle: Shuffle, share: Sequence[ChangeEvent]) -> BatchReport:
    """Be one worker."""
    here = _surroundings()
    engine, _ = open_engines(here.redis_url, {here.rules.domain: here.rules}, shuffle.namespace)[here.rules.domain]
    report = BatchReport()
    for start in range(0, len(share), shuffle.batch_size):
        part = engine.process(share[start : start + shuffle.batch_size])
        if part.failed:
            raise TransientError(f"shuffle {shuffle.number}: {part.cause}")
        report.add(part)
    return report


def _conclude(shuffle: Shuffle) -> tuple[str, BatchReport]:
    """Work off what waits, and return the digest of the state; nothing of it stays in Redis."""
    here = _surroundings()
    engine, index = open_engines(here.redis_url, {here.rules.domain: here.rules}, shuffle.namespace)[here.rules.domain]
    report = engine.drain()
    digest = digest_of(index.snapshot())
    drop_namespace(redis.Redis.from_url(here.redis_url), shuffle.namespace)
    return digest, report


def _repeat(shuffle: Shuffle) -> str:
    return f"--seed {shuffle.seed} --first {shuffle.number} --shuffles 1 and the other options as they were"


def _joined(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rules", default=RULES_DEFAULT, help="a rules file; by default the population's")
    parser.add_argument("--shuffles", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first shuffle")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch-sizes", type=_numbers, default=[1, 7, 50, 500])
    parser.add_argument("--workers", type=_numbers, default=[1, 2, 4])
    parser.add_argument("--records", type=int, default=200, help="of the files, in the order of their keys")
    parser.add_argument("--people", type=int, default=40, help="of the population, if there are no files")
    parser.add_argument("--max-block-size", type=int, default=3, help="in place of what the rules say")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
