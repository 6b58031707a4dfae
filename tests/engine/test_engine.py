"""The engine's state is F of what was delivered, on every index."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_world import HISTORIES, small_rules

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.settings import EngineSettings


def deliver(index, rules, events, batch_size):
    """Run the engine over the events in batches, then drain the re-evaluation queue."""
    engine = Engine(rules, index, sleep=lambda _: None)
    for start in range(0, len(events), batch_size):
        report = engine.process(events[start : start + batch_size])
        assert not report.failed, report.cause
    engine.drain()


WORLDS = [
    small_rules(),
    small_rules(max_block_size=3, max_cluster_size=2),
    small_rules(exclusive=(2,), kept=2),
    small_rules(2, 9, kept=1),
    small_rules(50, 50, kept=1),
    small_rules(50, 3, kept=2),
    small_rules(50, 50, clustering="evidence"),
    small_rules(3, 5, kept=2, clustering="evidence"),
]
"""Blocks, clusters, and what is kept of links and of pairs in the middle band, at their limits at once or never."""


@given(history=HISTORIES, batch_size=st.integers(1, 12), world=st.sampled_from(WORLDS), seed=st.integers(0, 99))
@settings(max_examples=300, deadline=None)
def test_state_equals_the_reference_in_memory(history, batch_size, world, seed):
    """Any history, redelivered in another order and in any batches, gives exactly the reference's state."""
    expected = resolve(world, history)
    index = MemoryIndex(world)
    deliver(index, world, history, batch_size)
    assert index.snapshot() == expected
    again = history * 2
    random.Random(seed).shuffle(again)
    deliver(index, world, again, batch_size)
    assert index.snapshot() == expected
    shuffled = MemoryIndex(world)
    deliver(shuffled, world, again, batch_size)
    assert shuffled.snapshot() == expected


@given(history=HISTORIES, batch_size=st.integers(1, 12), world=st.sampled_from(WORLDS))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_state_equals_the_reference_on_redis(redis_client, history, batch_size, world):
    """The same on a real Redis, and deleting every record leaves nothing but tombstones behind."""
    redis_client.flushdb()  # Hypothesis calls this many times on one fixture
    index = RedisIndex(redis_client, world)
    deliver(index, world, history, batch_size)
    assert index.snapshot() == resolve(world, history)


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_an_empty_batch_changes_nothing(kind, redis_client):
    """A batch without events is no error and commits nothing."""
    rules = small_rules()
    index = MemoryIndex(rules) if kind == "memory" else RedisIndex(redis_client, rules)
    report = Engine(rules, index).process([])
    assert (report.events, report.changes, report.failed) == (0, 0, [])


def test_a_large_batch_is_worked_off_in_parts():
    """More events than fit one plan give the same state, and what fails takes with it all that comes after it."""
    rules = small_rules()
    events = [
        RecordEvent("person", "crm", str(n), "upsert", 1, n, {"given_name": "Ann", "family_name": f"Name{n}"})
        for n in range(25)
    ]
    index = MemoryIndex(rules)
    report = Engine(rules, index, EngineSettings(events_per_plan_max=7)).process(events)
    assert (report.events, report.failed) == (25, [])
    assert index.snapshot() == resolve(rules, events)

    class Broken(MemoryIndex):
        """Takes two commits and no more."""

        def commit(self, commits):
            """Refuse once two parts are in."""
            if self.snapshot().crosswalk.keys() >= {"crm/13"}:
                raise TransientError("no more")
            return super().commit(commits)

    broken = Engine(rules, Broken(rules), EngineSettings(events_per_plan_max=7), sleep=lambda _: None).process(events)
    assert broken.failed == list(range(14, 25))
