"""A rewrite heals what was done to an index behind its back, and changes nothing of one that is right."""

from __future__ import annotations

import random

import orjson
import pytest
from small_world import small_rules
from torture.world import World as SmallWorld
from torture.world import history

from mdm_stream.core.reference import fold_events, resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.engine.rewriting import GivenState, RewriteWanted, digest_of_state
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex

KINDS = ["lost", "stale", "place", "crosswalk", "golden", "golden lost", "component", "review", "edges", "block"]


def events_of(seed: int, rules: int = 0):
    """Return a random history of a dense world."""
    return history(SmallWorld(rules=rules, records_per_source=5), random.Random(seed), 60)


def filled(index, rules, events):
    """Apply a history to an index."""
    engine = Engine(rules, index, sleep=lambda _: None)
    assert engine.process(events).failed == []
    engine.drain()
    return engine


@pytest.mark.parametrize("rules", [small_rules(), small_rules(50, 50, kept=1), small_rules(exclusive=(2,))])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_right_stays_as_it_is(seed, rules):
    """A rewrite of any records of a sound index leaves F, and says it again."""
    events = events_of(seed)
    index = MemoryIndex(rules)
    engine = filled(index, rules, events)
    expected = resolve(rules, events)
    assert index.snapshot() == expected
    for ref in sorted(expected.crosswalk)[::3]:
        assert engine.rewrite(RewriteWanted([ref]), BatchReport()) > 0
        engine.drain()
        assert index.snapshot() == expected


def damaged(client, index, kind, chance):
    """Damage the live epoch as ``kind`` says."""
    key = index._epoch.key
    ref = chance.choice(sorted(index.scan_crosswalk()))
    golden_id = index.golden_of([ref])[ref]
    if kind == "lost":
        client.hdel(key("rec"), ref)
    elif kind == "stale":
        stored = client.hget(key("rec"), ref)
        state, *rest = orjson.loads(stored[16:])
        state[0] = (state[0] or 0) + 77
        client.hset(key("rec"), ref, stored[:16] + orjson.dumps([state, *rest]))
    elif kind == "place":
        client.hdel(key("of"), ref)
    elif kind == "crosswalk":
        client.hset(key("xw"), ref, "g" + "0" * 24)
    elif kind == "golden":
        client.hset(key("gold"), golden_id, b'{"golden_id":"x"}')
    elif kind == "golden lost":
        client.hdel(key("gold"), golden_id)
    elif kind == "component":
        client.hdel(key("comp"), "none", *sorted(client.hkeys(key("comp")))[:1])
    elif kind == "review":
        client.delete(key("review"))
    elif kind == "edges":
        for each in client.hkeys(key("es")):
            client.delete(key("e:" + each.decode()))
    elif kind == "block":
        client.hdel(key("block"), "none", *client.hkeys(key("block"))[:3])


@pytest.mark.one_redis
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rules", [small_rules(), small_rules(50, 50, kept=1)], ids=["blocks", "kept"])
def test_a_rewrite_of_all_records_gives_f(redis_client, kind, rules):
    """Whatever was damaged: the records are given as they should be, and nothing that is held is believed."""
    chance = random.Random(5)
    for seed in range(3):
        redis_client.flushall()
        events = events_of(seed)
        index = RedisIndex(redis_client, rules)
        engine = filled(index, rules, events)
        for _ in range(3):
            damaged(redis_client, index, kind, chance)
        states = fold_events(events)
        held = index.read_records(sorted(states))
        wrong = {ref: digest_of_state(held[ref].state) for ref in held}
        given = {ref: GivenState(state, wrong.get(ref, "")) for ref, state in states.items()}
        golden = {"g" + "0" * 24: sorted(states)[:1]}
        engine.rewrite(RewriteWanted(given=given, golden=golden), BatchReport())
        Engine(rules, index, sleep=lambda _: None).drain()
        assert index.snapshot() == resolve(rules, events)
