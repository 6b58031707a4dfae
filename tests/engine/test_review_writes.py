"""A commit writes the review items that differ from what is stored, and no others."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import HISTORIES, small_rules

from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex

ANN = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01"}
ANNE = {"given_name": "Anne", "family_name": "Lee", "birth_date": "1980-01-02"}


def record(number, version=1, **attributes):
    """Return an upsert of one record."""
    return RecordEvent("person", "crm", str(number), "upsert", version, number, attributes)


class Watched(MemoryIndex):
    """Notes what every applied commit says of the review queue, against what the queue had before it."""

    def __init__(self, rules):
        """Begin with an empty index."""
        super().__init__(rules)
        self.written, self.dropped = [], []

    def commit(self, commits):
        """Apply one by one, and look at the queue before and after each."""
        outcomes = []
        for commit in commits:
            before = self.snapshot().review
            outcomes += super().commit([commit])
            after = self.snapshot().review
            changed = {pair for pair, item in after.items() if before.get(pair) != item}
            assert set(commit.put_review) == changed, "an item is written that is stored as it is"
            assert set(commit.drop_review) == before.keys() - after.keys()
            self.written += commit.put_review
            self.dropped += commit.drop_review
        return outcomes


WORLDS = [
    small_rules(50, 2),
    small_rules(50, 3),
    small_rules(max_block_size=3, max_cluster_size=2),
    small_rules(50, 9, exclusive=(2,)),
    small_rules(2, 9),
]


@given(history=HISTORIES, batch_size=st.integers(1, 12), world=st.sampled_from(WORLDS), seed=st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_only_what_differs_is_written_whatever_happens(history, batch_size, world, seed):
    """In any history every item that a commit writes or drops is one that this commit changes; and the end is F."""
    index = Watched(world)
    engine = Engine(world, index, sleep=lambda _: None)
    again = history * 2
    random.Random(seed).shuffle(again)
    for start in range(0, len(again), batch_size):
        assert not engine.process(again[start : start + batch_size]).failed
    engine.drain()
    assert index.snapshot() == resolve(world, history)


def test_a_redelivery_and_an_event_elsewhere_write_no_item():
    """What is stored is not written again: by the same event, by a new one that asks nothing, or by a re-evaluation."""
    rules = small_rules(max_block_size=50, max_cluster_size=3)
    index = Watched(rules)
    engine = Engine(rules, index)
    events = [record(n, **ANN) for n in range(1, 8)] + [record(8, **ANNE)]
    engine.process(events)
    written = len(index.written)
    assert written == len(index.snapshot().review) > 0
    engine.process(events)
    engine.process([record(2, version=2, **ANN, email=("ann@x.org",))])
    index._pending.add("crm/3")
    assert engine.drain().reevaluated == 1
    assert (len(index.written), index.dropped) == (written, [])


def test_a_verdict_writes_the_items_between_its_two_golden_records():
    """Nine equal records, three together: a SEPARATE changes one of three items; taking it back restores it."""
    rules = small_rules(max_block_size=50, max_cluster_size=3)
    index = Watched(rules)
    engine = Engine(rules, index)
    engine.process([record(n, **ANN) for n in range(1, 10)])
    before = index.snapshot().review
    assert [*before] == [("crm/1", "crm/4"), ("crm/1", "crm/7"), ("crm/4", "crm/7")]
    index.written.clear()
    engine.process([VerdictEvent("person", "crm/1", "crm/4", "separate", 1, 0, "steward-1")])
    assert (index.written, index.dropped) == ([("crm/1", "crm/5")], [("crm/1", "crm/4")])
    engine.process([VerdictEvent("person", "crm/1", "crm/4", "none", 2, 0, "steward-1")])
    assert index.snapshot().review == before


@pytest.mark.parametrize("cap", [4, 10])
def test_what_one_more_event_writes_does_not_grow_with_the_refused_links(redis_client, cap):
    """Sixty equal records have more than a thousand refused links; one more event writes a few kilobytes on Redis."""
    rules = small_rules(max_block_size=100, max_cluster_size=cap, kept=60)
    index = RedisIndex(redis_client, rules)
    engine = Engine(rules, index)
    engine.process([record(n, **ANN) for n in range(100, 160)])
    clusters = 60 // cap
    assert len(index.snapshot().review) == clusters * (clusters - 1) // 2
    before = index.counters.bytes_written
    assert not engine.process([record(160, **ANN)]).failed
    links, items = 61 * 60 // 2, clusters
    assert index.counters.bytes_written - before < 12_000 + 6 * links + 600 * items
    assert len(index.snapshot().review) == clusters * (clusters + 1) // 2
