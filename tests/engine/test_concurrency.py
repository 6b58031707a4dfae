"""Any number of workers at full speed on one index, in threads and in processes: the state is F."""

from __future__ import annotations

import multiprocessing
import random
import threading

import pytest
import redis
from small_world import small_rules
from torture.subscriber import golden_of_feed
from torture.world import World, history

from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.index import RedisIndex


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
    rules = small_rules(max_block_size=5 + 20 * (seed % 2), kept=2)
    events = history(World(records_per_source=6), random.Random(seed), 300)
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
