"""A Redis that runs full in the middle of batches: each commit is written wholly or not at all, and nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from torture.keyspace import expected_keys, states_of, stored_keys
from torture.subscriber import golden_of_feed
from torture.world import RULES, World, history

from mdm_stream.core.reference import fold_events, resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.epochs import epoch_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.settings import EngineSettings

PREFIX = epoch_prefix("main", "person", 1)
ROOM_BYTES_MAX = 6_000
"""More than a commit writes here, less than a batch does: some are taken before the server is full."""
NO_ROOM = -(2**40)
NOT_STATE = ("meta", "out", "pend")


@contextmanager
def room_left(client: redis.Redis, room_bytes: int) -> Iterator[None]:
    """Let Redis take only so many more bytes; none if negative."""
    client.config_set("maxmemory", max(1, client.info("memory")["used_memory"] + room_bytes))
    try:
        yield
    finally:
        client.config_set("maxmemory", 0)


@pytest.mark.parametrize("rules", RULES[:4], ids=range(4))
def test_a_full_index_is_whole_at_every_moment(redis_client: redis.Redis, rules) -> None:
    """Whatever a commit would do (suspend, resume, merge, split, erase, end an override), it does all of it or nothing.

    The room is drawn at random, so Redis is full before, between and after the commits of a batch. What is stored then
    follows from the records that are stored; what was refused comes again; the end is F, and the feed has no gap.
    """
    randomness = random.Random(rules.digest)
    index = RedisIndex(redis_client, rules)
    settings = EngineSettings(transient_attempts_max=1, groups_per_commit_max=1, reevaluations_max=3)
    engine = Engine(rules, index, settings, sleep=lambda _: None)
    events = [*history(World(), randomness, 90), *history(World(records_per_source=4), randomness, 90)]
    randomness.shuffle(events)
    refused = partly = 0
    for start in range(0, len(events), 9):
        batch = events[start : start + 9]
        clock = index.position().clock
        with room_left(redis_client, randomness.randint(-ROOM_BYTES_MAX, ROOM_BYTES_MAX)):
            report = engine.process(batch)
        if report.failed:
            refused += 1
            partly += int(index.position().clock > clock)
            assert "raise maxmemory" in report.cause
        stored = stored_keys(redis_client, PREFIX)
        implied = expected_keys(rules, states_of(stored), stored if stored.get("pend") else None)
        assert {key: held for key, held in stored.items() if key not in NOT_STATE} == implied
        assert engine.process(batch).failed == []
    engine.drain()
    assert refused > 3
    expected = resolve(rules, events)
    assert index.snapshot() == expected
    entries = index.read(1_000_000)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert golden_of_feed(entries) == (expected.golden, expected.crosswalk)
    stored = stored_keys(redis_client, PREFIX)
    assert {k: held for k, held in stored.items() if k not in NOT_STATE} == expected_keys(rules, fold_events(events))


@pytest.mark.parametrize("seed", range(5))
def test_an_index_without_room_is_not_written_at_all(redis_client: redis.Redis, seed: int) -> None:
    """A batch that meets a full Redis leaves every key as it was, counters and outbox too; reading goes on."""
    randomness = random.Random(seed)
    rules = RULES[seed]
    index = RedisIndex(redis_client, rules)
    engine = Engine(rules, index, EngineSettings(transient_attempts_max=1), sleep=lambda _: None)
    engine.process(history(World(), randomness, 60))
    before = stored_keys(redis_client, PREFIX), redis_client.hgetall(PREFIX + "meta")
    with room_left(redis_client, NO_ROOM):
        for _ in range(10):
            engine.process(history(World(), randomness, 12))
        assert (stored_keys(redis_client, PREFIX), redis_client.hgetall(PREFIX + "meta")) == before
        entries = index.read(1_000)
        index.acknowledge(entries)
        assert index.read(1) == []
    assert entries
