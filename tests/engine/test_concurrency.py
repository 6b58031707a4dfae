"""Any number of workers on one index, in lockstep, in threads and in processes: the state is F."""

from __future__ import annotations

import multiprocessing
import random
import threading

import pytest
import redis
from schedules import Schedule, golden_of_feed, history
from small_world import small_rules

from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis_index import RedisIndex

REFS = [f"{source}/{i}" for source in ("crm", "erp", "web") for i in range(6)]


@pytest.mark.parametrize("seed", range(50))
def test_workers_in_any_interleaving(seed):
    """Whatever happens between any two calls of a worker, every commit leaves a whole state, and the last one F."""
    Schedule(seed, workers=2 + seed % 3).run()


@pytest.mark.parametrize("seed", range(1000, 1050))
def test_workers_that_fail_and_are_killed_between_any_two_calls(seed):
    """Errors, time-outs after the effect and kills, in the middle of a pipeline too, change nothing of that."""
    Schedule(seed, workers=1 + seed % 3, fault_rate=0.04).run()


@pytest.mark.parametrize("seed", [46, 47, 142])
def test_interleavings_that_once_lost_an_edge(seed):
    """A record that enters a block while a batch that moves it elsewhere is being read."""
    Schedule(seed, workers=2 + seed % 3).run()


def deliver(url, rules, lane, size, failures):
    """Apply one worker's share of a delivery."""
    with redis.Redis.from_url(url) as client:
        engine = Engine(rules, RedisIndex(client, rules))
        for start in range(0, len(lane), size):
            report = engine.process(lane[start : start + size])
            if report.failed:
                failures.append(report.cause)


@pytest.mark.one_redis
@pytest.mark.parametrize(("kind", "seed"), [("threads", 0), ("threads", 1), ("processes", 2)])
def test_workers_at_full_speed_on_one_redis(redis_url, kind, seed):
    """Threads and processes that write the same few records at once make one F, and one feed without a gap."""
    rules = small_rules(max_block_size=5)
    events = history(random.Random(seed), 300, REFS)
    delivery = [*events, *events]
    random.Random(seed).shuffle(delivery)
    context = multiprocessing.get_context("spawn")
    failures = [] if kind == "threads" else context.Manager().list()
    make = threading.Thread if kind == "threads" else context.Process
    workers = [
        make(target=deliver, args=(redis_url, rules, delivery[lane::4], 1 + 6 * lane, failures)) for lane in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert list(failures) == []
    with redis.Redis.from_url(redis_url) as client:
        index = RedisIndex(client, rules)
        Engine(rules, index).drain()
        expected = resolve(rules, events)
        assert index.snapshot() == expected
        assert golden_of_feed(index.read(1_000_000)) == (expected.golden, expected.crosswalk)
