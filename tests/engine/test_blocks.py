"""Blocks that cross their limit, one way and the other: suspended keys make no candidates, and lose no record."""

from __future__ import annotations

import random
import threading

import pytest
import redis
from small_world import small_rules
from torture.subscriber import golden_of_feed

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex

LIMIT = 4
RULES = small_rules(max_block_size=LIMIT, max_cluster_size=50)
SHARED = ("shared@x.org",)


def upsert(number: int, version: int, email: tuple[str, ...] = SHARED) -> RecordEvent:
    """A record that has nothing but an email address to be found by."""
    return RecordEvent("person", "crm", str(number), "upsert", version, number, {"email": email})


def delete(number: int, version: int) -> RecordEvent:
    """Its deletion."""
    return RecordEvent("person", "crm", str(number), "delete", version, number)


@pytest.fixture(params=["memory", "redis"])
def index(request, redis_client):
    """Both indexes."""
    return MemoryIndex(RULES) if request.param == "memory" else RedisIndex(redis_client, RULES)


def golden_sizes(index):
    """Return how many members each golden record has, largest first."""
    return sorted((len(record["members"]) for record in index.snapshot().golden.values()), reverse=True)


def test_one_record_too_many_dissolves_what_the_key_had_linked(index):
    """Past the limit nobody is linked by the key; back at it, everybody is, under the id there was before."""
    engine = Engine(RULES, index)
    engine.process([upsert(n, 1) for n in range(LIMIT)])
    together = index.snapshot()
    assert golden_sizes(index) == [LIMIT]
    engine.process([upsert(LIMIT, 1)])
    assert golden_sizes(index) == [1] * (LIMIT + 1)
    engine.process([delete(LIMIT, 2)])
    assert index.snapshot() == together


def test_a_batch_may_fill_overfill_and_empty_a_block(index):
    """One batch takes a key from nothing past the limit, and one from past the limit to nothing."""
    engine = Engine(RULES, index)
    events = [upsert(n, 1) for n in range(3 * LIMIT)]
    engine.process(events)
    engine.drain()
    assert golden_sizes(index) == [1] * (3 * LIMIT)
    engine.process([upsert(n, 2, (f"{n}@x.org",)) for n in range(2 * LIMIT)])
    engine.drain()
    assert golden_sizes(index) == [LIMIT] + [1] * (2 * LIMIT)
    engine.process([delete(n, 3) for n in range(3 * LIMIT)])
    engine.drain()
    assert golden_sizes(index) == []
    golden, crosswalk = golden_of_feed(index.read(1_000_000))
    assert (golden, crosswalk) == ({}, {})


def test_the_queue_is_worked_off_in_bounded_steps(index):
    """A crossing is paid for by the batches that follow, a bounded number of records each."""
    engine = Engine(RULES, index)
    engine.process([upsert(n, 1) for n in range(LIMIT)])
    engine.process([upsert(LIMIT, 1)])
    assert index.pending(100) == []
    report = engine.process([upsert(LIMIT, 2, ("elsewhere@x.org",))])
    assert report.reevaluated == LIMIT


@pytest.mark.parametrize("seed", range(6))
def test_workers_that_cross_the_limit_against_each_other(redis_url, seed):
    """Some enter while others leave: nobody stays linked by a suspended key, or unlinked by one that is open."""
    randomness = random.Random(seed)
    events = [
        randomness.choice([upsert(n, v), upsert(n, v), upsert(n, v, ("b@x.org",)), delete(n, v)])
        for n in range(2 * LIMIT)
        for v in range(1, 8)
    ]
    randomness.shuffle(events)
    failures = []

    def work(lane):
        with redis.Redis.from_url(redis_url) as client:
            engine = Engine(RULES, RedisIndex(client, RULES))
            for start in range(0, len(lane), 3):
                failures.extend(engine.process(lane[start : start + 3]).failed)

    threads = [threading.Thread(target=work, args=(events[lane::3],)) for lane in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with redis.Redis.from_url(redis_url) as client:
        index = RedisIndex(client, RULES)
        Engine(RULES, index).drain()
        expected = resolve(RULES, events)
        assert index.snapshot() == expected
        assert golden_of_feed(index.read(1_000_000)) == (expected.golden, expected.crosswalk)
        records = index.read_records([f"crm/{n}" for n in range(2 * LIMIT)]).values()
        holders = [record for record in records if "e:shared@x.org" in record.keys]
        assert client.exists("mdm:{main:person}:1:b:e:shared@x.org") == int(len(holders) > LIMIT)
